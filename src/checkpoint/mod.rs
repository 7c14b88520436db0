//! The checkpoint: what a partition's state was at its last commit, in a compacted topic beside the log.
//!
//! One partition of [`crate::log::Topic::Checkpoint`] a log partition, with a [`Head`] (one a commit), the chunk of every
//! shard in parts, the catalogues that the oldest chunk needs, and orders to skip. All are written inside the commit that
//! moves the group's offset, so one transaction marker covers them: **invariant 2**.
//!
//! It is fuzzy: each chunk is of its own offset, oldest written first, paced by replay debt ([`Marks`]). There is no
//! barrier and no pause; what it costs is the size of the state a period, whatever the input rate. [`Restore`] reads
//! chunks, then the log from the oldest chunk on, each shard from its own offset; what comes out is exact or
//! [`Refused`]: **invariants 6 and 7**. [`verify()`] proves the same of a checkpoint at rest.

mod checks;
mod chunk;
mod found;
mod frame;
mod glance;
mod head;
mod in_force;
mod key;
mod marks;
mod predecessor;
mod refused;
mod restore;
mod verify;

pub use crate::model::Clock;
pub use chunk::{ChunkError, ChunkInfo, Part, cut, join, record};
pub use frame::{FrameError, decode, encode};
pub use glance::{Glance, glance};
pub use head::{Expected, Head, New, Skip};
pub use in_force::{catalogue_in_force, deployment_of};
pub use key::Key;
pub use marks::{Mark, Marks, Pace, work};
pub use refused::{Refused, Why};
pub use restore::{Budget, Progress, Restore, Restored, panic_text};
pub use verify::{PartitionReport, Problem, verify};
