//! Exact dedupe (`docs/rules.md` C3): which records of the open home days of one card have been counted.
//!
//! One compact buffer a card: the heads (day, count) of the home days, then the 40-bit ids of each day in the same order,
//! sorted by their first 32 bits, which are a hash of (feed, id, start) keyed by the deployment's name; the last 8 are a
//! hash of the content, so that an equal id with other content is a loud conflict. At most [`IDS_PER_CARD_DAY_MAX`] a
//! card-day keep the chance that a new record passes for a duplicate under 1024 / 2^40 < 1e-9.
//!
//! Invariant: what the buffer holds does not depend on the order in which ids came.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::limits::IDS_PER_CARD_DAY_MAX;
use crate::model::{Cdr, Day};

/// Bytes of a day's head: day i32, count u16.
const HEAD: usize = 6;
/// Bytes of an id.
const WIDTH: usize = 5;
/// By how much a full buffer grows at least: doubling would waste half of the memory of ten million cards.
const GROWTH: usize = 40;
/// And by which part of it.
const GROWTH_PART: usize = 32;
/// Bytes that come from memory together.
const MEMORY_LINE: usize = 64;
/// As much as a day of a record every 15 minutes.
const WARMED_LINES: usize = 8;

/// Identity and content of a record in 40 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordId {
    pub key: u32,
    pub content: u8,
}

/// What the buffer knew of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// New, and noted.
    New,
    Duplicate,
    /// The same identity with other content.
    Conflict,
    /// New, but the card-day is full.
    Full,
}

impl RecordId {
    /// Of a CDR. `seed` is the deployment's.
    pub(super) fn of(cdr: &Cdr<'_>, seed: u64) -> Self {
        let key = xxh3_64_with_seed(cdr.id.as_bytes(), seed ^ cdr.feed.hash.rotate_left(17));
        let key = mix(key ^ cdr.start as u64);
        let content = mix(cdr.end as u64 ^ mix(cdr.up ^ mix(cdr.down ^ seed)));
        let content =
            if cdr.slices.is_empty() { content } else { xxh3_64_with_seed(cdr.slices.packed(), content) };
        Self { key: (key >> 32) as u32, content: (content >> 56) as u8 }
    }
}

/// A bijection that spreads every bit over all others.
fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let word = (word ^ word >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    word ^ word >> 32
}

/// The ids of one card. Heads stand together, so that a look-up reads one line of memory to find its group.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    /// Heads, then ids, then room for more.
    buffer: Box<[u8]>,
    /// Bytes of it that are in use.
    len: u32,
    days: u8,
}

impl PartialEq for Ids {
    fn eq(&self, other: &Self) -> bool {
        self.days == other.days && self.bytes() == other.bytes()
    }
}

/// One day's group within the buffer.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// Where its head is.
    head: usize,
    /// Where its ids begin.
    first: usize,
    count: usize,
}

impl Ids {
    /// Looks an id up and notes it if it is new.
    pub(super) fn note(&mut self, day: Day, id: RecordId) -> Seen {
        let group = self.group(day);
        match self.find(&group, id.key) {
            Ok(at) if self.bytes()[at + 4] == id.content => Seen::Duplicate,
            Ok(_) => Seen::Conflict,
            Err(_) if group.count >= IDS_PER_CARD_DAY_MAX => Seen::Full,
            Err(at) => {
                self.insert(&group, at, id);
                Seen::New
            }
        }
    }

    /// Forgets the days up to and with `day`.
    pub(super) fn forget_through(&mut self, day: Day) {
        let past = self.heads().take_while(|(head_day, _)| *head_day <= day);
        let (days, ids) = past.fold((0, 0), |(days, ids), (_, count)| (days + 1, ids + count));
        if days == 0 {
            return;
        }
        let first = self.first();
        let heads = self.bytes().get(days * HEAD..first).unwrap_or_default();
        let kept = self.bytes().get(first + ids * WIDTH..).unwrap_or_default();
        let spare = if kept.is_empty() { 0 } else { GROWTH };
        let mut buffer = Vec::with_capacity(heads.len() + kept.len() + spare);
        buffer.extend_from_slice(heads);
        buffer.extend_from_slice(kept);
        self.len = buffer.len() as u32;
        buffer.resize(buffer.capacity(), 0);
        self.buffer = buffer.into_boxed_slice();
        self.days -= days as u8;
    }

    /// Heads and ids.
    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len as usize]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.len as usize]
    }

    /// Bytes allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Brings the line from memory, without waiting for it.
    pub(super) fn warm(&self) {
        std::hint::black_box(self.len);
    }

    /// Brings the heads and the ids of the newest day: a new one goes anywhere among them and moves those behind it.
    pub(super) fn warm_heap(&self) {
        std::hint::black_box(self.bytes().first().copied());
        for line in self.bytes().rchunks(MEMORY_LINE).take(WARMED_LINES) {
            std::hint::black_box(line.first().copied());
        }
    }

    /// Where the ids of the first day begin.
    fn first(&self) -> usize {
        usize::from(self.days) * HEAD
    }

    fn heads(&self) -> impl Iterator<Item = (Day, usize)> {
        self.bytes().chunks_exact(HEAD).take(usize::from(self.days)).map(|head| {
            let day = Day::from_le_bytes([head[0], head[1], head[2], head[3]]);
            (day, usize::from(u16::from_le_bytes([head[4], head[5]])))
        })
    }

    /// The group of a day, made if there is none. The newest day is last, where most records go.
    fn group(&mut self, day: Day) -> Group {
        let mut group = Group { head: 0, first: self.first(), count: 0 };
        for (head_day, count) in self.heads() {
            if head_day == day {
                return Group { count, ..group };
            }
            if head_day > day {
                break;
            }
            group.head += HEAD;
            group.first += count * WIDTH;
        }
        self.open(group.head, HEAD);
        let head = &mut self.bytes_mut()[group.head..group.head + HEAD];
        head[..4].copy_from_slice(&day.to_le_bytes());
        head[4..].copy_from_slice(&[0, 0]);
        self.days = self.days.checked_add(1).expect("a card has at most 37 open days");
        group.first += HEAD;
        group
    }

    /// The place of a key, or where it would go.
    fn find(&self, group: &Group, key: u32) -> Result<usize, usize> {
        let (mut low, mut high) = (0, group.count);
        while low < high {
            let middle = usize::midpoint(low, high);
            let at = group.first + middle * WIDTH;
            match self.key(at).cmp(&key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(at),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(group.first + low * WIDTH)
    }

    fn key(&self, at: usize) -> u32 {
        let id = &self.bytes()[at..at + WIDTH];
        u32::from_be_bytes([id[0], id[1], id[2], id[3]])
    }

    fn insert(&mut self, group: &Group, at: usize, id: RecordId) {
        self.open(at, WIDTH);
        let bytes = self.bytes_mut();
        bytes[at..at + 4].copy_from_slice(&id.key.to_be_bytes());
        bytes[at + 4] = id.content;
        let count = (group.count + 1) as u16;
        bytes[group.head + 4..group.head + HEAD].copy_from_slice(&count.to_le_bytes());
    }

    /// Makes room of `width` bytes at `at`.
    fn open(&mut self, at: usize, width: usize) {
        let len = self.len as usize;
        if self.buffer.len() < len + width {
            let mut buffer = std::mem::take(&mut self.buffer).into_vec();
            buffer.reserve_exact(GROWTH.max(len / GROWTH_PART));
            buffer.resize(buffer.capacity(), 0);
            self.buffer = buffer.into_boxed_slice();
        }
        self.len = (len + width) as u32;
        self.bytes_mut().copy_within(at..len, at + width);
    }
}

/// Written as one string of bytes: the number of days, then the buffer.
impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.days, Bytes(self.bytes())).serialize(serializer)
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Buffer(Vec<u8>);

impl<'de> Deserialize<'de> for Buffer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the ids of a card")
            }
            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes).map(Self)
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (days, Buffer(bytes)) = Deserialize::deserialize(deserializer)?;
        let ids = Self { len: bytes.len() as u32, buffer: bytes.into_boxed_slice(), days };
        let counted: usize = ids.heads().map(|(_, count)| count * WIDTH).sum();
        if ids.first() + counted != ids.bytes().len() {
            return Err(serde::de::Error::custom("the ids of a card do not fill their buffer"));
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: u32, content: u8) -> RecordId {
        RecordId { key, content }
    }

    #[test]
    fn an_id_is_new_once_a_day() {
        let mut ids = Ids::default();
        for (day, id, seen) in [
            (7, id(5, 1), Seen::New),
            (7, id(5, 1), Seen::Duplicate),
            (7, id(5, 2), Seen::Conflict),
            (8, id(5, 2), Seen::New),
            (6, id(5, 3), Seen::New),
            (7, id(5, 1), Seen::Duplicate),
            (8, id(5, 2), Seen::Duplicate),
        ] {
            assert_eq!(ids.note(day, id), seen, "{day} {id:?}");
        }
    }

    #[test]
    fn the_buffer_does_not_tell_the_order_of_arrival() {
        let mut came: Vec<(Day, u32)> =
            (0..50u32).map(|n| ((n % 3) as Day, n.wrapping_mul(0x9E37_79B9))).collect();
        let noted = |came: &[(Day, u32)]| {
            let mut ids = Ids::default();
            for (day, key) in came {
                assert_eq!(ids.note(*day, id(*key, 0)), Seen::New);
            }
            ids
        };
        let forward = noted(&came);
        came.reverse();
        assert_eq!(noted(&came), forward);
    }

    #[test]
    fn a_full_card_day_takes_no_more_but_knows_its_own() {
        let mut ids = Ids::default();
        for key in 0..IDS_PER_CARD_DAY_MAX as u32 {
            assert_eq!(ids.note(1, id(key, 0)), Seen::New);
        }
        assert_eq!(ids.note(1, id(u32::MAX, 0)), Seen::Full);
        assert_eq!(ids.note(1, id(3, 0)), Seen::Duplicate);
        assert_eq!(ids.note(2, id(3, 0)), Seen::New);
    }

    #[test]
    fn closed_days_are_forgotten() {
        let mut ids = Ids::default();
        for day in 1..=3 {
            ids.note(day, id(9, 0));
        }
        ids.forget_through(2);
        assert_eq!(ids.note(3, id(9, 0)), Seen::Duplicate);
        assert_eq!(ids.note(1, id(9, 0)), Seen::New);
    }
}
