//! How a card's state follows its packages (`docs/rules.md` S1): what comes into force or ends, and what is left.

use super::fold::{Cause, Expected};
use super::life;
use super::line::{By, Line, State, Terms};
use crate::model::CardId;

/// S1: a plan may stop a card when the last of what its packages in force hold is gone, whatever took it; what it was stopped
/// for is over when they hold something again.
pub(super) fn heed_what_is_left(
    card: CardId,
    line: &mut Line,
    (exhausted, again): (bool, &str),
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let had_some = line.holds_some;
    line.holds_some = line.totals(terms, cause.at).remaining != Some(0);
    let stops = terms.catalogue.plans.iter().any(|p| p.name == line.plan && p.suspend_on_exhaustion);
    let ran_out = !line.holds_some && (had_some || exhausted) && line.wallet.has_package(cause.at);
    let to = match line.state {
        State::Active if stops && ran_out => (State::Suspended(By::Exhaustion), "exhaustion"),
        State::Suspended(By::Exhaustion) if line.holds_some && !had_some => (State::Active, again),
        _ => return,
    };
    life::turn(card, line, to, cause, terms, out);
}

/// The card's state follows its packages.
pub(super) fn follow(
    card: CardId,
    line: &mut Line,
    (covered_before, why, exhausted): (bool, &str, bool),
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    line.cut();
    let has_base = line.wallet.has_base(cause.at);
    let stopped = covered_before && !has_base;
    let to = match line.state {
        State::Registered if line.wallet.has_package(cause.at) => Some((State::Active, "package")),
        State::Suspended(By::Expiry) if has_base => Some((State::Active, "recharge")),
        State::Active | State::Suspended(By::Exhaustion) if stopped => {
            Some((State::Suspended(By::Expiry), why))
        }
        _ => None,
    };
    if let Some(to) = to {
        life::turn(card, line, to, cause, terms, out);
    }
    if line.state == State::Suspended(By::Exhaustion) {
        // Packages that come, or a cycle that begins, bring back whoever has something, since when ever.
        line.holds_some = false;
    }
    let again = if cause.command.is_some() { "recharge" } else { "quota" };
    heed_what_is_left(card, line, (exhausted, again), cause, terms, out);
}
