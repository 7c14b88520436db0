//! The seeded source of every choice in the simulation (SplitMix64): same seed, same choices, on any machine.

/// A generator whose whole state is one word.
#[derive(Debug, Clone)]
pub struct Rng(u64);

/// How likely something is, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chance(pub u32);

impl Chance {
    /// It does not happen.
    pub const NEVER: Self = Self(0);

    /// `n` in a thousand.
    #[must_use]
    pub const fn per_mille(n: u32) -> Self {
        Self(n * 1_000)
    }
}

impl Rng {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Self(seed ^ 0x7469_6465_6761_7567);
        rng.word();
        rng
    }

    /// A generator of its own for a part of the world, so that one part's choices do not move another's.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.word())
    }

    /// 64 random bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// Uniform in `0..bound`; 0 if the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0) as u64 + 1) as i64
    }

    /// Whether something of this likelihood happens now.
    pub fn happens(&mut self, chance: Chance) -> bool {
        chance.0 > 0 && self.below(1_000_000) < u64::from(chance.0)
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.word() & 1 == 1
    }

    /// One of several; `None` of an empty slice.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len() as u64) as usize)
    }

    /// Any order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_choices_and_another_gives_others() {
        let draw = |seed| (0..8).scan(Rng::new(seed), |rng, _| Some(rng.word())).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_chance_happens_about_as_often_as_it_says() {
        let mut rng = Rng::new(1);
        let hits = (0..100_000).filter(|_| rng.happens(Chance::per_mille(20))).count();
        assert!((1_800..2_200).contains(&hits), "{hits}");
        assert!(!(0..1_000).any(|_| rng.happens(Chance::NEVER)));
    }
}
