//! Bytes ⇄ values, pure: no clock, no socket, no file. What one side writes the other reads back the same.
//!
//! | module | bytes |
//! |---|---|
//! | [`pack`] | one message of the log: a fixed layout, documented in `docs/pack.md` |
//! | [`directory`] | which card held a number, and when |

pub mod directory;
pub mod pack;
