//! The schemas of `schemas/` and the program, held against each other: every example is valid and is read, every invalid
//! example is refused by both for the reason it names, and whatever the program writes is valid.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "schemas/examples.rs"]
mod examples;
#[path = "schemas/files.rs"]
mod files;
#[path = "schemas/sample_events.rs"]
mod sample_events;
#[path = "schemas/samples.rs"]
mod samples;
#[path = "schemas/topics.rs"]
mod topics;
#[path = "schemas/written.rs"]
mod written;
