//! The card: one SIM, named by the first 19 characters of its ICCID.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Characters of the canonical key.
const LEN: usize = 19;
/// As many of them as a `u64` holds; the others are read apart.
const HIGH: usize = 16;

/// The value of each hexadecimal digit in either case; of any other byte more than 15.
const NIBBLES: [u8; 256] = {
    let mut table = [0xFF; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// Digits as a number, and whether one of them is none: then the second is more than 15.
#[inline]
fn fold(digits: &[u8]) -> (u64, u8) {
    digits.iter().fold((0, 0), |(key, bad), byte| {
        let nibble = NIBBLES[usize::from(*byte)];
        (key << 4 | u64::from(nibble & 0xF), bad | nibble)
    })
}

#[cold]
fn wrong_character(text: &str) -> CardIdError {
    let at = text.bytes().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or_default();
    let found = text.chars().find(|c| !c.is_ascii_hexdigit()).unwrap_or('?');
    CardIdError::Character { at, found }
}

/// Canonical key of a card: the first 19 characters of its ICCID, upper-case `[0-9A-F]`, packed as 76 bits.
///
/// Real ICCIDs hold letters and feeds cut the 20th character, a check digit, so it takes no part in identity.
/// The order of keys is the order of their text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardId(u128);

/// Why a text is no ICCID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardIdError {
    #[error("an ICCID has 19 or 20 characters, this has {0}")]
    Length(usize),
    #[error("an ICCID holds [0-9A-F] only; character {at} is {found:?}")]
    Character { at: usize, found: char },
}

impl CardId {
    /// Of the packed form.
    pub(crate) const BITS: u32 = 4 * LEN as u32;

    /// Reads an ICCID of 19 or 20 characters, in either case.
    ///
    /// # Errors
    /// Another length, or a character outside `[0-9A-Fa-f]`.
    pub fn parse(text: &str) -> Result<Self, CardIdError> {
        let bytes = text.as_bytes();
        if bytes.len() != LEN && bytes.len() != LEN + 1 {
            return Err(CardIdError::Length(bytes.len()));
        }
        let (high, low) = bytes.split_at(HIGH);
        let (high, bad_high) = fold(high);
        let (low, bad_low) = fold(low);
        if (bad_high | bad_low) > 0xF {
            return Err(wrong_character(text));
        }
        let check_digits = bytes.len() - LEN;
        Ok(Self((u128::from(high) << (4 * (LEN - HIGH))) | u128::from(low >> (4 * check_digits))))
    }

    /// The packed form: 10 bytes, little-endian, as it stands in packs.
    #[must_use]
    pub fn to_wire(self) -> [u8; 10] {
        let mut wire = [0u8; 10];
        wire.copy_from_slice(&self.0.to_le_bytes()[..10]);
        wire
    }

    /// Back from [`Self::to_wire`]; bits above the 76th are ignored.
    #[must_use]
    pub fn from_wire(wire: [u8; 10]) -> Self {
        let mut bytes = [0u8; 16];
        bytes[..10].copy_from_slice(&wire);
        Self::from_packed(u128::from_le_bytes(bytes))
    }

    /// The key as a number below 2^[`Self::BITS`].
    pub(crate) fn packed(self) -> u128 {
        self.0
    }

    /// Back from [`Self::packed`]; bits above are ignored.
    pub(crate) fn from_packed(packed: u128) -> Self {
        Self(packed & ((1 << Self::BITS) - 1))
    }

    /// The 19 characters.
    #[must_use]
    pub fn text(self) -> [u8; LEN] {
        let mut out = [0u8; LEN];
        for (at, slot) in out.iter_mut().enumerate() {
            let nibble = (self.0 >> (4 * (LEN - 1 - at)) & 0xF) as u8;
            *slot = if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
        }
        out
    }

    /// A well-mixed 64-bit hash, the same on every machine and in every version of the fold.
    #[must_use]
    pub fn hash64(self) -> u64 {
        let folded = (self.0 as u64) ^ ((self.0 >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (folded ^ folded >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ mixed >> 32
    }
}

/// Hasher of maps whose key is a [`CardId`] alone: the card's own hash, which is mixed already.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardHasher(u64);

/// For `HashMap<CardId, _, CardHash>` and the like.
pub type CardHash = std::hash::BuildHasherDefault<CardHasher>;

impl std::hash::Hasher for CardHasher {
    fn write_u128(&mut self, key: u128) {
        self.0 = CardId(key).hash64();
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a card is hashed as one number");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or("?"))
    }
}

impl fmt::Debug for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CardId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for CardId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            Self::parse(&text).map_err(serde::de::Error::custom)
        } else {
            u128::deserialize(deserializer).map(Self)
        }
    }
}

/// The log partition of a card: Java's murmur2 over the 19 characters, as Kafka's default partitioner has it.
#[must_use]
pub fn partition_of(card: CardId, partitions: u32) -> u32 {
    partition_of_key(&card.text(), partitions)
}

/// The partition of any key, as Kafka's default partitioner of Java clients has it.
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7FFF_FFFF) % partitions
}

/// The shard of a card within its partition; independent of [`partition_of`].
#[must_use]
pub fn shard_of(card: CardId) -> usize {
    (card.hash64() >> 56) as usize % crate::limits::SHARDS
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5BD1_E995;
    let mut h = 0x9747_B28C ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k = (k ^ k >> 24).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (at, &byte) in rest.iter().enumerate() {
            h ^= u32::from(byte) << (8 * at);
        }
        h = h.wrapping_mul(M);
    }
    h = (h ^ h >> 13).wrapping_mul(M);
    h ^ h >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_takes_no_part_in_identity() {
        let long = CardId::parse("89860012345678901236").unwrap();
        assert_eq!(long, CardId::parse("8986001234567890123").unwrap());
        assert_eq!(long.to_string(), "8986001234567890123");
        assert_eq!(CardId::from_wire(long.to_wire()), long);
    }

    #[test]
    fn letters_count_in_either_case() {
        assert_eq!(CardId::parse("8986001234567890abC"), CardId::parse("8986001234567890ABC"));
    }

    #[test]
    fn what_is_no_iccid_is_named() {
        assert_eq!(CardId::parse("8986"), Err(CardIdError::Length(4)));
        assert_eq!(CardId::parse("898600123456789012X"), Err(CardIdError::Character { at: 18, found: 'X' }));
    }

    #[test]
    fn murmur2_is_javas() {
        // Values of Kafka's own UtilsTest.testMurmur2.
        assert_eq!(murmur2(b"21") as i32, -973_932_308);
        assert_eq!(murmur2(b"foobar") as i32, -790_332_482);
        assert_eq!(murmur2(b"a-little-bit-long-string") as i32, -985_981_536);
        assert_eq!(murmur2(b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8") as i32, -58_897_971);
    }
}
