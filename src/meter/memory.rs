//! Where the memory of the state goes, by what it holds: bytes asked for, without what the allocator adds to each piece.
//!
//! Invariant: every byte is in exactly one part, so that [`Memory::total`] is what a metric may show.

use std::ops::AddAssign;

/// Bytes by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Lines of cards, spare ones too.
    pub lines: usize,
    /// The index from card to line, and the timers.
    pub index: usize,
    /// Ids of records of the open days.
    pub ids: usize,
    /// Totals of days.
    pub days: usize,
    /// Totals of cycles.
    pub cycles: usize,
    /// Packages, queued ones too, and what a card with packages has beside them.
    pub packages: usize,
    /// Rules, and what was told of them.
    pub rules: usize,
    /// Ids of commands and orders.
    pub orders: usize,
    /// Numbers, counters of devices, credits, recipients, and the rest that few cards have.
    pub rest: usize,
}

impl Memory {
    /// Each part with its name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, usize); 9] {
        [
            ("lines", self.lines),
            ("index", self.index),
            ("ids", self.ids),
            ("days", self.days),
            ("cycles", self.cycles),
            ("packages", self.packages),
            ("rules", self.rules),
            ("orders", self.orders),
            ("rest", self.rest),
        ]
    }

    #[must_use]
    pub fn total(&self) -> usize {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }
}

impl AddAssign for Memory {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.index += other.index;
        self.ids += other.ids;
        self.days += other.days;
        self.cycles += other.cycles;
        self.packages += other.packages;
        self.rules += other.rules;
        self.orders += other.orders;
        self.rest += other.rest;
    }
}
