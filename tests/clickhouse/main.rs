//! The rollup on a real ClickHouse: migrations, the schema's check, versions, history, and a server that dies in the middle;
//! and on a scripted one, for the failures that a real one cannot be asked for.

#![cfg(feature = "full")]

mod archive;
#[path = "../support/clickhouse.rs"]
mod engine;
mod failing;
mod flushing;
mod history;
mod migrations;
mod place;
mod sample;
mod scripted;
