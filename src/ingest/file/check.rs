//! A look at a file: what is in it, what is wrong with it and where, without any log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::reader::{Content, FileReader, Format, Written};
use crate::codec::json::{CdrIn, ReadingIn};
use crate::codec::time;
use crate::ingest::formats::Notes;
use crate::ingest::pgw::{FileHeader, Framing};
use crate::limits::FILE_PROBLEMS_SHOWN;
use crate::model::{CardName, UnixTime};

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub format: Format,
    pub bytes: usize,
    /// Readable records: usable + nobodys.
    pub records: usize,
    /// Of them, those that name neither a card nor a number.
    pub nobodys: usize,
    /// Of them, those that repeat an earlier one's card, feed, id and start; or counter and time.
    pub repeats: usize,
    /// Of them, totals of the carrier's own counters; their bytes are not in the sums.
    pub readings: usize,
    /// What is no record of usage: SMS, polls that failed.
    pub asides: usize,
    /// Local times that come twice or not at all.
    pub local_times: Notes,
    /// Stretches that cannot be read.
    pub broken: usize,
    pub broken_bytes: usize,
    /// Cards or numbers named.
    pub names: usize,
    /// Records by the feed that they are of: canonical lines name their own. At most so many feeds as problems are shown.
    pub feeds: BTreeMap<String, usize>,
    /// Records of another feed than the one that was named.
    pub other_feeds: usize,
    /// Bytes of all but the repeats.
    pub up: u64,
    pub down: u64,
    /// Records that the file's header says its node has lost, at least.
    pub lost: Option<u64>,
    /// First start and last end.
    pub first: Option<UnixTime>,
    pub last: Option<UnixTime>,
    /// The first few stretches that cannot be read.
    pub problems: Vec<Problem>,
}

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Byte position in the file.
    pub at: usize,
    /// Line, from 1; of binary files it says nothing.
    pub line: usize,
    pub reason: String,
}

impl Summary {
    fn new(format: Format, bytes: usize) -> Self {
        Self {
            format,
            bytes,
            records: 0,
            nobodys: 0,
            repeats: 0,
            readings: 0,
            asides: 0,
            local_times: Notes::default(),
            broken: 0,
            broken_bytes: 0,
            names: 0,
            feeds: BTreeMap::new(),
            other_feeds: 0,
            up: 0,
            down: 0,
            lost: None,
            first: None,
            last: None,
            problems: Vec::new(),
        }
    }

    fn cdr(&mut self, cdr: &CdrIn<'_>) {
        (self.up, self.down) = (self.up.saturating_add(cdr.up), self.down.saturating_add(cdr.down));
        self.spans(cdr.start, cdr.end.max(cdr.start));
    }

    /// A record is of a feed, and `named` is what the caller said of lines.
    fn of_feed(&mut self, feed: &str, named: Option<&str>) {
        self.other_feeds += usize::from(named.is_some_and(|named| named != feed));
        if let Some(count) = self.feeds.get_mut(feed) {
            *count += 1;
        } else if self.feeds.len() < FILE_PROBLEMS_SHOWN {
            self.feeds.insert(feed.to_owned(), 1);
        }
    }

    fn spans(&mut self, from: UnixTime, to: UnixTime) {
        self.first = Some(self.first.map_or(from, |first| first.min(from)));
        self.last = self.last.max(Some(to));
    }

    fn problem(&mut self, file: &[u8], (at, bytes): (usize, usize), reason: String) {
        self.broken += 1;
        self.broken_bytes += bytes;
        if self.problems.len() < FILE_PROBLEMS_SHOWN {
            let before = file.get(..at).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            self.problems.push(Problem { at, line, reason });
        }
    }
}

/// What makes a record the same again, among those of one file.
type Identity = (CardName, String, String, UnixTime);

/// What is known of the records so far.
#[derive(Default)]
struct Known {
    names: BTreeSet<CardName>,
    seen: BTreeSet<Identity>,
}

/// Decodes a whole file.
#[must_use]
pub fn check(file: &[u8], written: Written<'_>) -> Summary {
    let mut reader = FileReader::new(file, written);
    let mut summary = Summary::new(reader.format(), file.len());
    let mut known = Known::default();
    // What a feed's block says of other nodes' records is meant; what a line says need not be what its caller does.
    let named = match written {
        Written::Known { feed } if summary.format == Format::Lines => Some(feed),
        _ => None,
    };
    while let Some(record) = reader.record() {
        match record.content {
            Content::Broken(reason) => summary.problem(file, (record.at, record.bytes.len()), reason),
            Content::Aside(_) => summary.asides += 1,
            Content::Cdr(cdr) => {
                known.names.insert(cdr.card);
                summary.of_feed(&cdr.feed, named);
                known.cdr(&mut summary, &cdr);
            }
            Content::Nobodys(cdr) => {
                summary.nobodys += 1;
                summary.of_feed(&cdr.feed, named);
                known.cdr(&mut summary, &cdr);
            }
            Content::Reading(reading) => {
                summary.of_feed(&reading.feed, named);
                known.reading(&mut summary, &reading);
            }
        }
    }
    (summary.names, summary.local_times) = (known.names.len(), reader.notes());
    if let Some(header) = header_of(file, written) {
        summary.lost = header.lost();
        if let Some(why) = header.shortfall(file.len() as u64) {
            summary.problem(file, (file.len(), 0), why);
        }
    }
    summary
}

/// The header of a TS 32.297 file.
pub(super) fn header_of(file: &[u8], written: Written<'_>) -> Option<FileHeader> {
    let is_of_nodes = match written {
        Written::Known { .. } => Format::of(file) != Format::Lines,
        Written::Feed(decoder) => decoder.gateway().is_some(),
    };
    FileHeader::of(file, Framing::of(file)).filter(|_| is_of_nodes)
}

impl Known {
    fn cdr(&mut self, summary: &mut Summary, cdr: &CdrIn<'_>) {
        summary.records += 1;
        if self.seen.insert((cdr.card, cdr.feed.to_string(), cdr.id.to_string(), cdr.start)) {
            summary.cdr(cdr);
        } else {
            summary.repeats += 1;
        }
    }

    fn reading(&mut self, summary: &mut Summary, reading: &ReadingIn<'_>) {
        self.names.insert(reading.card);
        (summary.records, summary.readings) = (summary.records + 1, summary.readings + 1);
        if self.seen.insert((reading.card, reading.feed.to_string(), reading.counter.to_string(), reading.at))
        {
            summary.spans(reading.at, reading.at);
        } else {
            summary.repeats += 1;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.format {
            Format::Lines => "canonical CDRs, one a line",
            Format::GatewayPlain => "3GPP gateway records, plain BER",
            Format::GatewayFramed => "3GPP gateway records in a TS 32.297 file",
            Format::Feed(name) => name,
        };
        writeln!(f, "format    {format}, {} bytes", self.bytes)?;
        writeln!(f, "records   {} ({} of them repeats)", self.records, self.repeats)?;
        if self.readings + self.asides > 0 {
            writeln!(
                f,
                "of these  {} totals of the carrier; besides {} that are no usage",
                self.readings, self.asides
            )?;
        }
        writeln!(f, "names     {} cards or numbers; {} records name nobody", self.names, self.nobodys)?;
        let feeds: Vec<String> = self.feeds.iter().map(|(feed, count)| format!("{feed} {count}")).collect();
        writeln!(f, "feeds     {}", feeds.join(", "))?;
        if self.other_feeds > 0 {
            writeln!(
                f,
                "  {} records name another feed than --feed, and it is theirs that counts: name that one, or have the \
                 lines written anew",
                self.other_feeds
            )?;
        }
        writeln!(f, "usage     {} bytes up, {} bytes down", self.up, self.down)?;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            writeln!(f, "time      {} to {}", time::text(first), time::text(last))?;
        }
        if let Some(lost) = self.lost {
            writeln!(
                f,
                "lost      {lost} records or more, as the file's header says: ask the carrier for them"
            )?;
        }
        let Notes { twice, skipped } = self.local_times;
        if twice + skipped > 0 {
            writeln!(f, "local     {twice} times that come twice, {skipped} that do not exist")?;
        }
        writeln!(f, "broken    {} stretches, {} bytes", self.broken, self.broken_bytes)?;
        for problem in &self.problems {
            writeln!(f, "  at byte {} (line {}): {}", problem.at, problem.line, problem.reason)?;
        }
        if self.broken > self.problems.len() {
            writeln!(f, "  and {} more", self.broken - self.problems.len())?;
        }
        Ok(())
    }
}
