//! What `GET /v1/cards/{iccid}` shows of a card: everything, as of log time, timers that are due but not yet fired
//! included.

use serde::Serialize;

use super::account::AccountView;
use super::book;
use super::card::Card;
use super::ctx::Ctx;
use super::cycle::{BySource, Cycle};
use super::dates::{DaySpan, Volume};
use super::index::modem_hash;
use super::life;
use super::rows::{DayRow, MonthRow};
use super::state::{CardState, SuspendedBy};
use crate::model::{CardId, CarrierState, Day, LogOffset, Number, Recipient, UnixTime};

/// A feed, as a partition has heard of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedView {
    pub feed: String,
    /// Log time of its last record.
    pub last: UnixTime,
    /// Log time of the first record after its last gap.
    pub since: UnixTime,
    /// Whether it is not silent for longer than the catalogue lets it.
    pub fresh: bool,
}

/// A card as of log time. Amounts in bytes, times in UTC seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CardView {
    pub card: CardId,
    /// With the check digit, if it was ever said.
    pub iccid: String,
    pub state: CardState,
    pub suspended_by: SuspendedBy,
    /// Since when it is suspended or cancelled.
    pub stopped_at: Option<UnixTime>,
    /// Of a card suspended by expiry: when it will be cancelled.
    pub cancelled_at: Option<UnixTime>,
    /// How the carrier should have set it.
    pub desired: CarrierState,
    /// How the carrier's system has said that it did, and when (log time).
    pub confirmed: Option<CarrierState>,
    pub confirmed_at: Option<UnixTime>,
    /// Whether it was used in the running cycle though it was suspended or cancelled.
    pub used_while_stopped: bool,
    pub carrier: String,
    pub plan: String,
    pub channel: String,
    pub numbers: Vec<Number>,
    /// First and last day of the running cycle.
    pub cycle: Day,
    pub cycle_last: Day,
    pub used: u64,
    pub settled: u64,
    pub provisional: u64,
    /// Whether the carrier is settling these days.
    pub settling: bool,
    /// Of the packages in force; absent = unlimited.
    pub quota: Option<u64>,
    pub burnt: u64,
    pub remaining: Option<u64>,
    pub overage: u64,
    /// For messages about alerts, and who gets them.
    pub credits: u32,
    pub recipients: Vec<Recipient>,
    /// Packages, queue, rules, effective and expiry dates.
    pub account: AccountView,
    /// Cycles that are held: the running one, and past ones that are not closed or may be restated.
    pub months: Vec<MonthRow>,
    pub days: Vec<DayRow>,
    /// Log offset of the last change.
    pub changed_at: LogOffset,
    /// Log offset and log time of the answer.
    pub as_of_offset: LogOffset,
    pub as_of: UnixTime,
}

/// Up and down of the sources as columns.
struct Columns {
    settling: Volume,
    estimate: Volume,
    modem: Volume,
}

pub(super) fn card_view(card: &Card, ctx: &Ctx<'_>) -> CardView {
    let calendar = ctx.calendar();
    let today = calendar.day_of(ctx.now);
    let (start, end) = calendar.cycle_of(today).unwrap_or((today, today.saturating_add(1)));
    let (totals, account) =
        book::read(card, ctx, ctx.now, |account, told| (account.totals(told), account.view(told)));
    let cycle = card.usage.cycle(today);
    let (credits, recipients) = card.purse_shown();
    let mut months: Vec<MonthRow> = months(card, ctx, LogOffset(0)).collect();
    months.sort_by_key(|month| month.cycle);
    CardView {
        card: card.id,
        iccid: card.iccid(),
        state: card.state,
        suspended_by: card.suspended_by,
        stopped_at: life::stopped_at(card),
        cancelled_at: life::to_be_cancelled_at(card, ctx),
        desired: card.state.desired(),
        confirmed: life::confirmed(card).map(|confirmed| confirmed.state),
        confirmed_at: life::confirmed(card).map(|confirmed| confirmed.at),
        used_while_stopped: life::was_used_stopped(card, start),
        carrier: ctx.carrier.name.clone(),
        plan: ctx.names.get(card.plan).to_owned(),
        channel: ctx.names.get(card.channel).to_owned(),
        numbers: card.numbers.current().map(|held| held.number).collect(),
        cycle: start,
        cycle_last: end.saturating_sub(1),
        used: cycle.map_or(0, |cycle| cycle.used),
        settled: cycle.map_or(0, |cycle| cycle.settled),
        provisional: cycle.map_or(0, Cycle::provisional),
        settling: book::is_settling(ctx, today),
        quota: totals.quota,
        burnt: totals.burnt,
        remaining: totals.remaining,
        overage: totals.overage,
        credits,
        recipients,
        account,
        months,
        days: days(card, ctx, LogOffset(0)).collect(),
        changed_at: card.changed_at,
        as_of_offset: ctx.position.offset,
        as_of: ctx.now,
    }
}

/// Rows of the cycles that changed after `since`; 0 = all.
pub(super) fn months<'a>(
    card: &'a Card,
    ctx: &'a Ctx<'a>,
    since: LogOffset,
) -> impl Iterator<Item = MonthRow> + 'a {
    let running = ctx.calendar().day_of(ctx.now);
    let changed = move |at: LogOffset| since == LogOffset(0) || at > since;
    let past = if since == LogOffset(0) { card.past() } else { Vec::new() };
    let past = past.into_iter().map(move |past| month(card, ctx, &past.cycle, past.burnt));
    let cycles = card.usage.cycles().iter();
    // What is left of a package is less in later cycles too, if an older one has burnt more of it.
    let older = move |cycle: &Cycle| {
        let mut before = card.usage.cycles().iter().take_while(|held| held.start < cycle.start);
        !cycle.closed && before.any(|held| changed(held.changed_at))
    };
    // A change of packages shows in the running cycle's row, though no usage has moved.
    let wanted = cycles.filter(move |cycle| {
        let is_running = cycle.start <= running && running < cycle.end;
        changed(cycle.changed_at) || is_running && changed(card.changed_at) || older(cycle)
    });
    past.chain(wanted.map(move |cycle| month(card, ctx, cycle, 0)))
}

/// `packed`: what burnt of it and is no longer the account's business.
fn month(card: &Card, ctx: &Ctx<'_>, cycle: &Cycle, packed: u64) -> MonthRow {
    let Columns { settling, estimate, modem } = columns(card, &cycle.by.all());
    let (burnt, totals) =
        book::read_cycle(card, ctx, cycle, |account, told| account.cycle_burnt_and_totals(told, cycle.start));
    // A restatement may leave less than what was burnt.
    let burnt = burnt.saturating_add(packed).min(cycle.used);
    let (quota, remaining) = match cycle.ended_with.as_deref() {
        Some(ended) if cycle.closed => *ended,
        None if cycle.closed => (Some(0), Some(0)),
        _ => (totals.quota, totals.remaining),
    };
    MonthRow {
        card: card.id,
        cycle: cycle.start,
        cycle_last: cycle.end.saturating_sub(1),
        carrier: ctx.names.shared(card.carrier),
        plan: ctx.names.shared(card.plan),
        channel: ctx.names.shared(card.channel),
        state: card.state,
        confirmed: life::confirmed(card).map(|confirmed| confirmed.state),
        used_while_stopped: life::was_used_stopped(card, cycle.start),
        settling_up: settling.up,
        settling_down: settling.down,
        estimate_up: estimate.up,
        estimate_down: estimate.down,
        modem_up: modem.up,
        modem_down: modem.down,
        used: cycle.used,
        settled: cycle.settled,
        provisional: cycle.provisional(),
        quota,
        burnt,
        remaining: remaining.unwrap_or(0),
        overage: cycle.used.saturating_sub(burnt),
        unsettled_days: cycle.unsettled_days,
        closed: cycle.closed,
        revision: cycle.revision,
        as_of: ctx.now,
    }
}

/// Rows of the days that changed after `since`; 0 = all.
pub(super) fn days<'a>(
    card: &'a Card,
    ctx: &'a Ctx<'a>,
    since: LogOffset,
) -> impl Iterator<Item = DayRow> + 'a {
    let changed =
        move |day: &DaySpan| since == LogOffset(0) || card.usage.day_changed_at(day, card.changed_at) > since;
    card.usage.days(ctx.calendar()).filter(changed).map(move |span| day(card, ctx, &span))
}

fn day(card: &Card, ctx: &Ctx<'_>, span: &DaySpan) -> DayRow {
    let totals = card.usage.day(span);
    let Columns { settling, estimate, modem } = columns(card, &totals.by);
    DayRow {
        card: card.id,
        day: span.day,
        cycle: card.usage.cycle(span.day).map_or(span.day, |cycle| cycle.start),
        carrier: ctx.names.shared(card.carrier),
        settling_up: settling.up,
        settling_down: settling.down,
        estimate_up: estimate.up,
        estimate_down: estimate.down,
        modem_up: modem.up,
        modem_down: modem.down,
        used: totals.used(),
        complete: totals.complete,
        unsettled: totals.unsettled,
        closed: card.usage.is_closed(span.day),
        as_of: ctx.now,
    }
}

fn columns(card: &Card, by: &BySource) -> Columns {
    let [settling, estimates @ ..] = *by;
    let mut columns = Columns { settling, estimate: Volume::default(), modem: Volume::default() };
    for (feed, volume) in card.estimates().into_iter().zip(estimates) {
        if feed == modem_hash() {
            columns.modem = volume;
        } else if volume.total() > columns.estimate.total() {
            columns.estimate = volume;
        }
    }
    columns
}
