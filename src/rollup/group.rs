//! Batches of many partitions → rows of two tables, in the order and in the portions in which ClickHouse likes them.
//!
//! Invariants: of the rows of one key only the newest is sent, and it is never an older one that comes last; the batches
//! of a group are acknowledged together and in their order, when the rows of all of them are written.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::Datelike as _;

use super::RowBatch;
use super::rows::{CardDay, CardMonth, Columns};
use crate::limits::{INSERT_MONTHS_MAX, INSERT_ROWS_MAX};

/// Rows gathered for one round of inserts.
#[derive(Debug, Default)]
pub struct Group {
    months: Vec<CardMonth>,
    days: Vec<CardDay>,
}

impl Group {
    pub fn add(&mut self, batch: RowBatch) {
        let version = batch.rows.version;
        self.months.extend(batch.rows.rows.months.into_iter().map(|row| CardMonth::new(row, version)));
        self.days.extend(batch.rows.rows.days.into_iter().map(|row| CardDay::new(row, version)));
    }

    /// Rows of the fuller table.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.months.len().max(self.days.len())
    }

    /// Both tables' rows, sorted, one a key.
    #[must_use]
    pub fn sealed(self) -> (Vec<CardMonth>, Vec<CardDay>) {
        (newest(self.months), newest(self.days))
    }
}

/// Sorts by key and keeps the newest row of each.
pub fn newest<R: Columns>(mut rows: Vec<R>) -> Vec<R> {
    rows.sort_unstable_by(|a, b| (a.key(), Reverse(a.version())).cmp(&(b.key(), Reverse(b.version()))));
    rows.dedup_by(|a, b| a.key() == b.key());
    rows
}

/// Cuts sorted rows into portions that ClickHouse commits as one: at most [`INSERT_ROWS_MAX`] rows of at most
/// [`INSERT_MONTHS_MAX`] months.
pub fn portions<R: Columns>(rows: &[R]) -> impl Iterator<Item = &[R]> {
    portions_of(rows, INSERT_ROWS_MAX, INSERT_MONTHS_MAX)
}

fn portions_of<R: Columns>(mut rest: &[R], rows_max: usize, months_max: usize) -> impl Iterator<Item = &[R]> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (portion, left) = rest.split_at(portion_len(rest, rows_max, months_max));
        rest = left;
        Some(portion)
    })
}

/// At least 1: one row has one month.
fn portion_len<R: Columns>(rows: &[R], rows_max: usize, months_max: usize) -> usize {
    let mut months = BTreeSet::new();
    let fits = |row: &&R| {
        months.insert(month_of(row.key().day));
        months.len() <= months_max
    };
    rows.iter().take(rows_max).take_while(fits).count()
}

/// Months since year 0: what `toYYYYMM` tells apart.
fn month_of(day: u16) -> i32 {
    let date = chrono::NaiveDate::from_epoch_days(i32::from(day));
    date.map_or(0, |date| date.year() * 12 + date.month0() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::DayRow;
    use crate::meter::Rows;
    use crate::model::{CardId, Day, LogOffset};
    use crate::rollup::{RowVersion, VersionedRows};

    fn card(n: u64) -> CardId {
        CardId::parse(&format!("{:019}", 8_986_001_000_000_000_000 + n)).unwrap()
    }

    fn name(n: u64) -> String {
        card(n).to_string()
    }

    fn day_row(card_no: u64, day: Day, used: u64) -> DayRow {
        DayRow {
            card: card(card_no),
            day,
            cycle: 0,
            carrier: "".into(),
            settling_up: 0,
            settling_down: 0,
            estimate_up: 0,
            estimate_down: 0,
            modem_up: 0,
            modem_down: 0,
            used,
            complete: false,
            unsettled: false,
            closed: false,
            as_of: 0,
        }
    }

    fn batch(offset: u64, days: Vec<DayRow>) -> RowBatch {
        let through = LogOffset(offset);
        let rows =
            VersionedRows { version: RowVersion::new(0, through), rows: Rows { months: Vec::new(), days } };
        RowBatch { partition: 0, through, last_part: true, rows, id: offset }
    }

    fn sealed_days(batches: Vec<RowBatch>) -> Vec<(String, u16, u64)> {
        let mut group = Group::default();
        for batch in batches {
            group.add(batch);
        }
        let text = |card: [u8; 19]| String::from_utf8(card.to_vec()).unwrap();
        group.sealed().1.into_iter().map(|row| (text(row.card), row.day, row.used)).collect()
    }

    #[test]
    fn rows_are_sorted_by_card_and_day_across_batches() {
        let days = sealed_days(vec![
            batch(1, vec![day_row(2, 5, 10), day_row(1, 6, 11)]),
            batch(2, vec![day_row(1, 5, 12)]),
        ]);
        assert_eq!(days, [(name(1), 5, 12), (name(1), 6, 11), (name(2), 5, 10)]);
    }

    #[test]
    fn of_one_key_the_newest_row_is_sent_in_whatever_order_they_came() {
        let newest = [(name(1), 5, 30)];
        let (old, new) = (|| batch(1, vec![day_row(1, 5, 20)]), || batch(2, vec![day_row(1, 5, 30)]));
        assert_eq!(sealed_days(vec![old(), new()]), newest);
        assert_eq!(sealed_days(vec![new(), old()]), newest);
    }

    fn portion_lens(days: &[Day], rows_max: usize, months_max: usize) -> Vec<usize> {
        let row = |&day: &Day| CardDay::new(day_row(1, day, 0), RowVersion::default());
        let rows: Vec<_> = days.iter().map(row).collect();
        portions_of(&rows, rows_max, months_max).map(<[_]>::len).collect()
    }

    #[test]
    fn portions_keep_both_bounds() {
        // Days 0..=30 are January 1970, 31..=58 February, 59 begins March.
        let cases: [(&[Day], usize, usize, &[usize]); 6] = [
            (&[], 10, 10, &[]),
            (&[0, 1, 2, 3, 4], 2, 10, &[2, 2, 1]),
            (&[0, 1, 2, 3], 4, 10, &[4]),
            (&[0, 30, 31, 58, 59], 10, 1, &[2, 2, 1]),
            (&[0, 31, 0, 31, 59], 10, 2, &[4, 1]),
            (&[Day::MIN, 0, Day::MAX], 10, 1, &[2, 1]),
        ];
        for (days, rows_max, months_max, expected) in cases {
            assert_eq!(portion_lens(days, rows_max, months_max), expected, "{days:?}");
        }
    }
}
