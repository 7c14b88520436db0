//! The demo's catalogue, compiled and written to the log before anything else.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::DEPLOYMENT;
use super::fleet::Fleet;
use crate::config::catalogue::{Inputs, compile};
use crate::ingest::catalogue::outputs;
use crate::log::Output;

/// The catalogue as the first message of every partition.
pub(super) fn first_messages(fleet: Fleet, partitions: u32) -> anyhow::Result<Vec<Output>> {
    let now: DateTime<Utc> =
        DateTime::from_timestamp(fleet.origin, 0).context("the machine's clock is wrong")?;
    let inputs =
        Inputs { path: "catalogue.toml", deployment: DEPLOYMENT, from: now.date_naive(), previous: None };
    let catalogue = compile(include_str!("catalogue.toml"), &inputs)?;
    Ok(outputs(&catalogue, partitions, Some(fleet.origin * 1000))?)
}
