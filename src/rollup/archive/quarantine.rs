//! Records that were set aside, and what the log holds beside them.

use std::collections::BTreeSet;

use super::{Archive, quoted};
use crate::codec::json::{Scratch, cdr};
use crate::limits::{ARCHIVE_ROWS_MAX, POST_MATCHES_MAX, SET_ASIDE_AS_MAX, SET_ASIDE_TWINS_MAX};
use crate::model::{CardId, CardName};
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

/// A cardless row's record, as it was set aside once its card was known.
#[derive(clickhouse::Row, serde::Serialize, serde::Deserialize)]
struct Twin {
    id: String,
    record: Raw,
}

/// What stands in place of a card that is not known.
const NOBODY: &str = "toFixedString('', 19)";

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

    /// Records of a quarantine id, which does not hold the card: that of `card` first, then those whose card is known, the
    /// newest before others. At most [`SET_ASIDE_AS_MAX`], which tells whether the id alone says which.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn set_aside_as(&self, id: &str, card: Option<CardId>) -> Result<Vec<SetAsideRecord>, Failure> {
        let (id, first) =
            (quoted(id), card.map(|card| format!("card = '{card}' DESC, ")).unwrap_or_default());
        let order = format!("ORDER BY {first}card != {NOBODY} DESC, seen DESC LIMIT {SET_ASIDE_AS_MAX}");
        self.quarantine(&format!("id = {id} {order}")).await
    }

    /// Leaves out records whose card was not known and that stand under the same id once more with their card: they have
    /// come again since.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn shown_once(&self, mut rows: Vec<SetAsideRecord>) -> Result<Vec<SetAsideRecord>, Failure> {
        let nobodys: Vec<_> =
            rows.iter().filter(|row| row.card.is_empty()).map(|row| quoted(&row.id)).collect();
        if nobodys.is_empty() {
            return Ok(rows);
        }
        let (table, ids) = (Quarantine::TABLE, nobodys.join(", "));
        let sql = format!(
            "SELECT id, record FROM {table} WHERE id IN ({ids}) AND card != {NOBODY} \
             LIMIT {SET_ASIDE_TWINS_MAX}"
        );
        let twins: BTreeSet<_> = self
            .0
            .rows::<Twin>(&sql)
            .await?
            .into_iter()
            .filter_map(|twin| named(twin.id, &twin.record))
            .collect();
        // Equal records of two cards have one id: whose it is says the name that the record goes by.
        rows.retain(|row| {
            !row.card.is_empty()
                || named(row.id.clone(), &row.record).is_none_or(|named| !twins.contains(&named))
        });
        Ok(rows)
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

/// A CDR under its id and the name that it goes by.
fn named(id: String, record: &Raw) -> Option<(String, CardName)> {
    cdr(&record.0, &mut Scratch::default()).ok().map(|cdr| (id, cdr.card))
}
