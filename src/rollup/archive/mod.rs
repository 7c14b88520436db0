//! Questions to ClickHouse: the days and cycles of a card that memory no longer holds, what happened to it, the fleet in sums,
//! and records that were set aside.
//!
//! Rows are handed on by the names of their columns, so that a table of a newer program is read as well. Every question is
//! bounded in rows and in time; one about a card is cheap, for the tables are sorted by it.

mod quarantine;

use serde_json::{Map, Value};

use super::rows::{Activation, Alert, CardDay, CardMonth, Columns, Lifecycle};
use super::{Client, Failure};
use crate::limits::{ARCHIVE_MONTHS_MAX, ARCHIVE_ROWS_MAX};
use crate::model::{CardId, Day, LogOffset};

pub use quarantine::{Match, SetAside, SetAsidePlace, SetAsideRecord};

/// Columns that say nothing outside: whose row it is was asked for, and its version is between it and the log.
const INSIDE: [&str; 2] = ["card", "version"];

/// No cycle that runs has begun earlier, with room for a change of calendar: older parts need not be read.
const FLEET_CYCLE_DAYS_MAX: u16 = 70;

/// The way to what ClickHouse holds. Clones share the connections.
#[derive(Clone)]
pub struct Archive(Client);

impl Archive {
    /// Of a client whose waits are those of a person who asks.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// The first `limit` days of a card with a row, from one day to another, in order.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn days(
        &self,
        card: CardId,
        (from, to): (Day, Day),
        limit: usize,
    ) -> Result<Vec<Row>, Failure> {
        let limit = limit.min(ARCHIVE_ROWS_MAX);
        let which = format!("day BETWEEN toDate({}) AND toDate({}) ORDER BY day", date(from), date(to));
        Ok(self.of_card::<CardDay>(card, &which, limit).await?.iter().filter_map(outside).collect())
    }

    /// The cycles of a card that have a day within, in order.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn months(&self, card: CardId, (from, to): (Day, Day)) -> Result<Vec<Row>, Failure> {
        let which =
            format!("cycle <= toDate({}) AND cycle_last >= toDate({}) ORDER BY cycle", date(to), date(from));
        let rows = self.of_card::<CardMonth>(card, &which, ARCHIVE_MONTHS_MAX).await?;
        Ok(rows.iter().filter_map(outside).collect())
    }

    /// The newest cycle of a card, if it has any.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn newest_month(&self, card: CardId) -> Result<Option<Row>, Failure> {
        let rows = self.of_card::<CardMonth>(card, "1 ORDER BY cycle DESC", 1).await?;
        Ok(rows.first().and_then(outside))
    }

    /// Events of a card whose type begins with `kind`, newest first, those before a place.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn events(
        &self,
        card: CardId,
        kind: &str,
        before: Option<&ArchivedPlace>,
        limit: usize,
    ) -> Result<Vec<Archived>, Failure> {
        let before = before.map(|ArchivedPlace { at, id }| {
            let id = quoted(id);
            format!(" AND at <= toDateTime({at}, 'UTC') AND (at < toDateTime({at}, 'UTC') OR id < {id})")
        });
        let (before, kind) = (before.unwrap_or_default(), quoted(kind));
        let which = format!("card = '{card}' AND startsWith(type, {kind}){before}");
        let order = format!("ORDER BY at DESC, id DESC LIMIT {}", limit.min(ARCHIVE_ROWS_MAX));
        let of = |table| {
            format!(
                "(SELECT at, id, toString(type) AS kind, iccid, data FROM {table}_now WHERE {which} {order})"
            )
        };
        let all = [Alert::TABLE, Activation::TABLE, Lifecycle::TABLE].map(of).join(" UNION ALL ");
        self.0.rows(&format!("SELECT at, id, kind, iccid, data FROM ({all}) {order}")).await
    }

    /// What was answered to a command of a card, if that stands in its partition of the topic before a place.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn answered(
        &self,
        card: CardId,
        command: &str,
        (partition, before): (u32, LogOffset),
    ) -> Result<Option<Archived>, Failure> {
        let (command, before, table) = (quoted(command), before.0, Lifecycle::TABLE);
        let rows = self
            .0
            .rows(&format!(
                "SELECT at, id, toString(type) AS kind, iccid, data FROM {table}_now WHERE card = '{card}' AND command = {command} \
                 AND startsWith(type, 'command.') AND topic_partition = {partition} AND topic_offset < {before} LIMIT 1"
            ))
            .await?;
        Ok(rows.into_iter().next())
    }

    /// Sums over the running cycles, on a day as UTC has it.
    ///
    /// Cycles begin and end in the zones of their carriers, in which it may be a day earlier or later. Which one of a
    /// carrier runs its cards say: the newest of which one of them has a row, for a row is there once something has happened
    /// in its cycle.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn fleet(&self, today: Day) -> Result<FleetSums, Failure> {
        let (before, after) = (date(today.saturating_sub(1)), date(today.saturating_add(1)));
        let near = format!(
            "cycle <= toDate({after}) AND cycle > toDate({after}) - {FLEET_CYCLE_DAYS_MAX} AND cycle_last >= toDate({before})"
        );
        let table = CardMonth::TABLE;
        let rows = self
            .0
            .rows(&format!(
                "SELECT count() AS cards, sum(used) AS used, sum(settled) AS settled, sum(provisional) AS provisional, \
                 sum(overage) AS overage, countIf(quota > 0 AND remaining = 0 AND state != 'cancelled') AS exhausted, \
                 max(as_of) AS as_of FROM {table}_now WHERE {near} \
                 AND (carrier, cycle) IN (SELECT carrier, max(cycle) FROM {table} WHERE {near} GROUP BY carrier)"
            ))
            .await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn of_card<R>(&self, card: CardId, which: &str, limit: usize) -> Result<Vec<R>, Failure>
    where
        R: Columns + clickhouse::RowOwned + clickhouse::RowRead,
    {
        let columns: Vec<&str> = R::COLUMNS.iter().map(|(name, _)| *name).collect();
        let (columns, table) = (columns.join(", "), R::TABLE);
        self.0
            .rows(&format!(
                "SELECT {columns} FROM {table}_now WHERE card = '{card}' AND {which} LIMIT {limit}"
            ))
            .await
    }
}

/// Sums over the running cycles of all cards. Amounts in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, clickhouse::Row, serde::Serialize, serde::Deserialize)]
pub struct FleetSums {
    pub cards: u64,
    pub used: u64,
    pub settled: u64,
    pub provisional: u64,
    pub overage: u64,
    /// Cards whose packages have nothing left.
    pub exhausted: u64,
    /// Log time of the newest row.
    pub as_of: u32,
}

/// An event as the tables have it.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, serde::Serialize, serde::Deserialize)]
pub struct Archived {
    pub at: u32,
    pub id: String,
    /// `alert.fired`.
    pub kind: String,
    pub iccid: String,
    /// Its data, JSON.
    pub data: String,
}

impl Archived {
    /// Where it stands among the events of its card.
    #[must_use]
    pub fn place(&self) -> ArchivedPlace {
        ArchivedPlace { at: self.at, id: self.id.clone() }
    }
}

/// A place among the events of a card: its time, and its id among those of one second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedPlace {
    pub at: u32,
    pub id: String,
}

/// A text as ClickHouse reads it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A row by its columns; days and times are numbers, as everywhere inside.
pub type Row = Map<String, Value>;

fn outside<R: Columns>(row: &R) -> Option<Row> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(row) else { return None };
    fields.retain(|name, _| !INSIDE.contains(&name.as_str()));
    Some(fields)
}

/// A `Date` of ClickHouse as it is compared with: what lies outside is put at the nearest end.
fn date(day: Day) -> u16 {
    super::rows::date(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text() {
        assert_eq!(quoted("a"), "'a'");
        assert_eq!(quoted("' OR 1 -- \\"), "'\\' OR 1 -- \\\\'");
    }
}
