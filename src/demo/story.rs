//! The card that the demo follows: it burns through 50 % and 80 % of its package, buys another one, and the alerts are
//! resolved. Then the next card tells the same story.

use super::fleet::Fleet;
use crate::log::Output;

/// Quota of the story's packages.
pub(super) const PACKAGE_BYTES: u64 = 500 << 20;
/// Days that they last: shorter than the time until a card's next turn in the smallest fleet.
pub(super) const PACKAGE_DAYS: u16 = 2;
/// Usage a step: 2 % of the package.
const BYTES_PER_STEP: u64 = PACKAGE_BYTES / 50;
/// Steps in which the card is used: 90 % of its package.
const LAST_BURN: u64 = 45;
/// The step of the recharge.
const RECHARGE_AT: u64 = 50;
/// Steps of one story, with a pause after it.
const LENGTH: u64 = 70;
/// Cards that tell it, in turn; every fleet has as many.
pub(super) const HEROES: u32 = 100;

/// Whether a card's usage is the story's alone.
pub(super) fn is_hero(card: u32) -> bool {
    card < HEROES
}

/// The card whose story is being told.
#[must_use]
pub fn hero(step: u64) -> u32 {
    u32::try_from(step / LENGTH % u64::from(HEROES)).unwrap_or(0)
}

/// What the hero does in this step: buys, is used, buys again.
pub(super) fn step(fleet: &Fleet, step: u64) -> Option<Output> {
    let card = hero(step);
    let order =
        |what: &str| fleet.recharge(step, card, &format!("{what}-{step}"), (PACKAGE_BYTES, PACKAGE_DAYS));
    match step % LENGTH {
        0 => Some(order("first")),
        1..=LAST_BURN => Some(fleet.cdr(step, card, 1, BYTES_PER_STEP)),
        RECHARGE_AT => Some(order("second")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DAY_S;

    #[test]
    fn a_package_has_expired_when_the_card_has_its_turn_again() {
        let turn_s = i64::from(HEROES) * LENGTH as i64 * super::super::fleet::STEP_S;
        assert!(turn_s > i64::from(PACKAGE_DAYS) * DAY_S);
    }
}
