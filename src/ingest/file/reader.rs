//! The records of a file, one after another, whatever its format.

use std::borrow::Cow;

use crate::codec::json::{self, CdrIn, Scratch};
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
    Broken(String),
}

/// Reads a file record by record; its buffers are used again.
#[derive(Debug)]
pub struct FileReader<'f> {
    file: &'f [u8],
    feed: String,
    format: Format,
    /// Byte after the last line read.
    line: usize,
    pieces: Pieces<'f>,
    record: UsageRecord,
    packed: Vec<u8>,
    scratch: Scratch,
}

impl<'f> FileReader<'f> {
    /// Reads gateway records as those of a feed; lines name their own.
    #[must_use]
    pub fn new(file: &'f [u8], feed: &str) -> Self {
        Self {
            file,
            feed: feed.to_owned(),
            format: Format::of(file),
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

    /// The next record; `None` at the end.
    pub fn record(&mut self) -> Option<FileRecord<'_>> {
        match self.format {
            Format::Lines => self.next_line(),
            Format::GatewayPlain | Format::GatewayFramed => self.next_piece(),
        }
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

    fn next_piece(&mut self) -> Option<FileRecord<'_>> {
        let piece = self.pieces.next()?;
        let (at, bytes) = (piece.at, piece.bytes);
        if let Some(broken) = piece.broken {
            let reason = format!("byte {at}: {} bytes: {broken}", bytes.len());
            return Some(FileRecord { at, bytes, content: Content::Broken(reason) });
        }
        let content = match pgw::decode(bytes, at, &mut self.record) {
            Ok(()) => usage(&self.record, &self.feed, &mut self.packed),
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
