//! What must hold before a partition starts: each check a predicate with its own reason.

use super::found::Chunk;
use super::head::{Expected, Head};
use super::refused::Why;
use crate::log::{LogError, Topic, WorkerLog};
use crate::meter::FOLD_VERSION;
use crate::model::LogOffset;

/// Why a check could not be made, or did not hold.
pub(super) enum Unchecked {
    Log(LogError),
    Why(Why),
}

impl From<LogError> for Unchecked {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<Why> for Unchecked {
    fn from(why: Why) -> Self {
        Self::Why(why)
    }
}

/// Log and checkpoint have as many partitions as configured.
///
/// # Errors
/// [`Why::Partitions`].
pub(super) fn topics(log: &mut dyn WorkerLog, expected: &Expected) -> Result<(), Unchecked> {
    for topic in [Topic::Log, Topic::Checkpoint] {
        partitions(topic, log.topic(topic)?.partitions, expected.partitions, "the configuration")?;
    }
    Ok(())
}

fn partitions(topic: Topic, found: u32, expected: u32, who: &'static str) -> Result<(), Why> {
    if found == expected { Ok(()) } else { Err(Why::Partitions { topic, found, expected, who }) }
}

/// The head is of this deployment, this log and this clock.
///
/// # Errors
/// The first thing that differs.
pub(super) fn head(log: &mut dyn WorkerLog, expected: &Expected, head: &Head) -> Result<(), Unchecked> {
    if head.deployment != expected.deployment {
        let (head, ours) = (head.deployment.clone(), expected.deployment.clone());
        return Err(Why::Deployment { head, ours }.into());
    }
    if head.generation != expected.generation {
        return Err(Why::Generation { head: head.generation, ours: expected.generation }.into());
    }
    if head.clock != expected.clock {
        return Err(Why::Clock { head: head.clock, ours: expected.clock }.into());
    }
    let topic = log.topic(Topic::Log)?;
    partitions(Topic::Log, topic.partitions, head.partitions, "the head")?;
    if head.topic_id != topic.id {
        return Err(Why::TopicId { head: head.topic_id.clone(), now: topic.id }.into());
    }
    Ok(())
}

/// The log reaches as far as it is committed.
///
/// # Errors
/// [`Why::BeyondEnd`].
pub(super) fn end(head: &Head, end: LogOffset) -> Result<(), Why> {
    if head.offset <= end { Ok(()) } else { Err(Why::BeyondEnd { committed: head.offset, end }) }
}

/// The chunks can be replayed to the head: by this fold, and from a log that still has their messages.
///
/// # Errors
/// [`Why::ForeignFold`], [`Why::InputsGone`], [`Why::NotExact`] for a chunk from the future.
pub(super) fn chunks(head: &Head, chunks: &[Chunk], first: LogOffset) -> Result<(), Why> {
    let needed = chunks.iter().map(|c| c.info.offset).min().unwrap_or(head.offset);
    let latest = chunks.iter().map(|c| c.info.offset).max().unwrap_or(head.offset);
    if latest > head.offset {
        let (found, said) = (latest.0.to_string(), head.offset.0.to_string());
        let what = "the newest chunk's offset";
        return Err(Why::NotExact { what, found, head: said, offset: head.offset });
    }
    let tail = head.offset.0 - needed.0;
    if head.fold_version != FOLD_VERSION && tail > 0 {
        return Err(Why::ForeignFold {
            head: head.fold_version,
            ours: FOLD_VERSION,
            offset: head.offset,
            tail,
        });
    }
    if tail > 0 && needed < first {
        return Err(Why::InputsGone { needed, first });
    }
    Ok(())
}
