//! The file in hand as it is read: a window of it at a time, and what is counted of it on the way.
//!
//! Invariant: once [`Open::read`] says that it has ended, nothing more is read of it, and it says as what it is put aside.

use super::kept::{Place, Read};
use super::one::Reach;
use super::open::{Progress, Source};
use super::scan::Aside;
use crate::ingest::file::{Content, Stream, StreamError};
use crate::ingest::formats::feed::Feed;
use crate::ingest::gaps::{Kind, Seen};

/// A file that is read.
pub(super) struct Open {
    pub(super) stream: Stream<Source>,
    /// Of the file as it stands on the disk.
    pub(super) progress: Progress,
    pub(super) told_ms: i64,
    /// What was read of it, before it was opened too.
    pub(super) read: Read,
}

impl Open {
    /// Nothing behind here can be read.
    pub(super) fn break_off(&mut self, feed: &str, file: &Place, why: &str, reach: &mut Reach<'_>) {
        let at = self.stream.position();
        tracing::error!(feed, file = file.name, byte = at, "{why}");
        let reason = format!("feed {feed}, file {}: from byte {at} on: {why}", file.name);
        // It may have broken off before anything of it was handed over.
        let known_ms = reach.out.time_ms().unwrap_or(reach.now_ms);
        reach.out.begin(&format!("{feed}/{}", file.name), known_ms);
        reach.out.broken_off(at, &reason, reach.now_ms);
        self.read.ended = Some(Aside::Broken);
    }

    pub(super) fn window(
        &mut self,
        feed: &Feed,
        file: &Place,
        reach: &mut Reach<'_>,
    ) -> Result<(), StreamError> {
        let decoder = &feed.decoder;
        let id = feed.decoder.feed();
        let supplied =
            if reach.supplied { self.stream.last_end(decoder, reach.now_ms / 1_000)? } else { None };
        // A window without any time that can be right moves no clock.
        let known_ms = reach.out.time_ms().unwrap_or(reach.now_ms);
        let time_ms = supplied.map_or(known_ms, |end| end.saturating_mul(1_000));
        reach.out.begin(&format!("{id}/{}", file.name), time_ms);
        let (before, now_ms) = (self.stream.notes(), reach.now_ms);
        let Self { stream, read, .. } = self;
        let more = stream.window(decoder, &mut |record| {
            read.records += 1;
            read.broken += u64::from(matches!(record.content, Content::Broken(_)));
            reach.out.record(record, now_ms);
            let Some((start, _)) = record.times() else { return };
            if let Some(end) = record.end_by(now_ms / 1_000) {
                reach.gaps.record(id, end);
            }
            if let Some((node, number)) = &record.number {
                reach.gaps.number(
                    id,
                    Seen { kind: Kind::Records, node, number: *number, at: Some(start) },
                    now_ms,
                );
            }
        })?;
        let notes = self.stream.notes();
        reach.out.met(notes.since(before));
        if !more
            && let Some(why) =
                self.stream.file_header().and_then(|header| header.shortfall(self.stream.position()))
        {
            self.break_off(id, file, &why, reach);
        } else if !more {
            // A file of which nothing could be read is kept as broken; of others each dead letter has its piece.
            let nothing = self.read.broken > 0 && self.read.broken == self.read.records;
            self.read.ended = Some(if nothing { Aside::Broken } else { Aside::Done });
        }
        Ok(())
    }
}
