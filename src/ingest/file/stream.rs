//! A file of any length read in windows: what is in memory is one window, whatever the file holds.
//!
//! A window begins with a record and is read as a file of its own, up to where a record might go on in the next one, or up to
//! so many records. Where that is, the form says: behind the last line's end; as far before the window's end as a
//! record of a gateway or a row may be long; and a JSON text over several lines is one window, or is refused.
//!
//! Invariant: the windows' records are those of the whole file, at the same bytes (a property in `tests` compares), and a
//! file taken up again at [`Stream::position`] goes on with the record behind it.

use std::io::{self, Read};
use std::ops::Range;

use super::reader::{FileReader, FileRecord, Written};
use crate::ingest::formats::{Cut, Decoder, Notes};
use crate::ingest::pgw::{FileHeader, Framing};
use crate::limits::{
    BER_RECORD_BYTES_MAX, FEED_ROW_BYTES_MAX, FILE_WHOLE_BYTES_MAX, FILE_WINDOW_BYTES, FILE_WINDOW_RECORDS,
};
use crate::model::UnixTime;

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(
        "a JSON text of more than {FILE_WHOLE_BYTES_MAX} bytes that is not lines: have it written one record a line"
    )]
    TooLarge,
    #[error("a line of more than {FILE_WHOLE_BYTES_MAX} bytes: have it written one record a line")]
    LongLine,
}

/// A file on its way through memory.
#[derive(Debug)]
pub struct Stream<R> {
    source: R,
    /// Its length, if that is known before it is read.
    length: Option<u64>,
    /// The header, and what was read and not yet taken.
    bytes: Vec<u8>,
    header_len: usize,
    /// Where in the file the part behind the header begins.
    position: u64,
    ended: bool,
    /// Why it ended before its end.
    failed: Option<io::Error>,
    shape: Option<Shape>,
    header: Option<FileHeader>,
    window: usize,
    /// Records that a window has at most.
    records: usize,
    notes: Notes,
}

/// What the file's beginning says of its form.
#[derive(Debug, Clone, Copy)]
struct Shape {
    framing: Framing,
    cut: Cut,
    end: End,
}

impl Shape {
    fn form(self) -> (Framing, Cut) {
        (self.framing, self.cut)
    }
}

/// Where the records of a window end.
#[derive(Debug, Clone, Copy)]
enum End {
    Line,
    /// Nothing that begins so long before the end of the window is taken.
    Before(usize),
    File,
}

impl<R: Read> Stream<R> {
    pub fn new(source: R, length: Option<u64>) -> Self {
        Self {
            source,
            length,
            bytes: Vec::new(),
            header_len: 0,
            position: 0,
            ended: false,
            failed: None,
            shape: None,
            header: None,
            window: FILE_WINDOW_BYTES,
            records: FILE_WINDOW_RECORDS,
            notes: Notes::default(),
        }
    }

    /// The same with smaller windows, so that tests meet every edge.
    #[cfg(test)]
    pub(super) fn with_window(self, window: usize) -> Self {
        Self { window, ..self }
    }

    /// The same with fewer records in each.
    #[cfg(test)]
    pub(super) fn with_records(self, records: usize) -> Self {
        Self { records, ..self }
    }

    /// Byte behind the last record taken.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What was met on the way.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.notes
    }

    /// The header of a TS 32.297 file, once something was read.
    #[must_use]
    pub fn file_header(&self) -> Option<FileHeader> {
        self.header
    }

    /// Goes on behind a position that an earlier reading of the same file had reached.
    ///
    /// # Errors
    /// As the source has them.
    pub fn skip_to(&mut self, position: u64, decoder: &Decoder) -> io::Result<()> {
        if position == 0 {
            return Ok(());
        }
        self.fill(self.window, decoder);
        let shape = self.shape(decoder);
        let reader = FileReader::part(&self.bytes, Written::Feed(decoder), shape.form(), 0);
        let header = reader.header().map(str::to_owned);
        while self.position < position && !self.bytes.is_empty() {
            let most = usize::try_from(position - self.position).unwrap_or(usize::MAX);
            self.pass(most.min(self.bytes.len()));
            self.fill(self.window, decoder);
        }
        self.keep(header.as_deref());
        self.failed.take_if(|_| self.position < position).map_or(Ok(()), Err)
    }

    /// Reads a window and hands over its records; `false` once there are no more.
    ///
    /// # Errors
    /// Once all that was read before is handed over; [`Self::position`] is behind it.
    pub fn window(
        &mut self,
        decoder: &Decoder,
        each: &mut dyn FnMut(&FileRecord<'_>),
    ) -> Result<bool, StreamError> {
        let Some((shape, stop)) = self.look(decoder)? else { return Ok(false) };
        let kept = self.header_len;
        let base = (self.position as usize).wrapping_sub(kept);
        let mut reader = FileReader::part(&self.bytes, Written::Feed(decoder), shape.form(), base);
        let (mut left, mut end) = (self.records, kept);
        let taken = loop {
            let at = reader.position();
            if at > kept && (left == 0 || at >= stop) {
                match self.place(shape.cut, end..at) {
                    Some(place) => break place,
                    None if at >= stop => break at,
                    None => {}
                }
            }
            left = left.saturating_sub(1);
            match reader.record() {
                // What stood before it was filler or empty lines, and it may go on in the next window.
                Some(record) if record.at.wrapping_sub(base) >= stop && stop < self.bytes.len() => {
                    break if at > kept { at } else { stop };
                }
                Some(record) => {
                    end = record.at.wrapping_sub(base) + record.bytes.len();
                    each(&record);
                }
                None => break self.bytes.len(),
            }
        };
        let (notes, header) = (reader.notes(), reader.header().map(str::to_owned));
        (self.notes.twice, self.notes.skipped) =
            (self.notes.twice + notes.twice, self.notes.skipped + notes.skipped);
        self.pass(taken - kept);
        self.keep(header.as_deref());
        Ok(true)
    }

    /// The latest end in the next window that can be right now; the window is not taken.
    ///
    /// # Errors
    /// As [`Self::window`].
    pub fn last_end(&mut self, decoder: &Decoder, now: UnixTime) -> Result<Option<UnixTime>, StreamError> {
        let Some((shape, _)) = self.look(decoder)? else { return Ok(None) };
        let mut reader = FileReader::part(&self.bytes, Written::Feed(decoder), shape.form(), 0);
        let mut last = None;
        while let Some(record) = reader.record() {
            last = last.max(record.end_by(now));
        }
        Ok(last)
    }

    /// Fills the window; answers with the file's form and where in the window records end.
    fn look(&mut self, decoder: &Decoder) -> Result<Option<(Shape, usize)>, StreamError> {
        self.fill(self.window, decoder);
        if self.bytes.len() <= self.header_len {
            return self.failed.take().map_or(Ok(None), |error| Err(error.into()));
        }
        let shape = self.shape(decoder);
        let stop = self.stop(shape.end, decoder)?;
        // What a disk does not give now is read when it does: the record across that place is not torn.
        match self.failed.take_if(|error| is_of_disk(error) && stop <= self.header_len) {
            Some(error) => Err(error.into()),
            None => Ok(Some((shape, stop))),
        }
    }

    /// Where the file may be taken up between a record's end and what follows. A list has no such place, be it over several
    /// lines or in one.
    fn place(&self, cut: Cut, between: Range<usize>) -> Option<usize> {
        match cut {
            Cut::Whole => None,
            Cut::Lines => {
                let bytes = self.bytes.get(between.clone())?;
                memchr::memrchr(b'\n', bytes).map(|at| between.start + at + 1)
            }
            Cut::Records | Cut::Rows => Some(between.end),
        }
    }

    /// Drops bytes behind the header.
    fn pass(&mut self, len: usize) {
        self.bytes.drain(self.header_len..self.header_len + len);
        self.position += len as u64;
        // Only the file's beginning has a header to be passed over.
        if let Some(Shape { framing: Framing::Headers { first }, .. }) = &mut self.shape {
            *first = first.saturating_sub(len);
        }
    }

    /// Puts a header before what follows, once.
    fn keep(&mut self, header: Option<&str>) {
        if let Some(header) = header.filter(|_| self.header_len == 0) {
            let line = [header.as_bytes(), b"\n"].concat();
            self.header_len = line.len();
            self.bytes.splice(0..0, line);
        }
    }

    fn fill(&mut self, window: usize, decoder: &Decoder) {
        let wanted = self.header_len + window;
        if self.ended || self.bytes.len() >= wanted {
            return;
        }
        let more = (wanted - self.bytes.len()) as u64;
        let before = self.bytes.len();
        let read = self.source.by_ref().take(more).read_to_end(&mut self.bytes);
        self.ended = read.is_err() || ((self.bytes.len() - before) as u64) < more;
        if let Err(error) = read {
            self.failed = Some(error);
            if is_text(decoder) {
                self.cut_short();
            }
        }
    }

    /// What follows the last whole line of a text that breaks off may look like a record, with other figures.
    fn cut_short(&mut self) {
        let whole = self.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.bytes.truncate(whole.max(self.header_len));
    }

    /// The form of the file, by its beginning.
    fn shape(&mut self, decoder: &Decoder) -> Shape {
        if let Some(shape) = self.shape {
            return shape;
        }
        let length = self.length.or(self.ended.then_some(self.bytes.len() as u64));
        let framing = Framing::of_start(&self.bytes, length);
        let cut = decoder.cut(&self.bytes);
        let end = match cut {
            Cut::Records => End::Before(BER_RECORD_BYTES_MAX + 8),
            Cut::Rows => End::Before(FEED_ROW_BYTES_MAX + 2),
            Cut::Lines => End::Line,
            Cut::Whole => End::File,
        };
        let shape = Shape { framing, cut, end };
        self.shape = Some(shape);
        self.header = decoder.gateway().and_then(|_| FileHeader::of(&self.bytes, framing));
        shape
    }

    /// Where in the window the last record must have begun; what is behind is read with the next one.
    fn stop(&mut self, end: End, decoder: &Decoder) -> Result<usize, StreamError> {
        if let End::File = end {
            self.fill(FILE_WHOLE_BYTES_MAX, decoder);
            if !self.ended {
                return Err(StreamError::TooLarge);
            }
        }
        let len = self.bytes.len();
        let is_whole = self.ended && !self.failed.as_ref().is_some_and(is_of_disk);
        Ok(match end {
            _ if is_whole => len,
            // A text over several lines is read as a whole or not at all.
            End::File => 0,
            End::Line => return self.line_end(decoder),
            End::Before(most) => len.saturating_sub(most),
        })
    }

    /// Behind the last whole line; of a line that is longer than a window more is read, up to its end.
    fn line_end(&mut self, decoder: &Decoder) -> Result<usize, StreamError> {
        let mut looked = 0;
        loop {
            let new = self.bytes.get(looked..).unwrap_or_default();
            if let Some(at) = memchr::memrchr(b'\n', new) {
                return Ok(looked + at + 1);
            }
            looked = self.bytes.len();
            if self.ended {
                return Ok(looked);
            }
            if looked >= FILE_WHOLE_BYTES_MAX {
                return Err(StreamError::LongLine);
            }
            self.fill((2 * looked).clamp(self.window, FILE_WHOLE_BYTES_MAX), decoder);
        }
    }
}

fn is_text(decoder: &Decoder) -> bool {
    decoder.gateway().is_none()
}

/// Whether reading failed for what is outside of the file, and may pass.
fn is_of_disk(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}
