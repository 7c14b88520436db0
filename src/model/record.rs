//! Canonical records: what ingest appends to the log and the meter folds. They borrow from the pack they stand in.

use super::{CardId, Origin, UnixTime};

/// One record of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Record<'a> {
    Cdr(Cdr<'a>),
    Reading(Reading<'a>),
    /// A command of one card: canonical JSON of [`super::CardCommand`], checked by ingest. Repeated in the log as often
    /// as it was sent.
    Command {
        card: CardId,
        json: &'a [u8],
        origin: Origin<'a>,
    },
    /// A command without a card, appended to every partition: canonical JSON of [`super::Broadcast`].
    Broadcast {
        json: &'a [u8],
        origin: Origin<'a>,
    },
    /// Canonical JSON of a compiled [`super::Catalogue`], appended to every partition by `catalogue apply`.
    Catalogue {
        json: &'a [u8],
    },
    /// Written by the partition's owner after a silence.
    Tick(Tick),
}

/// A feed's name as it stands in a pack's dictionary, with its hash taken once a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedName<'a> {
    pub name: &'a str,
    /// xxh3 of the name, seed 0.
    pub hash: u64,
}

impl<'a> FeedName<'a> {
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self { name, hash: xxhash_rust::xxh3::xxh3_64(name.as_bytes()) }
    }
}

/// An interval of traffic measured by a carrier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cdr<'a> {
    pub card: CardId,
    pub feed: FeedName<'a>,
    /// The feed's own id of the record; with card, feed and start it is the record's identity.
    pub id: &'a str,
    pub start: UnixTime,
    /// May precede `start` (a clock was set): then all is dated at the start.
    pub end: UnixTime,
    /// Uplink, bytes.
    pub up: u64,
    /// Downlink, bytes.
    pub down: u64,
    /// Parts that the carrier measured; their sums are `up` and `down`. Empty: one part.
    pub slices: Slices<'a>,
    /// The number that ingest resolved to the card, if the feed did not name the ICCID.
    pub number: Option<Number>,
    pub origin: Origin<'a>,
}

/// A measured part of a CDR: traffic up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub end: UnixTime,
    pub up: u64,
    pub down: u64,
}

/// Packed slices: 24 bytes each, little-endian: end i64, up u64, down u64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slices<'a>(&'a [u8]);

impl<'a> Slices<'a> {
    /// Bytes of one slice.
    pub const WIDTH: usize = 24;

    /// Reads packed slices; `None` if the length is no multiple of [`Self::WIDTH`].
    #[must_use]
    pub fn from_packed(bytes: &'a [u8]) -> Option<Self> {
        bytes.len().is_multiple_of(Self::WIDTH).then_some(Self(bytes))
    }

    /// Packs slices into `buffer`, replacing what it held.
    pub fn pack(slices: &[Slice], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        for slice in slices {
            buffer.extend_from_slice(&slice.end.to_le_bytes());
            buffer.extend_from_slice(&slice.up.to_le_bytes());
            buffer.extend_from_slice(&slice.down.to_le_bytes());
        }
        Self(buffer)
    }

    #[must_use]
    pub fn packed(self) -> &'a [u8] {
        self.0
    }

    #[must_use]
    pub fn len(self) -> usize {
        self.0.len() / Self::WIDTH
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The slices in the order of the record.
    pub fn iter(self) -> impl Iterator<Item = Slice> + 'a {
        fn word(bytes: &[u8], at: usize) -> [u8; 8] {
            bytes.get(at..at + 8).and_then(|w| w.try_into().ok()).unwrap_or_default()
        }
        self.0.chunks_exact(Self::WIDTH).map(|bytes| Slice {
            end: i64::from_le_bytes(word(bytes, 0)),
            up: u64::from_le_bytes(word(bytes, 8)),
            down: u64::from_le_bytes(word(bytes, 16)),
        })
    }
}

/// Cumulative counters at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading<'a> {
    pub card: CardId,
    /// The estimating feed; `modem` for what comes by `usage.modem`.
    pub feed: FeedName<'a>,
    /// IMEI as a number, 0 = not said; see [`TotalOf`].
    pub imei: u64,
    pub counter: CounterKind<'a>,
    pub at: UnixTime,
    /// Bytes sent by the device since the counter began.
    pub tx: u64,
    /// Bytes received.
    pub rx: u64,
    /// 32 or 64: where the counter wraps; 0 = not said.
    pub width: u8,
    /// Only for counters that start at zero with it (`docs/rules.md` R1); empty = none.
    pub session: &'a str,
    pub number: Option<Number>,
    pub origin: Origin<'a>,
}

/// The kind of a counter, as the feed names it: `qgdcnt`, `ugcntrd.total`, `mm`, … Two names are reserved, see [`TotalOf`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterKind<'a>(pub &'a str);

/// What a carrier's own counter is a total of (`docs/rules.md` R3). Such a reading is of the carrier, not of a device:
/// its feed is the carrier's, its IMEI does not count, and its session, if there is one, is a date (`2026-08-01`) that
/// says of which day or cycle the total is; else it is the one that holds the second before the reading's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum TotalOf {
    /// `day-total`: what a day has until then.
    Day,
    /// `cycle-total`: what a cycle has until then.
    Cycle,
}

impl TotalOf {
    pub const ALL: [Self; 2] = [Self::Day, Self::Cycle];

    /// The reserved kind of counter.
    #[must_use]
    pub fn counter(self) -> &'static str {
        match self {
            Self::Day => "day-total",
            Self::Cycle => "cycle-total",
        }
    }
}

impl CounterKind<'_> {
    /// What the counter is a total of; `None` of a device's counter.
    #[must_use]
    pub fn total(self) -> Option<TotalOf> {
        TotalOf::ALL.into_iter().find(|of| of.counter() == self.0)
    }
}

/// A subscriber number of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Number {
    pub kind: NumberKind,
    /// At most 19 digits, as a number; leading zeros do not count.
    pub digits: u64,
}

impl std::fmt::Display for Number {
    /// `msisdn 8613800000001`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            NumberKind::Imsi => "imsi",
            NumberKind::Msisdn => "msisdn",
            NumberKind::Imei => "imei",
        };
        write!(f, "{kind} {}", self.digits)
    }
}

/// What kind of number names a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberKind {
    Imsi = 1,
    Msisdn = 2,
    Imei = 3,
}

/// The owner's sign of life: carries log time on through silence, and what ClickHouse has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Every change at or below this log offset is in ClickHouse.
    pub flushed_through: Option<super::LogOffset>,
}
