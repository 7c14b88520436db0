//! Ingest's ledger (`docs/rules.md` C1): read = logged + parked + dead letter + unknown, in records and in bytes.
//!
//! [`IngestLedger::note`] is the only way in and takes exactly one outcome, so the sum holds by construction. Bytes are
//! those of the outside message. A parked record is noted twice: as parked under the source it came by, and with what
//! became of it under [`Source::Parked`] when it leaves; those still held are in neither, until they leave.

use super::formats::Notes;

/// Where a record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    Cdr,
    Modem,
    Commands,
    Parked,
    File,
    /// Feeds' own topics. Records are counted here, of which a message may hold many; bytes are those of the records.
    Feed,
    /// Batches pushed by HTTP, counted as feeds' messages are.
    Push,
}

/// How many there are.
const SOURCES: usize = 7;

impl Source {
    pub const ALL: [Self; SOURCES] =
        [Self::Cdr, Self::Modem, Self::Commands, Self::Parked, Self::File, Self::Feed, Self::Push];

    /// The label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cdr => "cdr",
            Self::Modem => "modem",
            Self::Commands => "commands",
            Self::Parked => "parked",
            Self::File => "file",
            Self::Feed => "feed",
            Self::Push => "push",
        }
    }
}

/// What ingest did with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IngestOutcome {
    /// Put into a pack.
    Logged,
    /// Written to `tidegauge.parked`: the directory does not know its card yet.
    Parked,
    /// Written to `usage.dead-letter`: cannot be read.
    DeadLetter,
    /// Written to `usage.quarantine`: nobody named its card in time.
    Unknown,
}

impl IngestOutcome {
    pub const ALL: [Self; 4] = [Self::Logged, Self::Parked, Self::DeadLetter, Self::Unknown];

    /// The label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logged => "logged",
            Self::Parked => "parked",
            Self::DeadLetter => "dead_letter",
            Self::Unknown => "unknown",
        }
    }
}

/// Records and bytes by source and outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IngestLedger {
    records: [[u64; 4]; SOURCES],
    bytes: [[u64; 4]; SOURCES],
    read_records: [u64; SOURCES],
    read_bytes: [u64; SOURCES],
    asides: [u64; SOURCES],
    local_times: Notes,
}

impl IngestLedger {
    /// Notes one record with what became of it.
    pub fn note(&mut self, source: Source, outcome: IngestOutcome, bytes: usize) {
        let (s, o, bytes) = (source as usize, outcome as usize, bytes as u64);
        self.records[s][o] = self.records[s][o].saturating_add(1);
        self.bytes[s][o] = self.bytes[s][o].saturating_add(bytes);
        self.read_records[s] = self.read_records[s].saturating_add(1);
        self.read_bytes[s] = self.read_bytes[s].saturating_add(bytes);
    }

    /// Records of a source with an outcome.
    #[must_use]
    pub fn records(&self, source: Source, outcome: IngestOutcome) -> u64 {
        self.records[source as usize][outcome as usize]
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self, source: Source, outcome: IngestOutcome) -> u64 {
        self.bytes[source as usize][outcome as usize]
    }

    /// All records read of a source.
    #[must_use]
    pub fn read(&self, source: Source) -> u64 {
        self.read_records[source as usize]
    }

    /// Notes something that came among records and is none: an SMS in a feed, a poll that failed. It is not read, in the
    /// sense of the sum, and is counted beside it.
    pub fn aside(&mut self, source: Source) {
        let s = source as usize;
        self.asides[s] = self.asides[s].saturating_add(1);
    }

    /// Adds what was met while reading.
    pub fn met(&mut self, notes: Notes) {
        let all = &mut self.local_times;
        all.twice = all.twice.saturating_add(notes.twice);
        all.skipped = all.skipped.saturating_add(notes.skipped);
    }

    /// Local times of feeds that came twice or did not exist.
    #[must_use]
    pub fn local_times(&self) -> Notes {
        self.local_times
    }

    /// What came of a source among its records and is none.
    #[must_use]
    pub fn asides(&self, source: Source) -> u64 {
        self.asides[source as usize]
    }

    /// All bytes read of a source.
    #[must_use]
    pub fn read_bytes(&self, source: Source) -> u64 {
        self.read_bytes[source as usize]
    }

    /// Adds another ledger, for sums over threads.
    pub fn merge(&mut self, other: &Self) {
        for source in Source::ALL {
            let s = source as usize;
            for o in 0..4 {
                self.records[s][o] = self.records[s][o].saturating_add(other.records[s][o]);
                self.bytes[s][o] = self.bytes[s][o].saturating_add(other.bytes[s][o]);
            }
            self.read_records[s] = self.read_records[s].saturating_add(other.read_records[s]);
            self.read_bytes[s] = self.read_bytes[s].saturating_add(other.read_bytes[s]);
            self.asides[s] = self.asides[s].saturating_add(other.asides[s]);
        }
        self.met(other.local_times);
    }

    /// Whether the outcomes add up to what was read.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        Source::ALL.into_iter().all(|source| {
            let sum = |row: &[u64; 4]| row.iter().fold(0u64, |a, b| a.saturating_add(*b));
            let s = source as usize;
            sum(&self.records[s]) == self.read_records[s] && sum(&self.bytes[s]) == self.read_bytes[s]
        })
    }
}
