//! The account of one card: packages, orders, burn and alerts. PURE, and a value by itself: it sees its card's segments
//! and usage through [`Ctx`] and nothing else.
//!
//! What was burnt is never kept for open days: it is a function of the packages and of the open days' segments in event
//! order, worked out anew whenever it is asked for (`domain.md` P3). Kept is only what is final: the burn of closed
//! days, which events have been told, and where the alerts' armings stand. So nothing here can go stale.

use serde::{Deserialize, Serialize};

use crate::model::{Calendar, Day, EventBody, Mode, PackageSpec, Payment, Rule, UnixTime};

/// Everything about packages and alerts of one card. Empty, it is 16 bytes of the card's line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    book: Option<Box<Book>>,
    /// See [`Account::is_quiet`].
    quiet_until: u64,
}

/// What a card's account is told at each call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ctx<'a> {
    /// Log time.
    pub(crate) now: UnixTime,
    /// Effective time: a timer's due time, else log time.
    pub(crate) at: UnixTime,
    pub(crate) calendar: &'a Calendar,
    pub(crate) own_channels: &'a [String],
    /// The plan's rules, else the fleet's: taken when the card has none of its own.
    pub(crate) default_rules: &'a [Rule],
    /// Whether the carrier is settling these days.
    pub(crate) settling: bool,
    pub(crate) usage: Usage,
    /// All segments of the open days, ascending, none over a day's edge.
    pub(crate) segments: &'a [Segment],
    /// First second of the first open day: no segment before it will be handed over again.
    pub(crate) open_from: UnixTime,
}

/// Usage of the cycle that holds [`Ctx::at`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// First day of the cycle.
    pub(crate) cycle: Day,
    pub(crate) used: u64,
    pub(crate) settled: u64,
    pub(crate) provisional: u64,
}

/// Used bytes of a piece of an open day, in the source that was chosen for the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) start: UnixTime,
    pub(crate) bytes: u64,
}

/// A recharge as it reaches the account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recharge<'a> {
    pub(crate) order: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) payment: &'a Payment,
    pub(crate) package: &'a PackageSpec,
    pub(crate) mode: Mode,
    pub(crate) standing: Standing,
}

/// Whether the card can be recharged at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    Cancelled,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderOutcome {
    /// In force, or queued.
    Applied,
    /// The same order with the same content was applied before: nothing happens again.
    Repeated,
    /// Why not, for the payer; `recharge.refused` is among the events. Leaves no trace in the account.
    Refused(String),
}

/// Sums over the packages in force at [`Ctx::at`], bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// `None` = unlimited; 0 without any package.
    pub(crate) quota: Option<u64>,
    pub(crate) burnt: u64,
    /// `None` = unlimited.
    pub(crate) remaining: Option<u64>,
    /// Of the cycle: used, but not burnt from any package.
    pub(crate) overage: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Book {}

/// What `GET /v1/cards/{iccid}` shows of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {}

impl Default for Account {
    fn default() -> Self {
        Self { book: None, quiet_until: u64::MAX }
    }
}

impl Account {
    /// Takes an order (`domain.md` P1, P2, P5). Afterwards cut the segments at [`Self::edges`]; reschedule
    /// [`Self::next_due`].
    pub(crate) fn recharge(
        &mut self,
        _ctx: &Ctx<'_>,
        _order: &Recharge<'_>,
        _out: &mut Vec<EventBody>,
    ) -> OrderOutcome {
        OrderOutcome::Refused("no".to_owned())
    }

    /// Replaces the card's own rules; an empty list gives it back to its plan's. New rules that hold at once are armed
    /// only when usage falls below them.
    ///
    /// # Errors
    /// What is wrong with them, readable; the old rules stay.
    pub(crate) fn set_rules(
        &mut self,
        _ctx: &Ctx<'_>,
        _rules: &[Rule],
        _out: &mut Vec<EventBody>,
    ) -> Result<(), String> {
        Ok(())
    }

    /// Looks at everything anew: exhausted packages, alerts (A1 to A5). Call it after every change of usage that is not
    /// [quiet](Self::is_quiet), and when the default rules have changed.
    pub(crate) fn evaluate(&mut self, _ctx: &Ctx<'_>, _out: &mut Vec<EventBody>) {}

    /// Whether [`Self::evaluate`] would do nothing. Exact while, since the last evaluation, segments of the current
    /// cycle only grew and none shrank (no change of the day's source, no new cut): a package and a threshold come
    /// nearer by at most what was added. `used` is the cycle's.
    pub(crate) fn is_quiet(&self, used: u64) -> bool {
        used < self.quiet_until
    }

    /// Makes the next record evaluate, whatever it adds (the default rules have changed).
    pub(crate) fn disturb(&mut self) {
        if self.book.is_some() {
            self.quiet_until = 0;
        }
    }

    /// Makes the burn of the first open day final. `ctx.segments` are this day's only; days close in order.
    pub(crate) fn close_day(&mut self, _ctx: &Ctx<'_>) {}

    /// Starts and ends of packages, where the segments of a day must be cut. Not sorted, may repeat.
    pub(crate) fn edges(&self) -> impl Iterator<Item = UnixTime> + '_ {
        std::iter::empty()
    }

    /// When [`Self::fire`] must be called next: a package ends, a cycle begins.
    pub(crate) fn next_due(&self) -> Option<UnixTime> {
        None
    }

    /// Expires, hands over, starts a cycle: all that is due at `ctx.at`, which is [`Self::next_due`]; then reschedule.
    pub(crate) fn fire(&mut self, _ctx: &Ctx<'_>, _out: &mut Vec<EventBody>) {}

    /// Whether a base package is in force: without one the card is suspended by expiry (S1).
    pub(crate) fn has_base(&self, _at: UnixTime) -> bool {
        false
    }

    /// Whether any package is in force.
    pub(crate) fn has_package(&self, _at: UnixTime) -> bool {
        false
    }

    pub(crate) fn totals(&self, _ctx: &Ctx<'_>) -> Totals {
        Totals::default()
    }

    /// Burnt of one cycle (past ones too, until they are forgotten); its overage is its used less this.
    pub(crate) fn cycle_burnt(&self, _ctx: &Ctx<'_>, _cycle: Day) -> u64 {
        0
    }

    /// Drops what is kept of cycles before this one: they are closed and their rows are flushed.
    pub(crate) fn forget_cycles_before(&mut self, _cycle: Day) {}

    /// As of `ctx.at`. For a query, fire what is due on a copy first.
    pub(crate) fn view(&self, _ctx: &Ctx<'_>) -> AccountView {
        AccountView {}
    }

    /// Heap bytes, roughly.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.book.as_ref().map_or(0, |_| size_of::<Book>())
    }
}

const _: () = assert!(size_of::<Account>() <= 16);
