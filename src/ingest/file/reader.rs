//! The records of a file, one after another, whatever its format.

use crate::codec::json::{self, CdrIn, ReadingIn, Scratch};
use crate::ingest::formats::gateway::Gateway;
use crate::ingest::formats::{Buffers, Decoder, Notes, Piece, Said, Unreadable};
use crate::ingest::pgw::{Framing, Pieces};

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
    /// Of a feed's own format: the pieces, and which of them is next.
    cut: Vec<Piece<'f>>,
    next: usize,
    /// Byte after the last line read.
    line: usize,
    /// Nodes' records are cut as they are read: their files are large.
    pieces: Pieces<'f>,
    /// How nodes' records are read where nothing was said of them.
    told: Option<Gateway>,
    buffers: Buffers,
    scratch: Scratch,
}

impl<'f> FileReader<'f> {
    #[must_use]
    pub fn new(file: &'f [u8], written: Written<'f>) -> Self {
        let format = match written {
            Written::Known { .. } => Format::of(file),
            Written::Feed(decoder) => Format::Feed(decoder.format()),
        };
        let cut = match written {
            Written::Feed(decoder) if decoder.gateway().is_none() => decoder.pieces(file),
            _ => Vec::new(),
        };
        let told = match written {
            Written::Known { feed } if format != Format::Lines => Some(Gateway::told_by(file, feed)),
            _ => None,
        };
        Self {
            file,
            written,
            format,
            cut,
            next: 0,
            line: 0,
            pieces: Pieces::new(file),
            told,
            buffers: Buffers::default(),
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
        self.buffers.notes
    }

    /// The next record; `None` at the end.
    pub fn record(&mut self) -> Option<FileRecord<'_>> {
        match self.written {
            Written::Feed(decoder) => self.next_of(decoder),
            Written::Known { .. } if self.format == Format::Lines => self.next_line(),
            Written::Known { feed } => self.next_told(feed),
        }
    }

    fn next_of(&mut self, decoder: &'f Decoder) -> Option<FileRecord<'_>> {
        let piece = if decoder.gateway().is_some() {
            self.pieces.next()?.into()
        } else {
            *self.cut.get(self.next)?
        };
        self.next += 1;
        let content = content(decoder.read(&piece, &mut self.buffers));
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

    fn next_told(&mut self, feed: &'f str) -> Option<FileRecord<'_>> {
        let piece: Piece<'f> = self.pieces.next()?.into();
        let said = match piece.fault {
            Some(fault) => Err(Unreadable::Fault(fault)),
            None => self.told.as_ref()?.read(&piece, feed, &mut self.buffers),
        };
        Some(FileRecord { at: piece.at, bytes: piece.bytes, content: content(said) })
    }
}

fn content(said: Result<Said<'_>, Unreadable>) -> Content<'_> {
    match said {
        Ok(Said::Cdr(cdr)) => Content::Cdr(cdr),
        Ok(Said::Nobodys(cdr)) => Content::Nobodys(cdr),
        Ok(Said::Reading(reading)) => Content::Reading(reading),
        Ok(Said::Aside(what)) => Content::Aside(what),
        Err(error) => Content::Broken(error.to_string()),
    }
}
