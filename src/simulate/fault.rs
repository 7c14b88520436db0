//! Faults that can be planted, by name: each breaks one promise, and the auditor must notice.

use crate::worker;

/// A planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Duplicates are counted.
    NoDedupe,
    /// A carrier's total of a day is added to the one before.
    TotalsAdd,
    /// What is due fires in the wrong order, and not before a card's records.
    TimersUnordered,
    /// A recharge does not raise the arming of alerts.
    RechargeRaisesNothing,
    /// A message is paid twice.
    CreditsTwice,
    /// An alert about a past cycle is paid for.
    LateAlertsPaid,
    /// Alerts that were told are forgotten by a restart.
    AlertsForgotten,
    /// A commit that is sent again does not carry the same bytes.
    AlterSealedBytes,
    /// Offsets are committed beside the transaction.
    OffsetsOutside,
    /// Ticks say that everything folded is in `ClickHouse`.
    FlushedAhead,
    /// A commit without an answer is taken as committed.
    TrustUnresolved,
    /// Parked state is resumed without a look at the stable offset.
    ResumeBlindly,
    /// After a restore no card counts as dirty.
    ForgetDirty,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::NoDedupe,
        Self::TotalsAdd,
        Self::TimersUnordered,
        Self::RechargeRaisesNothing,
        Self::CreditsTwice,
        Self::LateAlertsPaid,
        Self::AlertsForgotten,
        Self::AlterSealedBytes,
        Self::OffsetsOutside,
        Self::FlushedAhead,
        Self::TrustUnresolved,
        Self::ResumeBlindly,
        Self::ForgetDirty,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDedupe => "no-dedupe",
            Self::TotalsAdd => "totals-add",
            Self::TimersUnordered => "timers-unordered",
            Self::RechargeRaisesNothing => "recharge-raises-nothing",
            Self::CreditsTwice => "credits-twice",
            Self::LateAlertsPaid => "late-alerts-paid",
            Self::AlertsForgotten => "alerts-forgotten",
            Self::AlterSealedBytes => "alter-sealed-bytes",
            Self::OffsetsOutside => "offsets-outside",
            Self::FlushedAhead => "flushed-ahead",
            Self::TrustUnresolved => "trust-unresolved",
            Self::ResumeBlindly => "resume-blindly",
            Self::ForgetDirty => "forget-dirty",
        }
    }

    /// The fault of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// What a worker is told.
    pub(super) fn of_worker(self) -> worker::Faults {
        let mut faults = worker::Faults::default();
        match self {
            Self::NoDedupe => faults.meter.no_dedupe = true,
            Self::TotalsAdd => faults.meter.totals_add = true,
            Self::TimersUnordered => faults.meter.timers_unordered = true,
            Self::RechargeRaisesNothing => faults.meter.recharge_raises_nothing = true,
            Self::CreditsTwice => faults.meter.credits_twice = true,
            Self::LateAlertsPaid => faults.meter.late_alerts_paid = true,
            Self::AlertsForgotten => faults.meter.alerts_forgotten = true,
            Self::AlterSealedBytes => faults.alter_sealed_bytes_on_retry = true,
            Self::OffsetsOutside => faults.offsets_outside_transaction = true,
            Self::FlushedAhead => faults.flushed_through_ahead = true,
            Self::TrustUnresolved => faults.trust_unresolved = true,
            Self::ResumeBlindly => faults.resume_parked_blindly = true,
            Self::ForgetDirty => faults.forget_dirty_on_restore = true,
        }
        faults
    }
}
