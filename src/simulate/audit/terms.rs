//! What an order and a rule mean: which orders are right, when a validity ends, when a rule is reached.

use super::wallet::{Order, Scene, Totals};
use super::zone::Zone;
use crate::model::{
    AlertData, Day, Mode, Occasion, OpenedPackage, PackageData, PackageSpec, Rule, RuleKind, UnixTime,
    Validity,
};

/// Whether an order is right (`docs/rules.md` P5).
pub(super) fn admit(scene: &Scene<'_>, order: &Order) -> Result<(), String> {
    let (count, in_cycles) = match order.spec.validity {
        Validity::Days(n) => (n, false),
        Validity::Months(n) | Validity::Cycles(n) => (n, true),
    };
    let no = |why: &str| Err(why.to_owned());
    if !scene.own_channels.contains(&order.channel) {
        return no("foreign channel");
    }
    if order.spec.quota.is_some_and(|quota| quota == 0 || quota > 1 << 48) {
        return no("quota");
    }
    if count == 0
        || count > if in_cycles { 120 } else { 3_653 }
        || in_cycles && scene.zone.cycles_later(scene.now, usize::from(count)).is_none()
    {
        return no("validity");
    }
    Ok(())
}

/// At most 32 packages wait, and 16 are in force, those that wait for the next cycle among these.
pub(super) fn has_room(
    mode: Mode,
    has_base: bool,
    in_force: usize,
    queue: impl ExactSizeIterator<Item = Mode>,
) -> Result<(), String> {
    let queued = queue.len();
    let waiting = queue.filter(|held| *held == Mode::NextCycle).count();
    let begins = match mode {
        Mode::Renewal if has_base => 0,
        Mode::Immediate | Mode::Renewal => in_force,
        Mode::NextCycle => in_force + waiting,
    };
    let full = begins >= 16 || mode != Mode::Immediate && queued >= 32;
    if full { Err("full".to_owned()) } else { Ok(()) }
}

/// Whether a rule is reached; `None`: it has nothing to speak of.
pub(super) fn reached(kind: RuleKind, totals: &Totals) -> Option<bool> {
    let (quota, remaining) = (totals.quota.filter(|q| *q > 0)?, totals.remaining?);
    let (quota_, burnt_, remaining_) =
        (i128::from(quota), i128::from(quota - remaining), i128::from(remaining));
    match kind {
        RuleKind::BurntPercent(percent) => Some(burnt_ * 100 >= quota_ * i128::from(percent)),
        RuleKind::RemainingPercent(percent) => Some(remaining_ * 100 <= quota_ * i128::from(percent)),
        RuleKind::RemainingBytes(bytes) => (bytes < quota).then_some(remaining <= bytes),
        RuleKind::Exhausted(_) => Some(remaining == 0),
        _ => None,
    }
}

/// When nothing will be left if today and the three days before go on: bytes by seconds since the first of them that
/// was used.
fn forecast(scene: &Scene<'_>, totals: &Totals) -> Option<UnixTime> {
    let remaining = totals.remaining.filter(|_| totals.quota != Some(0))?;
    let today = scene.zone.day(scene.at);
    let days: Vec<_> = scene.open_days().filter(|(day, used)| *day >= today - 3 && *used > 0).collect();
    let seconds = i128::from(scene.at - scene.zone.start(days.first()?.0));
    let bytes: i128 = days.iter().map(|(_, used)| i128::from(*used)).sum();
    let left = i128::from(remaining) * seconds / bytes;
    (seconds > 0 && left <= 400 * 86_400).then(|| scene.at + left as i64)
}

pub(super) fn alert(
    rule: &Rule,
    arming: u32,
    scene: &Scene<'_>,
    totals: &Totals,
    occasion: Occasion,
) -> AlertData {
    AlertData {
        rule: rule.name.clone(),
        kind: rule.kind,
        arming,
        used: scene.used,
        settled: scene.settled,
        provisional: scene.used - scene.settled,
        quota: totals.quota,
        burnt: totals.burnt,
        remaining: totals.remaining,
        overage: totals.overage,
        settling: scene.settling,
        cycle: scene.cycle,
        forecast: forecast(scene, totals),
        late: false,
        occasion,
        delivery: None,
    }
}

pub(super) fn data(order: &Order, burnt: u64, span: Option<(UnixTime, UnixTime)>) -> PackageData {
    PackageData {
        order: order.id.clone(),
        payment: order.payment.clone(),
        kind: order.spec.kind,
        mode: order.mode,
        quota: order.spec.quota,
        burnt,
        effective_at: span.map(|(from, _)| from),
        expires_at: span.map(|(_, to)| to),
        cycle: None,
    }
}

/// A package that its card brought along.
pub(super) fn brought(package: &OpenedPackage) -> PackageData {
    let span = Some((package.effective_at, package.expires_at));
    data(&order_of(package), package.burnt, span)
}

/// The order of such a package, whose validity nobody knows any more.
pub(super) fn order_of(package: &OpenedPackage) -> Order {
    Order {
        id: package.order.clone(),
        channel: package.channel.clone(),
        payment: package.payment.clone(),
        spec: PackageSpec {
            kind: package.kind,
            quota: package.quota,
            validity: Validity::Days(0),
            per: package.per,
            priority: package.priority,
            pays_overage: false,
        },
        mode: Mode::Immediate,
    }
}

/// The end of a package that begins at once: an immediate one paid within the last 24 h counts from its payment, unless
/// it would be over already.
pub(super) fn first_end(order: &Order, scene: &Scene<'_>) -> UnixTime {
    let paid = order.payment.paid_at;
    let from_payment = end(order.spec.validity, paid, scene.zone);
    let recent = paid <= scene.now && scene.now - paid <= 86_400;
    if order.mode == Mode::Immediate && recent && from_payment > scene.now {
        return from_payment;
    }
    end(order.spec.validity, scene.now, scene.zone)
}

/// First second after a validity that counts from a second.
pub(super) fn end(validity: Validity, from: UnixTime, zone: &Zone) -> UnixTime {
    match validity {
        Validity::Months(n) | Validity::Cycles(n) => {
            zone.cycles_later(from, usize::from(n)).map_or(UnixTime::MAX, |day| zone.start(day))
        }
        Validity::Days(n) => {
            let (day, last) = (zone.day(from), zone.day(from) + Day::from(n));
            // The same wall-clock time; on a shorter day at most its end.
            (zone.start(last) + (from - zone.start(day))).min(zone.end(last))
        }
    }
}
