//! What happened in a world, as a running hash and, on demand, as lines to read.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The record of a run. Two runs of one seed have the same hash, or the simulation is not deterministic.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    line: String,
    kept: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps its lines.
    #[must_use]
    pub fn with_lines() -> Self {
        Self { kept: Some(Vec::new()), ..Self::default() }
    }

    /// Notes one event.
    pub fn note(&mut self, now_ms: i64, what: fmt::Arguments<'_>) {
        use fmt::Write as _;
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.line, "{}.{:03} {what}", now_ms.div_euclid(1_000), now_ms.rem_euclid(1_000));
        self.hash = xxh3_64_with_seed(self.line.as_bytes(), self.hash);
        if let Some(kept) = &mut self.kept {
            kept.push(self.line.clone());
        }
    }

    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines; empty unless they were kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.kept.as_deref().unwrap_or_default()
    }
}
