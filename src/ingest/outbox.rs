//! Messages on their way to the log: sent in order, kept until acknowledged, sent again when the log lost them.
//!
//! Invariant: a letter leaves only by its acknowledgement, and then names the outside records that it carried.

use std::collections::{HashMap, VecDeque};

use super::sources::Ref;
use crate::log::{IngestLog, LogError, Output};

/// A message with the outside records that are finished by its acknowledgement.
#[derive(Debug)]
pub(super) struct Letter {
    pub output: Output,
    pub carried: Vec<Ref>,
}

/// Letters not yet acknowledged.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    made: u64,
    waiting: VecDeque<u64>,
    letters: HashMap<u64, Letter>,
}

impl Outbox {
    /// Puts a letter at the end of the queue.
    pub(super) fn post(&mut self, letter: Letter) {
        self.made += 1;
        self.letters.insert(self.made, letter);
        self.waiting.push_back(self.made);
    }

    pub(super) fn post_all(&mut self, letters: impl IntoIterator<Item = Letter>) {
        for letter in letters {
            self.post(letter);
        }
    }

    /// Hands letters to the log until its queue is full.
    pub(super) fn send(&mut self, log: &mut impl IngestLog) -> Result<(), LogError> {
        while let Some(token) = self.waiting.front().copied() {
            if let Some(letter) = self.letters.get(&token) {
                match log.produce(token, &letter.output) {
                    Ok(()) => {}
                    Err(LogError::Retriable(_)) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Takes acknowledgements, waiting up to `wait_ms` for a first one; letters that the log lost wait again, before
    /// all others and in their order.
    pub(super) fn collect(
        &mut self,
        log: &mut impl IngestLog,
        wait_ms: u64,
        mut done: impl FnMut(Letter),
    ) -> Result<usize, LogError> {
        let (mut lost, mut failed, mut count) = (Vec::new(), None, 0);
        log.acked(wait_ms, &mut |token, result| match result {
            Ok(()) => {
                count += 1;
                if let Some(letter) = self.letters.remove(&token) {
                    done(letter);
                }
            }
            Err(LogError::Retriable(_)) => lost.push(token),
            Err(error) => failed = Some(error),
        });
        lost.sort_unstable();
        for token in lost.into_iter().rev() {
            self.waiting.push_front(token);
        }
        failed.map_or(Ok(count), Err)
    }

    pub(super) fn len(&self) -> usize {
        self.letters.len()
    }
}
