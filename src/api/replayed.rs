//! What a stream has missed, read again from the topics on a thread of its own, as fast as the client takes it.
//!
//! Invariant 5: a few read at a time, each holds a few events, and each ends when its client has gone.

use tokio::sync::mpsc;

use super::live::{Live, Wanted};
use super::problem::Problem;
use crate::limits::EVENTS_REPLAYED_AHEAD;
use crate::log::{LogError, Places, TopicPartition};
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

fn read_again(
    reader: &mut dyn crate::log::Replay,
    (at, from, to): (TopicPartition, LogOffset, LogOffset),
    wanted: &Wanted,
    tell: &mpsc::Sender<Replayed>,
) -> Result<(), LogError> {
    let read = reader.read(at, (from, to), &mut |message| match Happened::of(&message) {
        Some(event) if wanted.has(&event) => tell.blocking_send(Replayed::Event(Box::new(event))).is_ok(),
        _ => !tell.is_closed(),
    });
    match read {
        Err(LogError::OutOfRange { .. }) => {
            let why = format!("{} [{}]: offset {} is no longer kept", at.topic, at.partition, from.0);
            drop(tell.blocking_send(Replayed::Gap(why)));
        }
        read => read?,
    }
    drop(tell.blocking_send(Replayed::Through(at, to)));
    Ok(())
}
