//! Bytes ⇄ values, pure: no clock, no socket, no file. What one side writes the other reads back the same.
//!
//! | module | bytes |
//! |---|---|
//! | [`pack`] | one message of the log: a fixed layout, documented in `docs/pack.md` |
//! | [`json`] | the outside JSON of records and commands |
//! | [`canonical`] | commands and catalogues inside the log |
//! | [`event`] | CloudEvents of the meter |
//! | [`quarantine`] | records that were not counted, with their reasons |
//! | [`directory`] | which card held a number, and when |
//! | [`amount`], [`time`] | amounts of bytes and RFC 3339 times as text |

pub mod amount;
pub mod canonical;
pub mod directory;
pub mod event;
pub mod json;
pub mod pack;
pub mod quarantine;
pub mod time;
