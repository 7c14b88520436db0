//! What makes a first look need nothing installed: the whole product in one process over a log in a directory, a simulated
//! fleet with its time sped up, a live view, and the development ClickHouse endpoint.

mod catalogue;
pub mod clickhouse;
mod engine;
mod events;
mod fleet;
mod rollups;
mod run;
mod screen;
mod sender;
mod story;
mod view;

pub use run::{Options, run};

/// The demo's name in events and state.
const DEPLOYMENT: &str = "demo";
