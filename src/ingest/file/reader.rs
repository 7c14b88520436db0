//! The records of a file, one after another, whatever its format.

use std::borrow::Cow;

use crate::codec::json::{self, CdrIn, ReadingIn, Scratch};
use crate::ingest::formats::{Decoder, Notes, Piece, Said};
use crate::ingest::pgw::{self, Framing, Pieces, UsageRecord};
use crate::model::{CardName, Slices};

/// How the records of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Canonical CDRs, one JSON object a line.
    Lines,
    /// 3GPP gateway records, plain BER.
    GatewayPlain,
    /// 3GPP gateway records in a TS 32.297 file.
    GatewayFramed,
    /// A feed's own format, by its name.
    #[serde(untagged)]
    Feed(&'static str),
}

/// How a file is to be read.
#[derive(Debug, Clone, Copy)]
pub enum Written<'f> {
    /// As its first bytes tell; gateway records are of this feed, lines name their own.
    Known { feed: &'f str },
    /// As a feed's messages.
    Feed(&'f Decoder),
}

impl Format {
    /// Tells the format by the file's first bytes.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        match file.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Self::Lines,
            _ if matches!(Framing::of(file), Framing::Headers { .. }) => Self::GatewayFramed,
            _ => Self::GatewayPlain,
        }
    }
}

/// One record, or what stands where one should.
#[derive(Debug)]
pub struct FileRecord<'a> {
    /// Byte position in the file.
    pub at: usize,
    /// The record as it stands there.
    pub bytes: &'a [u8],
    pub content: Content<'a>,
}

/// What a record says.
#[derive(Debug)]
pub enum Content<'a> {
    Cdr(CdrIn<'a>),
    /// Usage that names neither a card nor a number; the name in it is no one's.
    Nobodys(CdrIn<'a>),
    Reading(ReadingIn<'a>),
    /// No record, and what it is instead.
    Aside(&'static str),
    Broken(String),
}

/// Reads a file record by record; its buffers are used again.
#[derive(Debug)]
pub struct FileReader<'f> {
    file: &'f [u8],
    written: Written<'f>,
    format: Format,
    /// Of a feed's own format: the pieces, which of them is next, and what was met.
    cut: Vec<Piece<'f>>,
    next: usize,
    notes: Notes,
    /// Byte after the last line read.
    line: usize,
    pieces: Pieces<'f>,
    record: UsageRecord,
    packed: Vec<u8>,
    scratch: Scratch,
}

impl<'f> FileReader<'f> {
    #[must_use]
    pub fn new(file: &'f [u8], written: Written<'f>) -> Self {
        let (format, cut) = match written {
            Written::Known { .. } => (Format::of(file), Vec::new()),
            Written::Feed(decoder) => (Format::Feed(decoder.format()), decoder.pieces(file)),
        };
        Self {
            file,
            written,
            format,
            cut,
            next: 0,
            notes: Notes::default(),
            line: 0,
            pieces: Pieces::new(file),
            record: UsageRecord::default(),
            packed: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// What was met on the way.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.notes
    }

    /// The next record; `None` at the end.
    pub fn record(&mut self) -> Option<FileRecord<'_>> {
        match (self.written, self.format) {
            (Written::Feed(decoder), _) => self.next_of(decoder),
            (Written::Known { .. }, Format::Lines) => self.next_line(),
            (Written::Known { feed }, _) => self.next_piece(feed),
        }
    }

    fn next_of(&mut self, decoder: &'f Decoder) -> Option<FileRecord<'_>> {
        let piece = self.cut.get(self.next)?;
        self.next += 1;
        let content = match decoder.read(piece, &mut self.notes) {
            Ok(Said::Cdr(cdr)) => Content::Cdr(cdr),
            Ok(Said::Reading(reading)) => Content::Reading(reading),
            Ok(Said::Aside(what)) => Content::Aside(what),
            Err(error) => Content::Broken(error.to_string()),
        };
        Some(FileRecord { at: piece.at, bytes: piece.bytes, content })
    }

    fn next_line(&mut self) -> Option<FileRecord<'_>> {
        let (at, bytes) = loop {
            let rest = self.file.get(self.line..).filter(|rest| !rest.is_empty())?;
            let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let at = self.line;
            self.line += len + 1;
            let line = rest.get(..len)?;
            if !line.trim_ascii().is_empty() {
                break (at, line);
            }
        };
        let content = match json::cdr(bytes, &mut self.scratch) {
            Ok(cdr) => Content::Cdr(cdr),
            Err(error) => Content::Broken(error.to_string()),
        };
        Some(FileRecord { at, bytes, content })
    }

    fn next_piece(&mut self, feed: &'f str) -> Option<FileRecord<'_>> {
        let piece = self.pieces.next()?;
        let (at, bytes) = (piece.at, piece.bytes);
        if let Some(broken) = piece.broken {
            let reason = format!("byte {at}: {} bytes: {broken}", bytes.len());
            return Some(FileRecord { at, bytes, content: Content::Broken(reason) });
        }
        let content = match pgw::decode(bytes, at, &mut self.record) {
            Ok(()) => usage(&self.record, feed, &mut self.packed),
            Err(error) => Content::Broken(error.to_string()),
        };
        Some(FileRecord { at, bytes, content })
    }
}

/// A gateway's record in outside terms.
fn usage<'a>(record: &'a UsageRecord, feed: &'a str, packed: &'a mut Vec<u8>) -> Content<'a> {
    let nobody = CardName::Iccid(crate::model::CardId::from_wire([0; 10]));
    let cdr = CdrIn {
        card: record.number.map_or(nobody, CardName::Number),
        feed: Cow::Borrowed(feed),
        id: Cow::Borrowed(&record.id),
        start: record.start,
        end: record.end,
        up: record.up,
        down: record.down,
        slices: Slices::pack(&record.slices, packed),
    };
    if record.number.is_some() { Content::Cdr(cdr) } else { Content::Nobodys(cdr) }
}
