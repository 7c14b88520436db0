//! The records of a file, one after another, whatever its format.

use crate::codec::json::{self, CdrIn, ReadingIn, Scratch};
use crate::ingest::formats::gateway::Gateway;
use crate::ingest::formats::{BOM, Buffers, Cut, Decoder, Notes, Numbered, Piece, Said, Unreadable};
use crate::ingest::pgw::{Framing, Pieces};
use crate::limits::{CDR_SECONDS_MAX, FUTURE_S_MAX};
use crate::model::UnixTime;

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
        let text = file.strip_prefix(BOM).unwrap_or(file);
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
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
    /// The node that numbered it, and the number, where it says so.
    pub number: Option<Numbered<'a>>,
}

impl FileRecord<'_> {
    /// When its usage began and ended.
    #[must_use]
    pub fn times(&self) -> Option<(UnixTime, UnixTime)> {
        match &self.content {
            Content::Cdr(cdr) | Content::Nobodys(cdr) => Some((cdr.start, cdr.end)),
            Content::Reading(reading) => Some((reading.at, reading.at)),
            Content::Aside(_) | Content::Broken(_) => None,
        }
    }

    /// Its end if that can be right now: not from the future, and not longer than a record may be.
    #[must_use]
    pub fn end_by(&self, now: UnixTime) -> Option<UnixTime> {
        let (start, end) = self.times()?;
        let sane = end.saturating_sub(start) <= CDR_SECONDS_MAX && end <= now.saturating_add(FUTURE_S_MAX);
        sane.then_some(end)
    }
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
    /// Where in the whole file this part begins; less than nothing, in two's complement, where a header was put before it.
    base: usize,
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
        let cut = match written {
            Written::Known { .. } => Cut::Lines,
            Written::Feed(decoder) => decoder.cut(file),
        };
        Self::part(file, written, (Framing::of(file), cut), 0)
    }

    /// Reads a part of a file that begins with a record (in CSV, with the header), framed and cut as the file's beginning said.
    /// Positions told are so many bytes further on.
    pub(super) fn part(
        file: &'f [u8],
        written: Written<'f>,
        (framing, cut): (Framing, Cut),
        base: usize,
    ) -> Self {
        let format = match written {
            Written::Known { .. } => Format::of(file),
            Written::Feed(decoder) => Format::Feed(decoder.format()),
        };
        let cut = match written {
            Written::Feed(decoder) if decoder.gateway().is_none() => decoder.pieces_of(file, cut),
            _ => Vec::new(),
        };
        let told = match written {
            Written::Known { feed } if format != Format::Lines => Some(Gateway::told_by(file, feed)),
            _ => None,
        };
        Self {
            file,
            base,
            written,
            format,
            cut,
            next: 0,
            line: if file.starts_with(BOM) { BOM.len() } else { 0 },
            pieces: Pieces::of(file, framing),
            told,
            buffers: Buffers::default(),
            scratch: Scratch::default(),
        }
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Where the next record begins, with what belongs to it.
    pub(super) fn position(&self) -> usize {
        match self.written {
            Written::Feed(decoder) if decoder.gateway().is_none() => {
                self.cut.get(self.next).map_or(self.file.len(), |piece| piece.at)
            }
            Written::Known { .. } if self.format == Format::Lines => self.line.min(self.file.len()),
            _ => self.pieces.position(),
        }
    }

    /// The header that the rows stand under, in CSV.
    pub(super) fn header(&self) -> Option<&'f str> {
        self.cut.first().and_then(|piece| piece.of)
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
        let mut piece: Piece<'f> = if decoder.gateway().is_some() {
            self.pieces.next()?.into()
        } else {
            *self.cut.get(self.next)?
        };
        self.next += 1;
        piece.at = self.base.wrapping_add(piece.at);
        Some(found(&piece, decoder.read_numbered(&piece, &mut self.buffers)))
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
        Some(FileRecord { at: self.base.wrapping_add(at), bytes, content, number: None })
    }

    fn next_told(&mut self, feed: &'f str) -> Option<FileRecord<'_>> {
        let mut piece: Piece<'f> = self.pieces.next()?.into();
        piece.at = self.base.wrapping_add(piece.at);
        let said = match piece.fault {
            Some(fault) => Err(Unreadable::Fault(fault)),
            None => self.told.as_ref()?.read(&piece, feed, &mut self.buffers),
        };
        Some(found(&piece, said))
    }
}

/// What a piece says, with its number.
type Read<'a> = Result<(Said<'a>, Option<Numbered<'a>>), Unreadable>;

fn found<'a>(piece: &Piece<'a>, said: Read<'a>) -> FileRecord<'a> {
    let (content, number) = match said {
        Ok((Said::Cdr(cdr), number)) => (Content::Cdr(cdr), number),
        Ok((Said::Nobodys(cdr), number)) => (Content::Nobodys(cdr), number),
        Ok((Said::Reading(reading), _)) => (Content::Reading(reading), None),
        Ok((Said::Aside(what), _)) => (Content::Aside(what), None),
        Err(error) => (Content::Broken(error.to_string()), None),
    };
    FileRecord { at: piece.at, bytes: piece.bytes, content, number }
}
