//! From a file to its records: plain BER one after another, with or without filler, or a TS 32.297 file with headers.
//!
//! Invariant: pieces and filler cover the file; a stretch that is no record is one broken piece, and reading goes on after
//! it: at the next CDR header that holds a record in a framed file, at the next thing that reads as a usage record in a
//! plain one.

use super::RecordType;
use crate::ingest::ber::Reader;
use crate::ingest::formats::PANICKED;
use crate::ingest::guarded::guarded;
use crate::limits::BER_RECORD_BYTES_MAX;

/// How records stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// BER, perhaps with FF between.
    Plain,
    /// TS 32.297, records from this byte on.
    Headers { first: usize },
}

/// A stretch of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Byte position in the file.
    pub at: usize,
    pub bytes: &'a [u8],
    /// Why it is no record, if it is none.
    pub broken: Option<Broken>,
}

/// Why a stretch is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Unreadable,
    CutShort,
    /// The program has panicked.
    Panicked,
    /// `Data Record Format` of the CDR header (TS 32.297 clause 6.1.2).
    Format(u8),
}

impl Broken {
    /// What a person reads.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "is no usage record; skipped to the next one",
            Self::CutShort => "ends before its CDR header says: the file is cut short",
            Self::Panicked => PANICKED,
            Self::Format(2) => "is no BER (the CDR header says unaligned PER): ask the carrier for BER",
            Self::Format(3) => "is no BER (the CDR header says aligned PER): ask the carrier for BER",
            Self::Format(4) => "is no BER (the CDR header says XER): ask the carrier for BER",
            Self::Format(_) => "is no BER, as its CDR header says: ask the carrier for BER",
        }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

/// Fixed part of a TS 32.297 file header, up to and with the lost-CDR indicator.
const FILE_HEADER: usize = 48;
/// Header with filters and extensions, where nothing else tells that it is one. BER of a length in four octets is longer here.
const SHORT_HEADER_MAX: usize = 4_096;
/// File length of a file that was not closed.
const LENGTH_UNKNOWN: u32 = u32::MAX;
/// BER in the format field of a CDR header.
const FORMAT_BER: u8 = 1;
/// Identifier octet of recordType `[0]`, with which records begin in practice.
const RECORD_TYPE: u8 = 0x80;
/// A release of 7 means that it stands in an extension octet.
const RELEASE_EXTENDED: u8 = 7;

impl Framing {
    /// Tells how records stand in a file by its first bytes.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        Self::of_start(file, Some(file.len() as u64))
    }

    /// The same by the beginning of a file whose length is known, or is not before it is read.
    #[must_use]
    pub fn of_start(start: &[u8], length: Option<u64>) -> Self {
        let word = |at: usize| Some(u32::from_be_bytes(start.get(at..at + 4)?.try_into().ok()?));
        let (Some(said), Some(header)) = (word(0), word(4)) else { return Self::Plain };
        let first = header as usize;
        // Where the length is not known a header is short, so that none is read into BER of a padded length.
        let may_be = said as usize >= start.len() && first <= SHORT_HEADER_MAX;
        let fits = length.map_or(may_be, |length| u64::from(said) == length);
        let length_fits = fits || said == LENGTH_UNKNOWN;
        if first <= FILE_HEADER || first > start.len() {
            return Self::Plain;
        }
        let framing = Self::Headers { first };
        // A file that is not whole, or whose length was written wrong, has its CDR headers all the same.
        let holds = || {
            let pieces = Pieces::of(start, framing);
            pieces.header_at(first).is_some_and(|header| pieces.holds(&header))
        };
        if length_fits || holds() { framing } else { Self::Plain }
    }
}

/// What the header of a TS 32.297 file says of the file (clause 6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// File sequence number.
    pub number: u32,
    /// IP address of the node that made it, as its octets stand there.
    node: [u8; NODE_BYTES],
    /// When it was opened, packed as it stands there: two files of a node with one number are told apart by it.
    pub opened: u32,
    /// Its length; `None` if it was not closed.
    length: Option<u32>,
    /// Lost CDR indicator.
    lost: u8,
}

/// Where in the header the file sequence number stands, and the node's address.
const NUMBER_AT: usize = 22;
const NODE_AT: usize = 27;
const OPENED_AT: usize = 10;
const LOST_AT: usize = 47;
const NODE_BYTES: usize = 20;

impl FileHeader {
    /// The header of a file that begins so, if it has one.
    #[must_use]
    pub fn of(start: &[u8], framing: Framing) -> Option<Self> {
        let Framing::Headers { first } = framing else { return None };
        let header = start.get(..first)?;
        let word = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let node = header.get(NODE_AT..NODE_AT + NODE_BYTES)?.try_into().ok()?;
        let length = word(0).filter(|length| *length != LENGTH_UNKNOWN);
        Some(Self {
            number: word(NUMBER_AT)?,
            node,
            opened: word(OPENED_AT)?,
            length,
            lost: *header.get(LOST_AT)?,
        })
    }

    /// How many CDRs the node has lost of this file at least; `None`: none.
    #[must_use]
    pub fn lost(&self) -> Option<u64> {
        // The highest bit says whether the others are all of them; 128 is some.
        (self.lost != 0).then(|| u64::from(self.lost & 0x7F).max(1))
    }

    /// What is wrong with a file that ends at this byte: it should be longer.
    #[must_use]
    pub fn shortfall(&self, end: u64) -> Option<String> {
        let said = self.length.filter(|said| u64::from(*said) > end)?;
        Some(format!("the file is cut short: its header says that it has {said} bytes, and it has {end}"))
    }

    /// The node's address as people write it, where it is one of IPv6, or of IPv4 within, behind four octets FF; else the
    /// octets in hexadecimal.
    #[must_use]
    pub fn node(&self) -> String {
        match self.node.last_chunk::<16>() {
            Some(address) if self.node.starts_with(&[0xFF; NODE_BYTES - 16]) => {
                std::net::Ipv6Addr::from(*address).to_canonical().to_string()
            }
            _ => self.node.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}")),
        }
    }
}

/// A CDR header.
#[derive(Debug, Clone, Copy)]
struct Header {
    start: usize,
    end: usize,
    format: u8,
}

/// The pieces of a file in order.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    file: &'a [u8],
    at: usize,
    framing: Framing,
}

impl<'a> Pieces<'a> {
    #[must_use]
    pub fn new(file: &'a [u8]) -> Self {
        Self::of(file, Framing::of(file))
    }

    /// The pieces of a file, or of a part of one that begins with a piece, framed so.
    #[must_use]
    pub fn of(file: &'a [u8], framing: Framing) -> Self {
        let at = match framing {
            Framing::Plain => 0,
            Framing::Headers { first } => first,
        };
        Self { file, at, framing }
    }

    /// Where the next piece begins, with the header or filler before it.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    fn take(&mut self, at: usize, end: usize, broken: Option<Broken>) -> Option<Piece<'a>> {
        self.at = end;
        Some(Piece { at, bytes: self.file.get(at..end)?, broken })
    }

    fn framed(&mut self) -> Option<Piece<'a>> {
        let at = self.at;
        if at >= self.file.len() {
            return None;
        }
        let is_whole = |header: &Header| header.start < header.end && header.end <= self.file.len();
        let header = self.header_at(at).filter(is_whole);
        let trusted = header.filter(|header| self.holds(header) || self.leads_on(header));
        if let Some(header) = trusted {
            let broken = (header.format != FORMAT_BER).then_some(Broken::Format(header.format));
            return self.take(header.start, header.end, broken);
        }
        // The header itself is damaged, or the file ends here: on to the next one that holds a record.
        let next = (at + 1..self.file.len()).find(|next| self.resumes_at_header(*next));
        let broken = if next.is_some() { Broken::Unreadable } else { Broken::CutShort };
        self.take(at, next.unwrap_or(self.file.len()), Some(broken))
    }

    fn header_at(&self, at: usize) -> Option<Header> {
        let &[high, low, release, format, ..] = self.file.get(at..)? else { return None };
        let start = at + 4 + usize::from(release >> 5 == RELEASE_EXTENDED);
        let end = start + usize::from(u16::from_be_bytes([high, low]));
        Some(Header { start, end, format: format >> 5 })
    }

    /// Whether a header stands before a usage record of just its length.
    fn holds(&self, header: &Header) -> bool {
        header.format == FORMAT_BER && self.record_at(header.start) == Some(header.end)
    }

    /// Whether a header is followed by the end of the file, or by another that holds a record: then what is broken is its
    /// record only.
    fn leads_on(&self, header: &Header) -> bool {
        header.end == self.file.len() || self.header_at(header.end).is_some_and(|next| self.holds(&next))
    }

    fn resumes_at_header(&self, at: usize) -> bool {
        let begins = |header: &Header| self.definite_at(header.start).is_some();
        self.header_at(at).is_some_and(|header| begins(&header) && self.holds(&header))
    }

    fn plain(&mut self) -> Option<Piece<'a>> {
        let filler = self.file.get(self.at..)?.iter().take_while(|octet| **octet == 0xFF).count();
        let at = self.at + filler;
        if at >= self.file.len() {
            return None;
        }
        if let Some(end) = self.record_at(at) {
            return self.take(at, end, None);
        }
        let next = (at + 1..self.file.len()).find(|next| self.resumes_at(*next));
        self.take(at, next.unwrap_or(self.file.len()), Some(Broken::Unreadable))
    }

    /// The end of the record at a position where one should begin. Other records than usage are told by the type
    /// `[0]` that they begin with, so that they are refused one by one and by name.
    fn record_at(&self, at: usize) -> Option<usize> {
        let rest = self.file.get(at..)?;
        let mut reader = Reader::new(rest.get(..rest.len().min(BER_RECORD_BYTES_MAX))?, at);
        let outer = reader.element().ok()??;
        let other = outer.tag.context_number().is_some() && outer.value.first() == Some(&RECORD_TYPE);
        (RecordType::of(outer.tag).is_some() || other).then_some(reader.position())
    }

    /// The first octet of the length of a usage record that begins at a position, if it is definite: to look for the
    /// end of others at each position would take for ever.
    fn definite_at(&self, at: usize) -> Option<u8> {
        match self.file.get(at..)? {
            [0xBF, 0x4E | 0x4F, length, ..] | [0xBF, 0x81, 0x48, length, ..] => {
                Some(*length).filter(|length| *length != 0x80)
            }
            _ => None,
        }
    }

    /// Whether reading may go on at a position after a broken stretch: a usage record of definite length that begins
    /// with its type.
    fn resumes_at(&self, at: usize) -> bool {
        let Some(length) = self.definite_at(at) else { return false };
        let begins = |at: usize| self.file.get(at) == Some(&RECORD_TYPE);
        let after = usize::from(length & 0x7F) * usize::from(length > 0x80);
        let tag = if self.file.get(at + 1) == Some(&0x81) { 3 } else { 2 };
        begins(at + tag + 1 + after) && self.record_at(at).is_some()
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.at;
        guarded(|| match self.framing {
            Framing::Plain => self.plain(),
            Framing::Headers { .. } => self.framed(),
        })
        .unwrap_or_else(|panic| {
            tracing::error!(byte = from, "{PANICKED} ({panic})");
            self.take(from, self.file.len(), Some(Broken::Panicked))
        })
    }
}
