//! Keys of one checkpoint partition. Compaction keeps the last record of each.

use std::fmt;

use crate::model::LogOffset;

/// What a record of the checkpoint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `head`: one a commit.
    Head,
    /// `shard/NNN/part`.
    Part { shard: u16, part: u16 },
    /// `catalogue/VERSION`.
    Catalogue { version: u32 },
    /// `skip/OFFSET`: an order to pass over a message of the log.
    Skip { offset: LogOffset },
}

impl Key {
    /// The bytes of the key.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// Back from bytes; `None` for a key that this version does not know.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut words = text.split('/');
        let key = match words.next()? {
            "head" => Self::Head,
            "shard" => Self::Part { shard: words.next()?.parse().ok()?, part: words.next()?.parse().ok()? },
            "catalogue" => Self::Catalogue { version: words.next()?.parse().ok()? },
            "skip" => Self::Skip { offset: LogOffset(words.next()?.parse().ok()?) },
            _ => return None,
        };
        words.next().is_none().then_some(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Part { shard, part } => write!(f, "shard/{shard:03}/{part}"),
            Self::Catalogue { version } => write!(f, "catalogue/{version}"),
            Self::Skip { offset } => write!(f, "skip/{}", offset.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        let table = [
            (Key::Head, "head"),
            (Key::Part { shard: 7, part: 2 }, "shard/007/2"),
            (Key::Part { shard: 255, part: 0 }, "shard/255/0"),
            (Key::Catalogue { version: 3 }, "catalogue/3"),
            (Key::Skip { offset: LogOffset(u64::MAX) }, "skip/18446744073709551615"),
        ];
        for (key, text) in table {
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::parse(text.as_bytes()), Some(key));
        }
    }

    #[test]
    fn a_key_of_another_shape_is_not_guessed_at() {
        for text in
            ["", "heads", "head/1", "shard/1", "shard/1/2/3", "skip/x", "catalogue/-1", "shard/70000/0"]
        {
            assert_eq!(Key::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Key::parse(&[0xFF]), None);
    }
}
