//! A look at a file: what is in it, what is wrong with it and where, without any log.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::reader::{Content, FileReader, Format};
use crate::codec::json::CdrIn;
use crate::codec::time;
use crate::limits::FILE_PROBLEMS_SHOWN;
use crate::model::UnixTime;

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub format: Format,
    pub bytes: usize,
    /// Readable records: usable + nobodys.
    pub records: usize,
    /// Of them, those that name neither a card nor a number.
    pub nobodys: usize,
    /// Of them, those that repeat an earlier one's card, feed, id and start.
    pub repeats: usize,
    /// Stretches that cannot be read.
    pub broken: usize,
    pub broken_bytes: usize,
    /// Cards or numbers named.
    pub names: usize,
    /// Bytes of all but the repeats.
    pub up: u64,
    pub down: u64,
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
    pub reason: String,
}

impl Summary {
    fn cdr(&mut self, cdr: &CdrIn<'_>) {
        (self.up, self.down) = (self.up.saturating_add(cdr.up), self.down.saturating_add(cdr.down));
        self.first = Some(self.first.map_or(cdr.start, |first| first.min(cdr.start)));
        self.last = self.last.max(Some(cdr.end.max(cdr.start)));
    }

    fn problem(&mut self, at: usize, bytes: usize, reason: String) {
        self.broken += 1;
        self.broken_bytes += bytes;
        if self.problems.len() < FILE_PROBLEMS_SHOWN {
            self.problems.push(Problem { at, reason });
        }
    }
}

/// Decodes a whole file.
#[must_use]
pub fn check(file: &[u8], feed: &str) -> Summary {
    let mut reader = FileReader::new(file, feed);
    let mut summary = Summary {
        format: reader.format(),
        bytes: file.len(),
        records: 0,
        nobodys: 0,
        repeats: 0,
        broken: 0,
        broken_bytes: 0,
        names: 0,
        up: 0,
        down: 0,
        first: None,
        last: None,
        problems: Vec::new(),
    };
    let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
    while let Some(record) = reader.record() {
        let cdr = match record.content {
            Content::Broken(reason) => {
                summary.problem(record.at, record.bytes.len(), reason);
                continue;
            }
            Content::Cdr(cdr) => {
                names.insert(cdr.card);
                cdr
            }
            Content::Nobodys(cdr) => {
                summary.nobodys += 1;
                cdr
            }
        };
        summary.records += 1;
        if seen.insert((cdr.card, cdr.feed.to_string(), cdr.id.to_string(), cdr.start)) {
            summary.cdr(&cdr);
        } else {
            summary.repeats += 1;
        }
    }
    summary.names = names.len();
    summary
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.format {
            Format::Lines => "canonical CDRs, one a line",
            Format::GatewayPlain => "3GPP gateway records, plain BER",
            Format::GatewayFramed => "3GPP gateway records in a TS 32.297 file",
        };
        writeln!(f, "format    {format}, {} bytes", self.bytes)?;
        writeln!(f, "records   {} ({} of them repeats)", self.records, self.repeats)?;
        writeln!(f, "names     {} cards or numbers; {} records name nobody", self.names, self.nobodys)?;
        writeln!(f, "usage     {} bytes up, {} bytes down", self.up, self.down)?;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            writeln!(f, "time      {} to {}", time::text(first), time::text(last))?;
        }
        writeln!(f, "broken    {} stretches, {} bytes", self.broken, self.broken_bytes)?;
        for problem in &self.problems {
            writeln!(f, "  at byte {}: {}", problem.at, problem.reason)?;
        }
        if self.broken > self.problems.len() {
            writeln!(f, "  and {} more", self.broken - self.problems.len())?;
        }
        Ok(())
    }
}
