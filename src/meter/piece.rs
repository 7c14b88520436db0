//! The smallest total: one source in one piece of a day.
//!
//! Invariant: a change is never taken to be older than it is, however often the stored bits of its offset wrap.

use serde::{Deserialize, Serialize};

use super::dates::Volume;
use crate::limits::DAY_S;
use crate::model::{LogOffset, UnixTime};

/// The total of one source in one piece of a day: 24 bytes, as there are tens of millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// Seconds since two days before 1970, so that a day of any zone fits.
    pub start: u32,
    /// Low bits of the log offset of the last change, whether the day closed unsettled, and the source.
    pub stamp: u32,
    pub volume: Volume,
}

impl Piece {
    /// Two days: no zone is further from UTC.
    pub(super) const BIAS: i64 = 2 * DAY_S;
    pub(super) const SOURCE: u32 = 0b011;
    /// The place after the sources': corrections, with what was added as up and what was taken away as down.
    pub(super) const ADJUSTED: usize = 3;
    pub(super) const UNSETTLED: u32 = 0b100;
    pub(super) const OFFSET_SHIFT: u32 = 3;

    pub(super) fn stored(time: UnixTime) -> u32 {
        u32::try_from(time.saturating_add(Self::BIAS)).unwrap_or(if time < 0 { 0 } else { u32::MAX })
    }

    pub(super) fn start(&self) -> UnixTime {
        i64::from(self.start) - Self::BIAS
    }

    pub(super) fn source(&self) -> usize {
        (self.stamp & Self::SOURCE) as usize
    }

    pub(super) fn touch(&mut self, offset: LogOffset) {
        self.stamp = (offset.0 as u32) << Self::OFFSET_SHIFT | self.stamp & (Self::SOURCE | Self::UNSETTLED);
    }

    /// The offset of the last change, taken to be as late as the stored bits allow: a wrap of them makes a row go out once
    /// more, never once too few.
    pub(super) fn changed_at(&self, card_changed_at: LogOffset) -> LogOffset {
        let behind = (card_changed_at.0 as u32).wrapping_shl(Self::OFFSET_SHIFT) >> Self::OFFSET_SHIFT;
        let behind = behind.wrapping_sub(self.stamp >> Self::OFFSET_SHIFT) & (u32::MAX >> Self::OFFSET_SHIFT);
        LogOffset(card_changed_at.0.saturating_sub(u64::from(behind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_known_exactly_until_its_bits_wrap_and_then_taken_as_later() {
        let mut piece = Piece { start: 0, stamp: 1, volume: Volume::default() };
        let wrap = 1u64 << 29;
        for (changed, card, taken) in [
            (7, 7, 7),
            (7, 1_000, 7),
            (wrap - 1, wrap + 5, wrap - 1),
            (5 * wrap + 3, 5 * wrap + 9, 5 * wrap + 3),
            (7, wrap + 7, wrap + 7),
            (7, wrap + 8, wrap + 7),
        ] {
            piece.touch(LogOffset(changed));
            assert_eq!(piece.changed_at(LogOffset(card)), LogOffset(taken), "{changed} {card}");
            assert_eq!(piece.source(), 1);
        }
    }

    #[test]
    fn times_from_1970_to_2106_are_kept() {
        for time in [-2 * DAY_S, 0, 1_767_225_600, 4_294_000_000] {
            let piece = Piece { start: Piece::stored(time), stamp: 0, volume: Volume::default() };
            assert_eq!(piece.start(), time);
        }
    }
}
