//! The state of partitions, for people and gauges.

use super::live::{Halted, Live};
use super::orders::halted_at;
use super::partition::Partition;
use super::report::{Now, PartitionStatus, StateName};
use super::{Clock, Worker};
use crate::limits::{DAY_S, STALE_AFTER_S, UNFLUSHED_S_MAX};
use crate::log::{Topic, WorkerLog};
use crate::meter::CardCounts;
use crate::model::LogOffset;
use crate::rollup::RowSink;

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    /// Whether the group has told it which partitions are its own: before that it holds none, and that says nothing.
    pub fn has_joined(&self) -> bool {
        self.group.joined
    }

    /// The state of every partition held.
    pub fn status(&self, now: Now) -> Vec<PartitionStatus> {
        let of = |(partition, state): (&u32, &Partition)| match state {
            Partition::Live(live) => self.live_status(state.state(), live, now),
            Partition::Refused { why, committed, .. } => PartitionStatus {
                halted: why.clone(),
                committed: *committed,
                ..bare(*partition, state.state())
            },
            Partition::Restoring(_) | Partition::Lost => bare(*partition, state.state()),
        };
        self.partitions.iter().map(of).collect()
    }

    fn live_status(&self, state: StateName, live: &Live, now: Now) -> PartitionStatus {
        let log_time = live.meter.log_time();
        let behind = now.clock_ms.div_euclid(1_000).saturating_sub(log_time);
        let late = self.settings.clock == Clock::Log && behind > STALE_AFTER_S;
        PartitionStatus {
            halted: live.halted.as_ref().map(|h| explain(live.partition, h)).unwrap_or_default(),
            halted_at: halted_at(live.halted.as_ref()),
            position: live.meter.position(),
            committed: live.committed.unwrap_or_default(),
            log_time: log_time.max(0),
            stale: live.halted.is_some() || late,
            replay_debt_records: live.marks.debt_records(),
            checkpoint_age_s: live.marks.debt_s(log_time),
            catalogue_version: live.catalogue_version(),
            dirty_cards: live.effects.dirty.len() + live.rows.unacked(),
            cards: live.meter.cards(),
            state_bytes: live.measured.bytes,
            flushed_through: live.rows.acked_through(),
            feeds: live.meter.feeds(),
            ..bare(live.partition, state)
        }
    }
}

fn bare(partition: u32, state: StateName) -> PartitionStatus {
    PartitionStatus {
        partition,
        state,
        halted: String::new(),
        halted_at: None,
        position: LogOffset(0),
        committed: LogOffset(0),
        log_time: 0,
        stale: true,
        replay_debt_records: 0,
        checkpoint_age_s: 0,
        catalogue_version: 0,
        dirty_cards: 0,
        cards: CardCounts::default(),
        state_bytes: 0,
        flushed_through: None,
        feeds: Vec::new(),
    }
}

/// What happened, where, and what to do.
fn explain(partition: u32, halted: &Halted) -> String {
    let log = Topic::Log;
    match halted {
        Halted::Poison { at, why } => format!(
            "{log} [{partition}] offset {}: {why}. Everything before it is folded and committed. Update the program if a \
             newer one reads it, or pass over the message: tidegauge skip {partition} {} --reason …",
            at.0, at.0
        ),
        Halted::Ahead { at, time_ms } => format!(
            "{log} [{partition}] offset {}: its log time {time_ms} ms is more than a minute ahead of this machine's clock. \
             Set the clock of the broker or of this machine right; it goes on by itself once the clocks agree",
            at.0
        ),
        Halted::Gone { at, why } => format!(
            "{log} [{partition}] offset {}: {why}. The log no longer has what comes next: raise its retention, and start anew \
             (docs/operations.md, When the state is lost)",
            at.0
        ),
        Halted::Unflushed { at, since, .. } => format!(
            "{log} [{partition}] offset {}: ClickHouse lacks changes since {}, and days that are closed are kept for {} days. \
             Bring ClickHouse back; it goes on by itself with the rows",
            at.0,
            crate::codec::time::text(*since),
            UNFLUSHED_S_MAX / DAY_S
        ),
    }
}
