//! How near a card is to a rule, and what an alert says of it (`docs/rules.md` A1, A2, A5, A7).
//!
//! Invariant: everything is measured as of `Ctx::at` and from what the account is told, so that an alert that is late to
//! be looked at says what it would have said in time.

use super::rules::Watch;
use super::{Ctx, Totals, Usage};
use crate::limits::{DAY_S, FORECAST_DAYS, FORECAST_S_MAX};
use crate::model::{AlertData, Day, Occasion, RuleKind, UnixTime};

/// What rules are measured by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level<'a> {
    pub(super) ctx: &'a Ctx<'a>,
    pub(super) totals: &'a Totals,
    /// First second without a base package; `None` without any, or if no rule asks.
    pub(super) chain_ends: Option<UnixTime>,
    /// The card's last record; `None` = it never had one, or no rule asks.
    pub(super) heard: Option<LastHeard>,
}

/// When a card was last heard of, and by which feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct LastHeard {
    /// Log time.
    pub(super) at: UnixTime,
    /// 0 = not known: then its settling feed.
    pub(super) feed: u64,
}

/// Where a card stands to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing that the rule could speak of.
    Skips,
    /// Not reached; it takes at least so many bytes more.
    Below {
        room: u64,
    },
    Reached,
}

/// A day or a cycle, with what it has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    /// The day, or the cycle's first.
    pub(super) day: Day,
    pub(super) bytes: u64,
}

/// The remaining bytes at which a rule is reached; `None` if it skips what is in force, or speaks of something else.
pub(super) fn threshold(kind: RuleKind, totals: &Totals) -> Option<u64> {
    let quota = totals.quota.filter(|quota| *quota > 0)?;
    match kind {
        RuleKind::BurntPercent(percent) => {
            // burnt·100 ≥ P·quota  ⇔  burnt ≥ ⌈P·quota / 100⌉
            let burnt = (u128::from(percent) * u128::from(quota)).div_ceil(100);
            Some(quota.saturating_sub(u64::try_from(burnt).unwrap_or(u64::MAX)))
        }
        RuleKind::RemainingPercent(percent) => {
            let remaining = u128::from(percent) * u128::from(quota) / 100;
            Some(u64::try_from(remaining).unwrap_or(u64::MAX))
        }
        RuleKind::RemainingBytes(bytes) => (bytes < quota).then_some(bytes),
        RuleKind::Exhausted(_) => Some(0),
        _ => None,
    }
}

impl<'a> Level<'a> {
    /// Where the card stands to a rule, of the running cycle; to one of days as its [occasions](Self::occasions) say.
    pub(super) fn reach(&self, kind: RuleKind) -> Reach {
        const BY_TIME: Reach = Reach::Below { room: u64::MAX };
        let timed = |due: Option<UnixTime>| match due {
            None => Reach::Skips,
            Some(due) if due <= self.ctx.at => Reach::Reached,
            Some(_) => BY_TIME,
        };
        match kind {
            RuleKind::ExpiresDays(days) => timed(self.warns_at(days)),
            RuleKind::NoDataHours(hours) => match self.silence(hours) {
                Silence::Unknown => Reach::Skips,
                Silence::Until(_) => BY_TIME,
                Silence::Over => Reach::Reached,
            },
            RuleKind::UsedBytes(bytes) => below(bytes, self.ctx.usage.used),
            _ => match (threshold(kind, self.totals), self.totals.remaining) {
                (Some(at), Some(remaining)) => below(remaining, at),
                _ => Reach::Skips,
            },
        }
    }

    /// The days or cycles that a rule speaks of one by one: those that may still change.
    pub(super) fn occasions(&self, kind: RuleKind) -> Vec<Used> {
        match kind {
            RuleKind::UsedDayBytes(_) => self.days().collect(),
            RuleKind::UsedBytes(_) => {
                let running = Used { day: self.ctx.usage.cycle, bytes: self.ctx.usage.used };
                let past = self.ctx.past.iter().map(|past| Used { day: past.cycle, bytes: past.used });
                past.chain([running]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The occasion that holds this moment.
    pub(super) fn current(&self, kind: RuleKind) -> Day {
        match kind {
            RuleKind::UsedDayBytes(_) => self.ctx.calendar.day_of(self.ctx.at),
            _ => self.ctx.usage.cycle,
        }
    }

    /// Used bytes of the open days, in order.
    fn days(&self) -> impl Iterator<Item = Used> + 'a {
        let ctx = self.ctx;
        ctx.segments.chunk_by(|a, b| ctx.calendar.day_of(a.start) == ctx.calendar.day_of(b.start)).filter_map(
            |segments| {
                let day = ctx.calendar.day_of(segments.first()?.start);
                Some(Used { day, bytes: segments.iter().fold(0, |sum, s| sum.saturating_add(s.bytes)) })
            },
        )
    }

    /// When the end of the base chain is so many days away: at the same time of the day.
    pub(super) fn warns_at(&self, days: u16) -> Option<UnixTime> {
        let (end, calendar) = (self.chain_ends?, self.ctx.calendar);
        let day = calendar.day_of(end);
        let first = day.saturating_sub(Day::from(days));
        let since_midnight = end.saturating_sub(calendar.day_start(day));
        Some(calendar.day_start(first).saturating_add(since_midnight).min(calendar.day_end(first)))
    }

    /// How long a card has been silent while its feed was not: a silence counts from the card's last record, from when
    /// its feed came back, or from when the card was resumed, and ends nowhere while the feed is away (A6).
    pub(super) fn silence(&self, hours: u16) -> Silence {
        let Some(last) = self.heard else { return Silence::Unknown };
        let wait = i64::from(hours).saturating_mul(3_600);
        let feed = if last.feed == 0 { self.ctx.settling_feed } else { last.feed };
        let at = self.ctx.at;
        // Who is away by log time will have been back for as long as the rule says after that at the earliest: not one look
        // for each time the wait goes into years of absence.
        let earliest = self.ctx.now.max(at).saturating_add(wait);
        let Some(feed) = self.ctx.feeds.get(feed) else { return Silence::Until(earliest) };
        let due = last.at.max(feed.since).max(self.ctx.resumed_at).saturating_add(wait);
        if due > at {
            Silence::Until(due)
        } else if feed.is_fresh(at) {
            Silence::Over
        } else {
            Silence::Until(earliest)
        }
    }

    /// When time alone may make a rule reached; `None`: never, as things are.
    pub(super) fn due(&self, kind: RuleKind) -> Option<UnixTime> {
        match kind {
            RuleKind::ExpiresDays(days) => self.warns_at(days).filter(|due| *due > self.ctx.at),
            RuleKind::NoDataHours(hours) => match self.silence(hours) {
                Silence::Until(due) => Some(due),
                Silence::Over | Silence::Unknown => None,
            },
            _ => None,
        }
    }

    /// Most severe first: what is left of the packages, then used bytes, then what time brings; the worse first.
    pub(super) fn by_severity(&self, mut alerts: Vec<AlertData>) -> impl Iterator<Item = AlertData> + use<> {
        let totals = self.totals;
        let severity = |kind| match kind {
            RuleKind::UsedBytes(bytes) => (1, u64::MAX.saturating_sub(bytes)),
            RuleKind::UsedDayBytes(bytes) => (2, u64::MAX.saturating_sub(bytes)),
            RuleKind::ExpiresDays(days) => (3, u64::from(days)),
            RuleKind::NoDataHours(hours) => (4, u64::MAX.saturating_sub(u64::from(hours))),
            remaining => (0, threshold(remaining, totals).unwrap_or(u64::MAX)),
        };
        alerts.sort_by(|a, b| {
            let of = |alert: &AlertData| (severity(alert.kind), alert.occasion.day);
            of(a).cmp(&of(b)).then_with(|| a.rule.cmp(&b.rule))
        });
        alerts.into_iter()
    }

    /// What is said of the running cycle.
    pub(super) fn data(&self, watch: &Watch, arming: u32, occasion: Occasion) -> AlertData {
        let usage = self.ctx.usage;
        AlertData {
            rule: watch.name.clone(),
            kind: watch.kind,
            arming,
            used: usage.used,
            settled: usage.settled,
            provisional: usage.provisional,
            quota: self.totals.quota,
            burnt: self.totals.burnt,
            remaining: self.totals.remaining,
            overage: self.totals.overage,
            settling: self.ctx.settling,
            cycle: usage.cycle,
            forecast: self.forecast(),
            late: false,
            occasion,
            delivery: None,
        }
    }

    /// What is said of a day or a cycle that is used up to a rule's figure, which may be over.
    pub(super) fn data_of(&self, watch: &Watch, arming: u32, used: Used) -> AlertData {
        let is_day = matches!(watch.kind, RuleKind::UsedDayBytes(_));
        let occasion = if is_day {
            Occasion { day: Some(used.day), day_used: Some(used.bytes), ..Occasion::default() }
        } else {
            Occasion::default()
        };
        let data = self.data(watch, arming, occasion);
        if used.day >= self.ctx.usage.cycle {
            return data;
        }
        let past = self.ctx.past.iter().rev().find(|past| past.cycle <= used.day);
        let Usage { cycle, used, settled, provisional } = past.copied().unwrap_or(self.ctx.usage);
        AlertData { used, settled, provisional, cycle, late: true, forecast: None, overage: 0, ..data }
    }

    /// When the packages in force will be exhausted if the days go on like today and the three before. Floors of whole
    /// bytes and seconds: `remaining · seconds / bytes`.
    fn forecast(&self) -> Option<UnixTime> {
        let (ctx, remaining) = (self.ctx, self.totals.remaining.filter(|_| self.totals.quota != Some(0))?);
        let first = ctx.calendar.day_of(ctx.at).saturating_sub(FORECAST_DAYS);
        let days: Vec<Used> = self.days().filter(|used| used.day >= first && used.bytes > 0).collect();
        let began = ctx.calendar.day_start(days.first()?.day);
        let seconds = u128::try_from(ctx.at.saturating_sub(began)).ok().filter(|seconds| *seconds > 0)?;
        let bytes: u128 = days.iter().map(|used| u128::from(used.bytes)).sum();
        let left = u128::from(remaining).saturating_mul(seconds).checked_div(bytes)?;
        let left = i64::try_from(left).ok().filter(|left| *left <= FORECAST_S_MAX)?;
        Some(ctx.at.saturating_add(left))
    }
}

/// What a silent card may be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// It has not been heard of.
    Unknown,
    /// Not before this second.
    Until(UnixTime),
    /// It has been silent for as long as the rule says.
    Over,
}

fn below(limit: u64, used: u64) -> Reach {
    match limit.checked_sub(used) {
        None | Some(0) => Reach::Reached,
        Some(room) => Reach::Below { room },
    }
}

const _: () = assert!(FORECAST_DAYS as i64 * DAY_S < FORECAST_S_MAX);
