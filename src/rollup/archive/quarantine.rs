//! Records that were set aside, and what the log holds beside them.

use super::{Archive, quoted};
use crate::limits::{ARCHIVE_ROWS_MAX, POST_MATCHES_MAX};
use crate::model::CardId;
use crate::rollup::Failure;
use crate::rollup::rows::{Columns as _, Quarantine, Raw, UsageRecord};

/// Which of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetAside {
    pub card: Option<CardId>,
    /// `late`, `conflict`, …
    pub outcome: Option<String>,
    /// Only those before it in the list.
    pub before: Option<SetAsidePlace>,
}

/// A place in the list: when it was last seen, milliseconds, and its id among those of one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsidePlace {
    pub seen_ms: i64,
    pub id: String,
}

/// A CDR of the log under the identity of one that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, serde::Serialize, serde::Deserialize)]
pub struct Match {
    pub start: u32,
    pub end: u32,
    pub up: u64,
    pub down: u64,
    pub log_time: u32,
    /// `partition/offset/index`.
    pub log_position: String,
}

/// A record that was set aside, without where its row stands.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, serde::Serialize, serde::Deserialize)]
pub struct SetAsideRecord {
    /// Empty where it is not known.
    pub card: String,
    pub id: String,
    pub seen_ms: i64,
    pub outcome: String,
    pub reason: String,
    pub source: String,
    pub source_partition: u32,
    pub source_offset: u64,
    pub log_position: String,
    pub record: Raw,
}

const COLUMNS: &str = "replaceAll(toString(card), '\\0', '') AS card_text, id, \
     toUnixTimestamp64Milli(seen) AS seen_ms, toString(outcome) AS outcome_text, reason, \
     toString(source) AS source_text, source_partition, source_offset, log_position, record";

impl Archive {
    /// Records that were set aside, those last seen first.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn set_aside(&self, which: &SetAside, limit: usize) -> Result<Vec<SetAsideRecord>, Failure> {
        let mut where_ = vec!["1".to_owned()];
        where_.extend(which.card.map(|card| format!("card = '{card}'")));
        where_.extend(which.outcome.as_ref().map(|outcome| format!("outcome = {}", quoted(outcome))));
        where_.extend(which.before.as_ref().map(|SetAsidePlace { seen_ms, id }| {
            let (seen, id) = (format!("fromUnixTimestamp64Milli({seen_ms}, 'UTC')"), quoted(id));
            format!("seen <= {seen} AND (seen < {seen} OR id < {id})")
        }));
        let (where_, limit) = (where_.join(" AND "), limit.min(ARCHIVE_ROWS_MAX));
        self.quarantine(&format!("{where_} ORDER BY seen DESC, id DESC LIMIT {limit}")).await
    }

    /// The record of a quarantine id.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn set_aside_as(&self, id: &str) -> Result<Option<SetAsideRecord>, Failure> {
        Ok(self.quarantine(&format!("id = {} LIMIT 1", quoted(id))).await?.into_iter().next())
    }

    async fn quarantine(&self, which: &str) -> Result<Vec<SetAsideRecord>, Failure> {
        // Names of its own: a column that is renamed to itself is the renamed one in conditions too.
        let inner = format!("SELECT {COLUMNS} FROM {}_now WHERE {which}", Quarantine::TABLE);
        let sql = format!(
            "SELECT card_text AS card, id, seen_ms, outcome_text AS outcome, reason, source_text AS source, \
             source_partition, source_offset, log_position, record FROM ({inner})"
        );
        self.0.rows(&sql).await
    }

    /// CDRs of the log of one card, feed and record id.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn matches(&self, card: CardId, feed: &str, id: &str) -> Result<Vec<Match>, Failure> {
        let (feed, id) = (quoted(feed), quoted(id));
        let sql = format!(
            "SELECT start, `end`, up, down, log_time, concat(toString(log_partition), '/', toString(log_offset), '/', \
             toString(log_index)) AS log_position FROM {}_now WHERE card = '{card}' AND feed = {feed} AND id = {id} \
             ORDER BY log_time LIMIT {POST_MATCHES_MAX}",
            UsageRecord::TABLE
        );
        self.0.rows(&sql).await
    }
}
