//! What a stream has missed, read again from the topics on a thread of its own, as fast as the client takes it.
//!
//! Invariant 5: a few read at a time, each holds a few events, and each ends when its client has gone.

use tokio::sync::mpsc;

use super::live::{Live, Wanted};
use super::problem::Problem;
use crate::limits::EVENTS_REPLAYED_AHEAD;
use crate::log::{LogError, Places, Replay, TopicPartition};
use crate::model::LogOffset;
use crate::shell::Happened;

/// A piece of what was missed.
pub(super) enum Replayed {
    Event(Box<Happened>),
    /// Everything of a partition before this place was told.
    Through(TopicPartition, LogOffset),
    /// Some of it is not kept any more.
    Gap(String),
    Done,
}

/// Begins to read; `None` if nothing was missed.
///
/// # Errors
/// [`Problem::Busy`]: enough others are reading.
pub(super) fn replay(
    live: &Live,
    wanted: &Wanted,
    (from, to): (Places, &Places),
) -> Result<Option<mpsc::Receiver<Replayed>>, Problem> {
    let mut missed = Vec::new();
    for (at, from) in from {
        let to = to.get(&at).copied().unwrap_or(from);
        if from < to {
            missed.push((at, from, to));
        }
    }
    if missed.is_empty() {
        return Ok(None);
    }
    let busy = || Problem::Busy("others are being told what they have missed: come again".to_owned());
    let permit = live.events.replay().ok_or_else(busy)?;
    let (tell, told) = mpsc::channel(EVENTS_REPLAYED_AHEAD);
    let (reader, wanted) = (live.reader.clone(), wanted.clone());
    tokio::task::spawn_blocking(move || {
        let read = reader().and_then(|mut reader| {
            for missed in missed {
                read_again(reader.as_mut(), missed, &wanted, &tell)?;
            }
            Ok(())
        });
        match read {
            // Whoever has gone is told nothing.
            Ok(()) => drop(tell.blocking_send(Replayed::Done)),
            Err(error) => tracing::warn!(%error, "events could not be read again: the stream ends"),
        }
        drop(permit);
    });
    Ok(Some(told))
}

/// Reads one partition. What is no longer kept is told as a gap, and what is kept behind it is read.
fn read_again(
    reader: &mut dyn Replay,
    (at, mut from, to): (TopicPartition, LogOffset, LogOffset),
    wanted: &Wanted,
    tell: &mpsc::Sender<Replayed>,
) -> Result<(), LogError> {
    while from < to {
        let read = reader.read(at, (from, to), &mut |message| match Happened::of(&message) {
            Some(event) if wanted.has(&event) => tell.blocking_send(Replayed::Event(Box::new(event))).is_ok(),
            _ => !tell.is_closed(),
        });
        from = match read {
            Err(LogError::OutOfRange { .. }) => {
                let begins = reader.begins(at)?;
                // One that begins before it was made anew: nothing there is what was asked for.
                let next = if begins > from { begins.min(to) } else { to };
                let why = format!(
                    "{} [{}]: what stood from offset {} up to {} is no longer kept",
                    at.topic, at.partition, from.0, next.0
                );
                drop(tell.blocking_send(Replayed::Gap(why)));
                next
            }
            read => {
                read?;
                to
            }
        };
    }
    drop(tell.blocking_send(Replayed::Through(at, to)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::limits::DAY_S;
    use crate::log::file::{FileReplay, Store};
    use crate::log::{Output, Topic};

    const AT: TopicPartition = TopicPartition { topic: Topic::Alerts, partition: 0 };
    const NOW_MS: i64 = 100 * DAY_S * 1_000;

    fn event(time_ms: i64) -> Output {
        Output {
            topic: AT.topic,
            partition: Some(AT.partition),
            key: b"8986001234567890123".to_vec(),
            value: Some(b"{}".to_vec()),
            headers: Vec::new(),
            time_ms: Some(time_ms),
        }
    }

    /// Offsets of the events, and what else is told, of a log that has forgotten the offsets 0 to 2 and holds 3 and 4.
    fn told(from: u64, to: u64) -> Vec<String> {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Store::open(directory.path(), 1, Arc::new(|| NOW_MS)).expect("a log");
        let times = [0, 0, 0, NOW_MS, NOW_MS];
        open().append(times.map(event).into(), &[]).expect("appended");
        let mut reader = FileReplay(open());
        let (tell, mut told) = mpsc::channel(EVENTS_REPLAYED_AHEAD);
        let range = (AT, LogOffset(from), LogOffset(to));
        read_again(&mut reader, range, &Wanted::default(), &tell).expect("read");
        drop(tell);
        let words = |told| match told {
            Replayed::Event(event) => event.offset.0.to_string(),
            Replayed::Through(_, place) => format!("through {}", place.0),
            Replayed::Gap(why) => why,
            Replayed::Done => "done".to_owned(),
        };
        std::iter::from_fn(|| told.blocking_recv()).map(words).collect()
    }

    #[test]
    fn what_is_kept_behind_a_gap_is_told() {
        let gap =
            |from, to| format!("card.alerts [0]: what stood from offset {from} up to {to} is no longer kept");
        assert_eq!(told(1, 5), [&gap(1, 3), "3", "4", "through 5"]);
        assert_eq!(told(0, 2), [&gap(0, 2), "through 2"]);
        assert_eq!(told(3, 5), ["3", "4", "through 5"]);
        // Of a log that was made anew nothing is what was missed.
        assert_eq!(told(6, 8), [&gap(6, 8), "through 8"]);
    }
}
