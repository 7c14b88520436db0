//! Cards that come in mid-life: what they brought along stands beside everything that was metered here.

use std::collections::BTreeMap;

use super::credits::Credits;
use super::fold::{Cause, Expected};
use super::life;
use super::line::{Line, State, Terms};
use super::obey::{emit, say};
use super::terms::order_of;
use super::wallet::{LIFE_S, Package, Scene, Wallet};
use super::watch::Why;
use super::zone::Zone;
use crate::model::{
    CardCommand, CardId, Catalogue, Day, EventBody, OpenedPackage, OpenedState, Opening, PackageKind, Per,
    Register, Stopped, UnixTime,
};

/// What a card has brought along, in the cycle in which it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) cycle: Day,
    pub(super) used: u64,
    pub(super) overage: u64,
    /// Paid by packages that had ended by then.
    pub(super) paid_by_ended: u64,
}

/// What is brought along, if there is nothing wrong with it.
pub(super) fn judge(
    register: &Register,
    opening: &Opening,
    (catalogue, zone): (&Catalogue, &Zone),
    (said_at, now): (UnixTime, UnixTime),
) -> Option<Brought> {
    let (cycle, _) = zone.cycle(zone.day(now))?;
    let began = zone.start(cycle);
    let all_right = opening.packages.iter().all(|package| is_right(package, register, catalogue, now, began));
    let twice = |at: usize| opening.packages[..at].iter().any(|p| p.order == opening.packages[at].order);
    let counts = opening.packages.len() <= 16 && opening.credits <= 1_000_000 && opening.used <= 1 << 48;
    if zone.cycle_at(said_at) != cycle
        || !all_right
        || !counts
        || (0..opening.packages.len()).any(twice)
        || !may_stand(opening, zone, now)
    {
        return None;
    }
    let paid: u64 = opening.packages.iter().map(|package| parts(package, began).0).sum();
    let overage = opening.overage.unwrap_or(opening.used.saturating_sub(paid));
    let paid_by_ended = opening.used.checked_sub(paid.checked_add(overage)?)?;
    Some(Brought { cycle, used: opening.used, overage, paid_by_ended })
}

/// Whether a card that is not known may come with what it brings along, if anything.
pub(super) fn may_come(
    command: &CardCommand,
    register: &Register,
    catalogue: &Catalogue,
    zones: &BTreeMap<String, Zone>,
    now: UnixTime,
) -> bool {
    register.opening.as_ref().is_none_or(|opening| {
        let zone = zones.get(&register.carrier);
        zone.is_some_and(|zone| judge(register, opening, (catalogue, zone), (command.at, now)).is_some())
    })
}

/// Burnt of a package in the cycle that began then, and before it.
pub(super) fn parts(package: &OpenedPackage, began: UnixTime) -> (u64, u64) {
    if package.per == Per::Cycle || package.effective_at >= began {
        return (package.burnt, 0);
    }
    let now = package.burnt_in_cycle.unwrap_or(0);
    (now, package.burnt.saturating_sub(now))
}

fn is_right(
    package: &OpenedPackage,
    register: &Register,
    catalogue: &Catalogue,
    now: UnixTime,
    began: UnixTime,
) -> bool {
    let channel = if package.channel.is_empty() { &register.channel } else { &package.channel };
    let whole = package.per == Per::Cycle || package.effective_at >= began;
    let ten_years = 3_654 * 86_400;
    catalogue.own_channels.contains(channel)
        && package.quota.is_none_or(|quota| quota > 0 && quota <= 1 << 48)
        && package.burnt <= package.quota.unwrap_or(1 << 48)
        && match package.burnt_in_cycle {
            Some(part) => part <= package.burnt && (!whole || part == package.burnt),
            None => whole,
        }
        && (now - ten_years..=now).contains(&package.effective_at)
        && package.expires_at > now
        && package.expires_at <= now + ten_years
}

fn may_stand(opening: &Opening, zone: &Zone, now: UnixTime) -> bool {
    let OpenedState::Suspended { by, since } = opening.state else { return true };
    let since = since.unwrap_or(now);
    let lately = since <= now && since >= now - 3_653 * 86_400;
    let has_base = opening.packages.iter().any(|package| package.kind == PackageKind::Base);
    lately && (by != Stopped::Expiry || !has_base && life::ends(zone, since) > now)
}

/// Whether nothing has happened to a card that what it brings must come before.
pub(super) fn is_fresh(line: &Line, opening: &Opening, now: UnixTime) -> bool {
    let recent = |at: UnixTime| at >= now - LIFE_S;
    let wallet = &line.wallet;
    let ordered = wallet.orders.iter().any(|(_, at)| recent(*at)) || wallet.voids.iter().any(|v| recent(v.2));
    line.state == State::Registered
        && line.days().is_empty()
        && line.closed_through == Day::MIN
        && wallet.queue.is_empty()
        && !ordered
        && u64::from(Credits::balance(&line.credits)) + u64::from(opening.credits) <= 1_000_000
}

/// The card is what it was elsewhere.
pub(super) fn open(
    card: CardId,
    line: &mut Line,
    (opening, brought): (&Opening, Brought),
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    (line.brought, line.wallet.brought) = (Some(brought), Some(brought));
    line.know_cycle(terms.zone, brought.cycle);
    line.closed_through = brought.cycle - 1;
    line.credits.bring(opening.credits);
    let body = EventBody::CardOpened {
        cycle: brought.cycle,
        used: brought.used,
        overage: brought.overage,
        credits: opening.credits,
        packages: opening.packages.iter().map(super::terms::brought).collect(),
    };
    emit(card, line, cause, terms, body, out);
    life::open(card, line, opening.state, cause, terms, out);
    let watched = super::fold::watches(line, terms) || line.wallet.begun;
    if watched || brought.used > brought.overage || !opening.packages.is_empty() {
        let mut said = Vec::new();
        line.with_wallet(terms, cause.at, |wallet, scene| {
            wallet.open(scene, (opening, brought), &mut said);
        });
        say(card, line, said, cause, terms, out);
        line.holds_some = line.totals(terms, cause.at).remaining != Some(0);
        line.cut();
    }
}

impl Wallet {
    /// Packages that the card brings along.
    fn open(&mut self, scene: &Scene<'_>, (opening, brought): (&Opening, Brought), out: &mut Vec<EventBody>) {
        self.begun = true;
        let began = scene.zone.start(brought.cycle);
        for package in &opening.packages {
            self.taken += 1;
            let full = package.quota == Some(package.burnt);
            let (from, to) = (package.effective_at, package.expires_at);
            self.opened.push((package.order.clone(), scene.now));
            self.packages.push(Package {
                order: order_of(package),
                seq: self.taken,
                from,
                to,
                until: to,
                final_before: UnixTime::MIN,
                void: None,
                expired: false,
                exhausted: if full { vec![brought.cycle] } else { vec![] },
                brought: Some(parts(package, began)),
            });
        }
        self.note_edge(scene);
        self.look(scene, Why::Raise, out);
    }
}
