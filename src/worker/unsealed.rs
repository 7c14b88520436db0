//! What has been folded since the last seal: effects encoded as they come, counted, not yet immutable.

use std::collections::BTreeMap;

use super::mailbox::{OrderError, Reply};
use crate::codec;
use crate::limits::{SEAL_AFTER_MS, SEAL_BYTES_MAX, SEAL_MESSAGES_MAX, SEAL_RECORDS_MAX};
use crate::log::Output;
use crate::meter::Effects;
use crate::model::UnixTime;

/// The unsealed work of one partition.
#[derive(Default)]
pub(super) struct Unsealed {
    pub outputs: Vec<Output>,
    pub bytes: usize,
    pub records: usize,
    /// When the first of it was folded.
    pub since_ms: Option<i64>,
    pub events: BTreeMap<&'static str, u64>,
    pub oldest_ms: Option<i64>,
    pub alerts_ms: Vec<i64>,
    pub orders: Vec<Reply<Result<(), OrderError>>>,
    pub alarms: Vec<String>,
}

/// How outputs are written: `source` of events, and the time of supplied-clock deployments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub deployment: &'a str,
    pub time_ms: Option<i64>,
}

impl Unsealed {
    /// Something is to be sealed soon, even if nothing was folded.
    pub(super) fn touch(&mut self, now_ms: i64) {
        self.since_ms.get_or_insert(now_ms);
    }

    pub(super) fn push(&mut self, output: Output) {
        self.bytes += size(&output);
        self.outputs.push(output);
    }

    /// Encodes what a fold has left in `effects`; the dirty cards stay there.
    pub(super) fn absorb(&mut self, effects: &mut Effects, stamp: Stamp<'_>) {
        for event in effects.events.drain(..) {
            *self.events.entry(event.body.kind()).or_default() += 1;
            self.push(codec::event::output(&event, stamp.deployment, stamp.time_ms));
        }
        for quarantined in effects.quarantined.drain(..) {
            if let Some(output) = quarantined.output(stamp.time_ms) {
                self.push(output);
            }
        }
        for entry in effects.directory.drain(..) {
            self.push(codec::directory::output(&entry, stamp.time_ms));
        }
        for conflict in effects.catalogue_conflicts.drain(..) {
            self.alarms
                .push(format!("catalogue version {} is refused: {}", conflict.version, conflict.reason));
        }
        self.alerts_ms.extend(effects.alerts_received_ms.drain(..).filter(|ms| *ms > 0));
        if let Some(received) = effects.received_ms.take() {
            let oldest = *received.start();
            self.oldest_ms = Some(self.oldest_ms.map_or(oldest, |ms| ms.min(oldest)));
        }
    }

    /// How full the seal is.
    pub(super) fn load(&self) -> Load {
        Load {
            records: self.records,
            bytes: self.bytes,
            messages: self.outputs.len(),
            since_ms: self.since_ms,
        }
    }
}

/// The `CreateTime` of outputs where the clock is supplied: log time.
pub(super) fn time_ms(log_time: UnixTime) -> i64 {
    log_time.saturating_mul(1_000)
}

fn size(output: &Output) -> usize {
    let headers: usize = output.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    output.key.len() + output.value.as_ref().map_or(0, Vec::len) + headers
}

/// Unsealed work of all partitions together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub records: usize,
    pub bytes: usize,
    pub messages: usize,
    pub since_ms: Option<i64>,
}

impl Load {
    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.messages += other.messages;
        self.since_ms = match (self.since_ms, other.since_ms) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// At a bound: no more may be folded before a seal.
    pub(super) fn is_full(&self) -> bool {
        self.records >= SEAL_RECORDS_MAX || self.bytes >= SEAL_BYTES_MAX || self.messages >= SEAL_MESSAGES_MAX
    }

    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        self.since_ms.is_some_and(|since| now_ms - since >= SEAL_AFTER_MS) || self.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_due_at_the_first_of_its_three_bounds() {
        let load = |records, bytes, messages, since_ms| Load { records, bytes, messages, since_ms };
        let table = [
            (load(0, 0, 0, None), false),
            (load(1, 1, 1, Some(71)), false),
            (load(1, 1, 1, Some(70)), true),
            (load(SEAL_RECORDS_MAX, 1, 1, Some(100)), true),
            (load(1, SEAL_BYTES_MAX, 1, Some(100)), true),
            (load(1, 1, SEAL_MESSAGES_MAX, Some(100)), true),
        ];
        for (load, due) in table {
            assert_eq!(load.is_due(100), due, "{load:?}");
        }
    }
}
