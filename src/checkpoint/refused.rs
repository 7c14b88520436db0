//! Why a partition does not start. Every message says where, what, and what to do: an operator reads it at night.

use super::chunk::ChunkError;
use super::frame::FrameError;
use super::key::Key;
use crate::log::Topic;
use crate::model::Clock;
use crate::model::LogOffset;

/// A partition that was not restored. It stays assigned and paused; the others go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition}: {why}")]
pub struct Refused {
    pub partition: u32,
    pub why: Why,
}

/// The reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error(
        "the group has no offset on {log} and {cp} has no head: start with --new if this deployment is new, \
         else find out who deleted them",
        log = Topic::Log, cp = Topic::Checkpoint
    )]
    NothingThere,
    #[error(
        "new, but {log} begins at offset {}: what came before is gone, so no state can be right; \
         make the topic anew", first.0, log = Topic::Log
    )]
    NewOnOldLog { first: LogOffset },
    #[error(
        "the group is committed at {log} offset {} and {cp} has no head: the checkpoint topic was emptied or \
         made anew; restore it from a backup, or start anew (docs/operations.md, When the state is lost)", committed.0, log = Topic::Log, cp = Topic::Checkpoint
    )]
    NoHead { committed: LogOffset },
    #[error(
        "{cp} has a head at offset {} and the group has no offset on {log}: the group was deleted, renamed or has \
         expired; set its offset to {} and start again", head.0, head.0, log = Topic::Log, cp = Topic::Checkpoint
    )]
    NoOffset { head: LogOffset },
    #[error(
        "the head stands at {log} offset {} and the group is committed at {}: they are written in one transaction, so \
         one of them was changed by hand; set the group's offset to {}", head.0, committed.0, head.0, log = Topic::Log
    )]
    NotAtCommit { committed: LogOffset, head: LogOffset },
    #[error(
        "{cp} offset {}, key {key}: {error}; the record is damaged: restore the topic from a replica or a backup",
        place.0, cp = Topic::Checkpoint
    )]
    Record { place: LogOffset, key: Key, error: FrameError },
    #[error("{cp}: {error}; restore the topic from a replica or a backup, or start anew \
         (docs/operations.md, When the state is lost)", cp = Topic::Checkpoint)]
    Chunk { error: ChunkError },
    #[error(
        "{cp}: catalogue version {version} is missing, and a chunk needs it; restore the topic from a backup, or start \
         anew (docs/operations.md, When the state is lost)",
        cp = Topic::Checkpoint
    )]
    Catalogue { version: u32 },
    #[error(
        "the head was made of {log} with topic id {head}, the topic's id is now {now}: it was deleted and made again, \
         so its offsets mean other records; start anew (docs/operations.md, When the state is lost)", log = Topic::Log
    )]
    TopicId { head: String, now: String },
    #[error(
        "{topic} has {found} partitions, {expected} are expected ({who} says so): the number never changes: \
         set kafka.partitions to what the log was made with"
    )]
    Partitions { topic: Topic, found: u32, expected: u32, who: &'static str },
    #[error(
        "{log} begins at offset {}, the oldest chunk needs it from {} on: retention has overtaken the checkpoint; \
         raise retention.ms of the topic, and start anew (docs/operations.md, When the state is lost)", first.0, needed.0, log = Topic::Log
    )]
    InputsGone { needed: LogOffset, first: LogOffset },
    #[error(
        "the group is committed at {log} offset {}, the log ends at {}: it was cut short or made anew (unclean leader \
         election?); do not start over it", committed.0, end.0, log = Topic::Log
    )]
    BeyondEnd { committed: LogOffset, end: LogOffset },
    #[error(
        "the head at {log} offset {} was made by fold version {head}, this program has {ours}, and {} messages are left \
         to replay: run `tidegauge drain` with the old program, then start this one", offset.0, tail, log = Topic::Log
    )]
    ForeignFold { head: u32, ours: u32, offset: LogOffset, tail: u64 },
    #[error(
        "the deployment's clock is {head:?} (head of {cp}), this worker runs with {ours:?}: the mode never changes; \
         start with the right --clock", cp = Topic::Checkpoint
    )]
    Clock { head: Clock, ours: Clock },
    #[error(
        "the head names deployment {head:?}, this worker is configured for {ours:?}: check `deployment` and the topic \
         prefix"
    )]
    Deployment { head: String, ours: String },
    #[error("the head is of generation {head}, this worker is configured for {ours}: check `generation`")]
    Generation { head: u32, ours: u32 },
    #[error(
        "the chunks cannot be read back: {0}; restore {cp} from a backup, or start anew (docs/operations.md, \
         When the state is lost)", cp = Topic::Checkpoint
    )]
    Meter(String),
    #[error(
        "replay of {log} offset {} failed: {detail}; the same message was folded before, so program or state differ: \
         start the version that made the checkpoint", offset.0, log = Topic::Log
    )]
    Replay { offset: LogOffset, detail: String },
    #[error(
        "after the replay {what} is {found}, the head at {log} offset {} says {head}: the state is not exact and does \
         not run; keep both topics for an inquiry", offset.0, log = Topic::Log
    )]
    NotExact { what: &'static str, found: String, head: String, offset: LogOffset },
    #[error("{0}")]
    Log(String),
}
