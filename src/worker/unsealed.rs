//! What has been folded since the last seal: effects encoded as they come, counted, not yet immutable.

use std::collections::BTreeMap;

use super::mailbox::{OrderError, Reply};
use super::settings::SealBounds;
use crate::codec;
use crate::limits::{SEAL_AFTER_MS, SEAL_BYTES_OVER, SEAL_MESSAGES_OVER, SEAL_QUIET_MS};
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
    /// When the first was folded that somebody waits for: an event, an entry of the directory.
    pub told_ms: Option<i64>,
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

    /// Something was folded: from now on there is something to seal, and soon if it has made outputs.
    pub(super) fn folded(&mut self, records: usize, now_ms: i64) {
        self.records += records;
        self.touch(now_ms);
        if !self.outputs.is_empty() {
            self.tell(now_ms);
        }
    }

    /// Somebody waits for what is unsealed.
    pub(super) fn tell(&mut self, now_ms: i64) {
        self.touch(now_ms);
        self.told_ms.get_or_insert(now_ms);
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
        for output in codec::directory::outputs(&effects.directory, stamp.time_ms) {
            self.push(output);
        }
        effects.directory.clear();
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
            told_ms: self.told_ms,
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
    pub told_ms: Option<i64>,
}

/// Which partitions a seal takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those with events.
    Told,
    All,
}

impl Which {
    pub(super) fn takes(self, unsealed: &Unsealed) -> bool {
        let since_ms = if self == Self::All { unsealed.since_ms } else { unsealed.told_ms };
        since_ms.is_some()
    }
}

impl Load {
    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.messages += other.messages;
        self.since_ms = earlier(self.since_ms, other.since_ms);
        self.told_ms = earlier(self.told_ms, other.told_ms);
    }

    /// Notes how far the unsealed work of one partition has grown.
    pub(super) fn grow(&mut self, before: Self, after: Self) {
        self.messages += after.messages.saturating_sub(before.messages);
        self.bytes += after.bytes.saturating_sub(before.bytes);
    }

    /// In the middle of a poll: not even what was fetched may be folded before a seal. One message may make very many
    /// outputs, where time fires what is due; many such messages must not come together in one transaction.
    pub(super) fn is_crowded(&self, bounds: SealBounds) -> bool {
        self.messages >= bounds.messages.saturating_mul(SEAL_MESSAGES_OVER)
            || self.bytes >= bounds.bytes.saturating_mul(SEAL_BYTES_OVER)
    }

    /// At a bound: no more may be folded before a seal.
    pub(super) fn is_full(&self, bounds: SealBounds) -> bool {
        self.records >= bounds.records || self.bytes >= bounds.bytes || self.messages >= bounds.messages
    }

    /// When the next seal is due.
    pub(super) fn due_ms(&self) -> Option<i64> {
        let (told, quiet) =
            (self.told_ms.map(|ms| ms + SEAL_AFTER_MS), self.since_ms.map(|ms| ms + SEAL_QUIET_MS));
        earlier(told, quiet)
    }

    /// What is to be sealed now.
    pub(super) fn due(&self, now_ms: i64, bounds: SealBounds) -> Option<Which> {
        let over = |since: Option<i64>, after| since.is_some_and(|since| now_ms - since >= after);
        match () {
            () if self.is_full(bounds) || over(self.since_ms, SEAL_QUIET_MS) => Some(Which::All),
            () if over(self.told_ms, SEAL_AFTER_MS) => Some(Which::Told),
            () => None,
        }
    }
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{SEAL_BYTES_MAX, SEAL_MESSAGES_MAX, SEAL_RECORDS_MAX};

    fn due(load: Load, now_ms: i64) -> Option<Which> {
        load.due(now_ms, SealBounds::default())
    }

    #[test]
    fn a_seal_is_due_at_the_first_of_its_bounds() {
        let load = |records, bytes, messages| Load {
            records,
            bytes,
            messages,
            since_ms: Some(1_000),
            told_ms: None,
        };
        let table = [
            (Load::default(), None),
            (load(1, 1, 1), None),
            (load(SEAL_RECORDS_MAX, 1, 1), Some(Which::All)),
            (load(1, SEAL_BYTES_MAX, 1), Some(Which::All)),
            (load(1, 1, SEAL_MESSAGES_MAX), Some(Which::All)),
        ];
        for (load, expected) in table {
            assert_eq!(due(load, 1_000), expected, "{load:?}");
        }
    }

    #[test]
    fn events_are_sealed_soon_and_the_rest_in_time() {
        let load = Load { since_ms: Some(1_000), told_ms: Some(1_100), ..Load::default() };
        let (told, all) = (1_100 + SEAL_AFTER_MS, 1_000 + SEAL_QUIET_MS);
        assert_eq!(load.due_ms(), Some(told));
        assert_eq!((due(load, told - 1), due(load, told)), (None, Some(Which::Told)));
        assert_eq!((due(load, all - 1), due(load, all)), (Some(Which::Told), Some(Which::All)));
        let quiet = Load { told_ms: None, ..load };
        assert_eq!(
            (quiet.due_ms(), due(quiet, all - 1), due(quiet, all)),
            (Some(all), None, Some(Which::All))
        );
    }
}
