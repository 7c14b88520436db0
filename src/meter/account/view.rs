//! What a query sees of an account: packages with their dates, the queue with its expected ones, rules (`docs/rules.md` P7).

use serde::Serialize;

use super::alerts::Stance;
use super::book::Book;
use super::burn::Burn;
use super::package::{Order, Package, Sale, end_of};
use super::{Ctx, Totals};
use crate::model::{Calendar, Mode, PackageKind, RuleKind, UnixTime};

/// What `GET /v1/cards/{iccid}` shows of the account. Amounts in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// Of the packages in force; `None` = unlimited.
    pub quota: Option<u64>,
    pub burnt: u64,
    /// `None` = unlimited.
    pub remaining: Option<u64>,
    /// Of the cycle.
    pub overage: u64,
    /// First start among the base packages in force.
    pub effective_at: Option<UnixTime>,
    /// End of the base chain, queued ones included: the first second without a base.
    pub expires_at: Option<UnixTime>,
    /// In force, in burn order.
    pub packages: Vec<PackageView>,
    /// In the order in which they will start.
    pub queue: Vec<PackageView>,
    pub rules: Vec<RuleView>,
    /// How often the arming was raised.
    pub arming: u32,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageView {
    pub order: String,
    pub kind: PackageKind,
    pub mode: Mode,
    pub priority: u8,
    pub quota: Option<u64>,
    pub burnt: u64,
    pub remaining: Option<u64>,
    /// Of a queued one: expected.
    pub effective_at: Option<UnixTime>,
    /// First second no longer in force; of a queued one: expected.
    pub expires_at: Option<UnixTime>,
}

/// One rule in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleView {
    pub name: String,
    #[serde(flatten)]
    pub kind: RuleKind,
    pub stance: Stance,
    /// An alert of it is told and not resolved.
    pub alerting: bool,
}

/// The account of a card without packages and rules of its own.
pub(super) fn empty(ctx: &Ctx<'_>) -> AccountView {
    let rules = ctx.default_rules.iter().map(RuleView::armed).collect();
    AccountView {
        quota: Some(0),
        remaining: Some(0),
        overage: ctx.usage.used,
        rules,
        ..AccountView::default()
    }
}

pub(super) fn view(book: &Book, ctx: &Ctx<'_>) -> AccountView {
    let burn = book.burn(ctx, ctx.usage.cycle);
    let Totals { quota, burnt, remaining, overage } = book.totals(ctx, &burn);
    let (queue, chain_end) = queue(book, ctx);
    AccountView {
        quota,
        burnt,
        remaining,
        overage,
        effective_at: bases(book, ctx.at).map(|package| package.effective_at).min(),
        expires_at: chain_end,
        packages: book.in_force(ctx.at).map(|(at, package)| in_force(at, package, &burn)).collect(),
        queue,
        rules: rules(book, ctx),
        arming: book.alerts.arming,
    }
}

/// First second without a base package, the queue included; `None` if none is in force.
pub(super) fn chain_end(book: &Book, ctx: &Ctx<'_>) -> Option<UnixTime> {
    bases(book, ctx.at).next()?;
    queue(book, ctx).1
}

fn bases(book: &Book, at: UnixTime) -> impl Iterator<Item = &Package> {
    book.in_force(at).map(|(_, package)| package).filter(|package| package.sale.kind == PackageKind::Base)
}

fn in_force(at: usize, package: &Package, burn: &Burn) -> PackageView {
    let burnt = burn.of(at, package);
    PackageView {
        burnt,
        remaining: package.sale.quota().map(|quota| quota.saturating_sub(burnt)),
        effective_at: Some(package.effective_at),
        expires_at: Some(package.expires_at),
        ..PackageView::of(&package.sale)
    }
}

/// The queue with expected dates, and the end of the base chain: renewals follow when the last base ends, what waits for the
/// cycle starts with it. In one second renewals go first, as they do when it comes.
fn queue(book: &Book, ctx: &Ctx<'_>) -> (Vec<PackageView>, Option<UnixTime>) {
    let mut chain = Chain {
        end: bases(book, ctx.at).map(|package| package.until).max(),
        views: Vec::with_capacity(book.queue.len()),
        calendar: ctx.calendar,
    };
    let of = |mode| book.queue.iter().filter(move |order| order.sale.mode == mode);
    let mut renewals = of(Mode::Renewal).peekable();
    let cycle_ends = book.cycle_ends();
    while let Some(order) =
        renewals.next_if(|_| chain.end.zip(cycle_ends).is_some_and(|(end, cycle)| end <= cycle))
    {
        chain.starts(order, chain.end);
    }
    of(Mode::NextCycle).for_each(|order| chain.starts(order, cycle_ends));
    for order in renewals {
        chain.starts(order, chain.end);
    }
    (chain.views, chain.end)
}

/// Packages that are expected to follow each other.
struct Chain<'a> {
    /// Of the last base.
    end: Option<UnixTime>,
    views: Vec<PackageView>,
    calendar: &'a Calendar,
}

impl Chain<'_> {
    fn starts(&mut self, order: &Order, start: Option<UnixTime>) {
        let expires = start.map(|start| end_of(order.validity, start, self.calendar));
        // Behind a gap it is no part of the chain: the card is without a base in between.
        let follows = self.end.is_none_or(|end| start.is_some_and(|start| start <= end));
        if order.sale.kind == PackageKind::Base && follows {
            self.end = self.end.max(expires);
        }
        let view = PackageView::of(&order.sale);
        self.views.push(PackageView { effective_at: start, expires_at: expires, ..view });
    }
}

fn rules(book: &Book, ctx: &Ctx<'_>) -> Vec<RuleView> {
    if book.alerts.states.is_empty() {
        return ctx.default_rules.iter().map(RuleView::armed).collect();
    }
    let states = book.alerts.states.iter();
    let view = states.map(|state| RuleView {
        name: state.watch.name.clone(),
        kind: state.watch.kind,
        stance: state.stance,
        alerting: state.is_told(),
    });
    view.collect()
}

impl RuleView {
    fn armed(rule: &super::Watch) -> Self {
        Self { name: rule.name.clone(), kind: rule.kind, stance: Stance::Armed, alerting: false }
    }
}

impl PackageView {
    fn of(sale: &Sale) -> Self {
        Self {
            order: sale.order().to_owned(),
            kind: sale.kind,
            mode: sale.mode,
            priority: sale.priority,
            quota: sale.quota(),
            burnt: 0,
            remaining: sale.quota(),
            effective_at: None,
            expires_at: None,
        }
    }
}
