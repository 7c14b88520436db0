//! Usage that is taken back: a carrier's total is another than what the card has by it (`docs/rules.md` R3).
//!
//! Invariant: the sums of the cycle follow each piece at once, and only what is there is taken.

use super::Usage;
use crate::meter::cycle::Source;
use crate::meter::dates::{DaySpan, Span, Volume};
use crate::model::{Calendar, LogOffset};

impl Usage {
    /// Empties what a source has of a day.
    pub(in crate::meter) fn clear(&mut self, day: &DaySpan, source: Source, offset: LogOffset) {
        for place in self.range_of(day) {
            let of_source = self.pieces.get(place).filter(|piece| piece.source() == source as usize);
            if let Some(volume) = of_source.map(|piece| piece.volume) {
                self.take(place, day, volume, offset);
            }
        }
    }

    /// Takes a volume from the newest pieces that a source has within a span; answers how much of it there was.
    pub(in crate::meter) fn take_newest(
        &mut self,
        calendar: &Calendar,
        within: Span,
        source: Source,
        volume: Volume,
        offset: LogOffset,
    ) -> Volume {
        let mut rest = volume;
        for place in (0..self.pieces.len()).rev() {
            let Some(piece) = self.pieces.get(place) else { break };
            let start = piece.start();
            if piece.source() == source as usize && within.start <= start && start < within.end {
                let part = piece.volume.least(rest);
                self.take(place, &DaySpan::of(calendar, start), part, offset);
                rest = rest.minus(part);
            }
        }
        volume.minus(rest)
    }

    /// Takes a volume from a piece of a day, which holds it.
    fn take(&mut self, place: usize, day: &DaySpan, volume: Volume, offset: LogOffset) {
        if volume == Volume::default() {
            return;
        }
        let before = self.day(day);
        let Some(piece) = self.pieces.get_mut(place) else { return };
        let source = piece.source();
        piece.volume = piece.volume.minus(volume);
        piece.touch(offset);
        let after = self.day(day);
        self.held = self.held.saturating_sub(volume.total());
        let cycle = self.cycle_mut(day.day);
        if let Some(source) = Source::ALL.get(source) {
            cycle.by.take(*source, volume);
        }
        cycle.replace(&before, &after, offset);
    }
}
