//! Falls: what explains that a device's counter shows less than before, and what it counted all the same (`docs/rules.md` R2).
//!
//! Uplink and downlink are two registers of one device, and are judged so:
//!
//! - **A wrap is of one register.** Each wraps when it comes to 2^32, which the other need not.
//! - **A restart is of the device.** Both registers begin at zero together, so that one verdict serves both, and it is
//!   reached by their sum: it is at most the eighth part of before. By the sum the greater register decides, where it is
//!   most certain; a small one, that has hardly counted, cannot pass a roll-back for a restart, nor hide a restart because
//!   it soon showed more than before.
//! - **What did not fall has counted its rise**, whatever the other register did. Of a device that rolled back or restarted
//!   this is the least that it can have moved.
//!
//! If each register that fell can have wrapped, they wrapped; else if the sums say so, the device restarted; else it is
//! unexplained (a Quectel counter comes back as it was last saved) and the fallen register counts nothing.
//!
//! Invariant: what is counted is never more than a device can have moved since the reading before, if the verdict is
//! right; and where there is no verdict it is less, never twice.

use super::dates::Volume;
use crate::model::CounterRules;

/// Why a device's counters fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fall {
    Wrapped,
    Restarted,
    Unexplained,
}

/// Two readings of a device's counters, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub before: Volume,
    pub now: Volume,
    /// Between them; more than none.
    pub seconds: i64,
    /// Bits of the counter; 0 = not said.
    pub width: u8,
}

/// One register of a pair.
#[derive(Debug, Clone, Copy)]
struct Register {
    before: u64,
    now: u64,
}

/// Where a counter of 32 bits begins anew.
const WRAP: u64 = 1 << 32;
/// What it must have shown to be near it.
const NEAR_WRAP: u64 = 1 << 31;

impl Pair {
    /// What the device moved between the readings, and why its counters fell, if they did.
    pub(super) fn judge(&self, rules: CounterRules) -> (Volume, Option<Fall>) {
        let (up, down) = self.registers();
        let fell = [up, down].into_iter().filter(Register::fell);
        if fell.clone().next().is_none() {
            return (self.counted(Register::rise), None);
        }
        let limit = self.wrap_limit(rules);
        if limit.is_some_and(|limit| fell.clone().all(|register| register.wraps_within(limit))) {
            (self.counted(Register::beyond_wrap), Some(Fall::Wrapped))
        } else if self.restarted(rules) {
            (self.counted(Register::or_now), Some(Fall::Restarted))
        } else {
            (self.counted(Register::rise), Some(Fall::Unexplained))
        }
    }

    fn registers(&self) -> (Register, Register) {
        let register = |before, now| Register { before, now };
        (register(self.before.up, self.now.up), register(self.before.down, self.now.down))
    }

    fn counted(&self, of: fn(&Register) -> u64) -> Volume {
        let (up, down) = self.registers();
        Volume { up: of(&up), down: of(&down) }
    }

    /// Bytes that the fastest modem can have moved; `None` if the counter is known not to wrap at 2^32.
    fn wrap_limit(&self, rules: CounterRules) -> Option<u128> {
        let bits = u128::from(rules.wrap_mbit_s) * 1_000_000 * u128::try_from(self.seconds).ok()?;
        (self.width != 64).then_some(bits / 8)
    }

    fn restarted(&self, rules: CounterRules) -> bool {
        let sum = |volume: Volume| u128::from(volume.up) + u128::from(volume.down);
        sum(self.now) * u128::from(rules.restart_divisor) <= sum(self.before)
    }
}

impl Register {
    fn fell(&self) -> bool {
        self.now < self.before
    }

    /// Nothing if it fell.
    fn rise(&self) -> u64 {
        self.now.saturating_sub(self.before)
    }

    /// From zero on if it fell.
    fn or_now(&self) -> u64 {
        if self.fell() { self.now } else { self.rise() }
    }

    fn beyond_wrap(&self) -> u64 {
        if self.fell() { WRAP.saturating_sub(self.before).saturating_add(self.now) } else { self.rise() }
    }

    fn wraps_within(&self, limit: u128) -> bool {
        (NEAR_WRAP..WRAP).contains(&self.before) && u128::from(self.beyond_wrap()) <= limit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GB: u64 = 1_000_000_000;

    fn judge(before: (u64, u64), now: (u64, u64), seconds: i64, width: u8) -> (u64, u64, Option<Fall>) {
        let volume = |(up, down)| Volume { up, down };
        let pair = Pair { before: volume(before), now: volume(now), seconds, width };
        let (counted, fall) = pair.judge(CounterRules::default());
        (counted.up, counted.down, fall)
    }

    #[test]
    fn what_rises_counts_its_rise() {
        assert_eq!(judge((10, 20), (15, 20), 60, 0), (5, 0, None));
        assert_eq!(judge((0, 0), (0, 0), 60, 0), (0, 0, None));
    }

    #[test]
    fn a_register_near_2_32_wraps_if_a_modem_can_be_so_fast() {
        // From 4,294,967,000 to 704: 296 and 704 bytes.
        let wrapped = Some(Fall::Wrapped);
        assert_eq!(judge((4_294_967_000, 20), (704, 30), 60, 0), (1_000, 10, wrapped));
        assert_eq!(judge((4_294_967_000, 4_294_967_290), (704, 4), 60, 32), (1_000, 10, wrapped));
        // 150 Mbit/s are 18,750,000 bytes a second: in 60 s 1,125,000,000, from 4,294,967,295 on.
        assert_eq!(judge((WRAP - 1, 0), (1_124_999_999, 0), 60, 0), (1_125_000_000, 0, wrapped));
        assert_eq!(judge((WRAP - 1, 0), (1_125_000_000, 0), 60, 0), (0, 0, Some(Fall::Unexplained)));
        // 2^31 is near enough, one less is not.
        assert_eq!(judge((NEAR_WRAP, 0), (NEAR_WRAP - 1, 0), 3_600, 0), (WRAP - 1, 0, wrapped));
        assert_eq!(judge((NEAR_WRAP - 1, 0), (NEAR_WRAP - 2, 0), 3_600, 0), (0, 0, Some(Fall::Unexplained)));
    }

    #[test]
    fn a_counter_of_64_bits_does_not_wrap_at_2_32_nor_one_that_was_beyond_it() {
        assert_eq!(judge((4 * GB, 0), (10, 0), 3_600, 64), (10, 0, Some(Fall::Restarted)));
        assert_eq!(judge((5 * GB, 0), (10, 0), 3_600, 0), (10, 0, Some(Fall::Restarted)));
    }

    #[test]
    fn a_device_restarts_as_one() {
        let restarted = Some(Fall::Restarted);
        // Exactly an eighth of the sum.
        assert_eq!(judge((6_000, 2_000), (500, 500), 60, 0), (500, 500, restarted));
        assert_eq!(judge((6_000, 2_000), (500, 501), 60, 0), (0, 0, Some(Fall::Unexplained)));
        // The small register alone would say roll-back; the great one knows better.
        assert_eq!(judge((100, 1_000_000), (90, 10), 60, 0), (90, 10, restarted));
        // It has already passed what it was: at least its rise.
        assert_eq!(judge((100, 1_000_000), (500, 10), 60, 0), (400, 10, restarted));
        // The uplink could have wrapped, the downlink cannot: the device restarted.
        assert_eq!(judge((4 * GB, 1_000_000), (100, 10), 3_600, 0), (100, 10, restarted));
    }

    #[test]
    fn a_roll_back_counts_nothing_of_what_fell() {
        let unexplained = Some(Fall::Unexplained);
        // The uplink was saved early, and shows less than an eighth; the sum does not.
        assert_eq!(judge((8_000, 1_000_000), (900, 500_000), 60, 0), (0, 0, unexplained));
        assert_eq!(judge((8_000, 1_000_000), (8_010, 999_000), 60, 0), (10, 0, unexplained));
    }

    proptest! {
        /// Of a pair that is no wrap the count lies between the increases and counting a fall from zero, by direction; and it is
        /// the one or the other throughout.
        #[test]
        fn a_count_lies_between_the_plain_rules(
            before in (0..1u64 << 40, 0..1u64 << 40), now in (0..1u64 << 40, 0..1u64 << 40), seconds in 1..100_000i64,
        ) {
            let (up, down, fall) = judge(before, now, seconds, 0);
            let rise = |was: u64, is: u64| is.saturating_sub(was);
            let zero = |was: u64, is: u64| if is < was { is } else { is - was };
            let lower = (rise(before.0, now.0), rise(before.1, now.1));
            match fall {
                None | Some(Fall::Unexplained) => prop_assert_eq!((up, down), lower),
                Some(Fall::Restarted) => {
                    prop_assert_eq!((up, down), (zero(before.0, now.0), zero(before.1, now.1)));
                }
                Some(Fall::Wrapped) => prop_assert!(up >= lower.0 && down >= lower.1),
            }
            prop_assert_eq!(fall.is_some(), now.0 < before.0 || now.1 < before.1);
        }
    }
}
