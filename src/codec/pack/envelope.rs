//! What is around the records: header, dictionary, checksum; and all that can be wrong with a pack.

use super::fields::u32_at;
use super::layout::{HEADER, MAGIC, TRAILER, VERSION, header};
use crate::limits::PACK_RECORDS_MAX;
use crate::model::FeedName;

/// Why bytes are no pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    #[error("{0} bytes are too few for a pack")]
    Short(usize),
    #[error("not a pack: it does not begin with TGPK")]
    Magic,
    #[error("pack version {0}: this program reads version 1; fold it with the version that wrote it")]
    Version(u8),
    #[error("the pack says that it has {said} bytes, it has {is}")]
    Length { said: usize, is: usize },
    #[error("checksum {said:08x} does not match the bytes ({is:08x}): the message was changed on its way")]
    Checksum { said: u32, is: u32 },
    #[error("the pack claims {0} records, at most {PACK_RECORDS_MAX} are allowed")]
    Count(usize),
    #[error("dictionary entry {0} is cut off or no UTF-8")]
    Dictionary(usize),
    #[error("the text section is no UTF-8")]
    Text,
    #[error("record {index}: {problem}")]
    Record { index: usize, problem: &'static str },
}

pub(super) fn check_head(head: &[u8; HEADER]) -> Result<(), PackError> {
    if !head.starts_with(&MAGIC) {
        return Err(PackError::Magic);
    }
    let version = head[header::VERSION];
    if version == VERSION { Ok(()) } else { Err(PackError::Version(version)) }
}

pub(super) fn check_sum(bytes: &[u8]) -> Result<(), PackError> {
    let (body, trailer) = bytes.split_last_chunk::<TRAILER>().ok_or(PackError::Short(bytes.len()))?;
    let (said, is) = (u32::from_le_bytes(*trailer), crc32c::crc32c(body));
    if said == is { Ok(()) } else { Err(PackError::Checksum { said, is }) }
}

pub(super) fn read_names(mut bytes: &[u8], count: usize) -> Result<Vec<FeedName<'_>>, PackError> {
    let mut names = Vec::with_capacity(count.min(bytes.len()));
    for entry in 0..count {
        let (name, rest) = split_name(bytes).ok_or(PackError::Dictionary(entry))?;
        names.push(FeedName::new(name));
        bytes = rest;
    }
    if bytes.is_empty() { Ok(names) } else { Err(PackError::Dictionary(count)) }
}

fn split_name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

/// Lengths of the three sections, as the header says them.
pub(super) struct Sections {
    dictionary: usize,
    text: usize,
    records: usize,
}

impl Sections {
    pub(super) fn read(head: &[u8; HEADER]) -> Self {
        Self {
            dictionary: u32_at(head, header::DICTIONARY_BYTES) as usize,
            text: u32_at(head, header::TEXT_BYTES) as usize,
            records: u32_at(head, header::RECORD_BYTES) as usize,
        }
    }

    pub(super) fn total(&self) -> usize {
        [self.dictionary, self.text, self.records]
            .iter()
            .fold(HEADER + TRAILER, |sum, n| sum.saturating_add(*n))
    }

    pub(super) fn dictionary<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        section(bytes, HEADER, self.dictionary).unwrap_or_default()
    }

    pub(super) fn text<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        section(bytes, HEADER + self.dictionary, self.text)
    }

    pub(super) fn records<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        section(bytes, HEADER + self.dictionary + self.text, self.records).unwrap_or_default()
    }
}

fn section(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}
