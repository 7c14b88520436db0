//! What is sealed of one partition: where it begins and ends, and what is released once it is committed.

use std::collections::BTreeMap;

use super::mailbox::{OrderError, Reply};
use crate::log::Committed;
use crate::model::{Ledger, LogOffset};
use crate::rollup::RowBatch;

/// A sealed part; its outputs lie beside it in the queue of commits.
pub(super) struct SealedPart {
    pub partition: u32,
    /// The committed offset before it; `None` = there is none.
    pub from: Option<LogOffset>,
    /// The committed offset after it.
    pub to: LogOffset,
    /// Where a restore begins to read the checkpoint partition, as the offset's metadata.
    pub metadata: String,
    pub rows: Option<RowBatch>,
    pub released: Released,
}

/// What becomes visible outside the log only after the commit.
#[derive(Default)]
pub(super) struct Released {
    pub ledger: Ledger,
    pub events: BTreeMap<&'static str, u64>,
    /// When Kafka had the oldest outside record, milliseconds.
    pub oldest_ms: Option<i64>,
    /// The same for each alert.
    pub alerts_ms: Vec<i64>,
    pub orders: Vec<Reply<Result<(), OrderError>>>,
    /// What an operator should hear of.
    pub alarms: Vec<String>,
}

impl SealedPart {
    /// The offset as committed.
    pub(super) fn offset(&self) -> Committed {
        Committed { offset: self.to, metadata: self.metadata.clone() }
    }

    /// It will never be committed by us: tell those who wait.
    pub(super) fn lost(self) {
        for reply in self.released.orders {
            reply(Err(OrderError::Lost(self.partition)));
        }
    }
}
