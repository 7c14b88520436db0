//! The shell around the state machines: threads, clocks, mailboxes, signals. Here is all that the core must not have.
//!
//! A worker is a thread with its own consumer and producer, an ingest is one too; HTTP and ClickHouse run on tokio. They
//! share a [`Board`] (what each last said), the [`Workers`]' mailboxes and shelves, and one flag that says stop.

mod answers;
mod backoff;
mod board;
mod clock;
mod commands;
mod directory;
mod events;
pub mod folder;
pub mod ingest;
mod instance;
mod mailbox;
mod owners;
mod pushes;
mod serving;
mod socket;
mod supervisor;
mod tail;
#[cfg(test)]
mod tests;
pub mod worker;

pub use answers::{Answer, Answers, Waiting};
pub use board::{Board, FeedStatus, FolderStatus, InHand, InputStatus, Readiness};
pub use clock::{Clocks, wall_ms};
pub use commands::Commands;
pub use directory::SharedDirectory;
pub use events::{Events, FOLLOWED, Followed, Happened, Heard, NotFollowed};
pub use instance::{Instance, Size, bind, end_if_told_again, serve, told_to_stop};
pub use mailbox::{Inbox, NoAnswer, Workers};
pub use owners::Owners;
pub use pushes::{NotTaken, Pushed, Pushes, Room};
pub use supervisor::Ended;
pub use tail::{follow, follow_events};
