//! A record that was not counted → its message, in the words of [`crate::codec::quarantine`].

use super::effects::{OwnedRecord, Quarantined};
use crate::codec::quarantine::{Entry, output};
use crate::log::Output;
use crate::model::{Cdr, CounterKind, FeedName, Origin, Reading, Record, Slices};

impl Quarantined {
    /// The message for `usage.quarantine` or `usage.dead-letter`; `None` only of a record whose card was left out, which
    /// the meter never does but for a command without one. `time_ms`: its `CreateTime`, where the clock is supplied.
    #[must_use]
    pub fn output(&self, time_ms: Option<i64>) -> Option<Output> {
        let mut slices = Vec::new();
        let record = self.record(&mut slices)?;
        Entry::of(record, self.outcome, &self.reason, self.position).map(|entry| output(&entry, time_ms))
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            source: &self.source,
            partition: self.source_partition,
            offset: self.source_offset,
            received_ms: self.received_ms,
        }
    }

    fn record<'a>(&'a self, buffer: &'a mut Vec<u8>) -> Option<Record<'a>> {
        let origin = self.origin();
        Some(match &self.record {
            OwnedRecord::Cdr { feed, id, start, end, up, down, slices, number } => Record::Cdr(Cdr {
                card: self.card?,
                feed: FeedName::new(feed),
                id,
                start: *start,
                end: *end,
                up: *up,
                down: *down,
                slices: Slices::pack(slices, buffer),
                number: *number,
                origin,
            }),
            OwnedRecord::Reading { feed, imei, counter, at, tx, rx, width, session, number } => {
                Record::Reading(Reading {
                    card: self.card?,
                    feed: FeedName::new(feed),
                    imei: *imei,
                    counter: CounterKind(counter),
                    at: *at,
                    tx: *tx,
                    rx: *rx,
                    width: *width,
                    session,
                    number: *number,
                    origin,
                })
            }
            OwnedRecord::Command { json } => Record::Command { card: self.card?, json, origin },
            OwnedRecord::Broadcast { json } => Record::Broadcast { json, origin },
        })
    }
}
