//! Questions to ClickHouse about one card: the days and cycles that memory no longer holds.
//!
//! Rows are handed on by the names of their columns, so that a table of a newer program is read as well. Every question is
//! bounded in rows, and is about one card: the tables are sorted by it.

use serde_json::{Map, Value};

use super::rows::{CardDay, CardMonth, Columns};
use super::{Client, Failure};
use crate::limits::{ARCHIVE_MONTHS_MAX, ARCHIVE_ROWS_MAX};
use crate::model::{CardId, Day};

/// Columns that say nothing outside: whose row it is was asked for, and its version is between it and the log.
const INSIDE: [&str; 2] = ["card", "version"];

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
