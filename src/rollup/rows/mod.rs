//! Rows as ClickHouse has them: a struct a table, its fields the columns in the order of `schemas/clickhouse/`.
//!
//! Invariant: a struct, its [`Columns`] and the table agree. The program checks the table against [`Columns`] when it
//! starts, and the client the struct against the table at each first insert; a test on a real engine checks all three.

mod card;
mod event;
mod quarantine;
mod usage;

use serde::Serialize;

use crate::model::{CardId, Day, UnixTime};

pub use card::{CardDay, CardMonth};
pub use event::{Activation, Alert, Lifecycle};
pub use quarantine::{Quarantine, Raw};
pub use usage::UsageRecord;

/// A row of one table.
pub trait Columns: Serialize {
    /// The table.
    const TABLE: &'static str;
    /// Names and types of its columns, as `system.columns` has them.
    const COLUMNS: &'static [(&'static str, &'static str)];

    /// The table's `ORDER BY` and, within it, the day by which the table is partitioned.
    fn key(&self) -> Key<'_>;

    /// The greatest of one key wins.
    fn version(&self) -> u64;
}

/// What sorts and partitions rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    pub card: CardText,
    /// Days since 1970 of the partition.
    pub day: u16,
    /// Seconds since 1970 of what happened at one, 0 of what has no time.
    pub at: u32,
    /// What else tells rows of a card apart.
    pub rest: (&'a str, &'a str, u64),
}

/// A card as a `FixedString(19)`; NULs where it is not known.
pub type CardText = [u8; 19];

/// No card is known.
pub const NO_CARD: CardText = [0; 19];

fn card_text(card: CardId) -> CardText {
    card.text()
}

/// A `Date`: 1970-01-01 to 2149-06-06; what lies outside is put at the nearest end.
pub(super) fn date(day: Day) -> u16 {
    u16::try_from(day.max(0)).unwrap_or(u16::MAX)
}

/// A `DateTime`: 1970-01-01 to 2106-02-07; what lies outside is put at the nearest end.
pub(super) fn date_time(time: UnixTime) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

/// The day (UTC) of a `DateTime`.
fn day_of(date_time: u32) -> u16 {
    (i64::from(date_time) / crate::limits::DAY_S) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_cannot_hold_is_put_at_its_end() {
        assert_eq!([date(-1), date(0), date(20_000), date(70_000)], [0, 0, 20_000, 65_535]);
        assert_eq!([date_time(-1), date_time(5), date_time(5_000_000_000)], [0, 5, u32::MAX]);
        assert_eq!(day_of(u32::MAX), 49_710);
    }
}
