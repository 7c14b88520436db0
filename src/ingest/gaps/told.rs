//! What is told of a gap, as a CloudEvent of `feed.events`.

use serde_json::json;

use super::Lost;
use super::rhythm::Silence;
use super::series::Changed;
use crate::codec::event::CloudEvent;
use crate::codec::time;
use crate::log::{Output, Topic};

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Records of a node, by the node's own numbers.
    Records,
    /// Files of a series, by the numbers in their names or headers.
    Files,
    /// Records that their node has lost, as the header of a file says.
    Lost,
    /// Anything at all.
    Silence,
}

impl Kind {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Files => "files",
            Self::Lost => "lost",
            Self::Silence => "silence",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Opened,
    Closed(Reason),
}

/// Why a gap is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// All that was missing has come.
    Filled,
    /// Something came after a silence.
    Resumed,
    /// It is waited for no longer: too old, or too many gaps. What was missing is missing still.
    GivenUp,
}

impl Reason {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Filled => "filled",
            Self::Resumed => "resumed",
            Self::GivenUp => "given-up",
        }
    }
}

/// A gap that was opened or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub feed: String,
    pub kind: Kind,
    pub change: Change,
    /// Who numbers; empty where nobody does.
    pub node: String,
    /// First and last number missing; of lost records the file's number, twice; of a silence its begin and how long it may be,
    /// milliseconds.
    pub first: u64,
    pub last: u64,
    /// How often the numbers had begun anew before; of lost records when the file was opened, packed.
    pub lap: u64,
    /// How many are missing still.
    pub missing: u64,
    pub noticed_ms: i64,
    pub at_ms: i64,
}

impl Told {
    pub(super) fn of(feed: &str, kind: Kind, node: &str, changed: Changed) -> Self {
        let Changed { change, first, last, lap, missing, noticed_ms, at_ms } = changed;
        let (feed, node) = (feed.to_owned(), node.to_owned());
        Self { feed, kind, change, node, first, last, lap, missing, noticed_ms, at_ms }
    }

    pub(super) fn lost(feed: &str, lost: &Lost, change: Change, at_ms: i64) -> Self {
        let Lost { node, number, opened, count, noticed_ms } = lost;
        Self {
            feed: feed.to_owned(),
            kind: Kind::Lost,
            change,
            node: node.clone(),
            first: u64::from(*number),
            last: u64::from(*number),
            lap: u64::from(*opened),
            missing: *count,
            noticed_ms: *noticed_ms,
            at_ms,
        }
    }

    pub(super) fn silent(feed: &str, silence: Silence, now_ms: i64) -> Self {
        Self {
            feed: feed.to_owned(),
            kind: Kind::Silence,
            change: Change::Opened,
            node: String::new(),
            first: silence.since_ms.max(0) as u64,
            last: silence.allowed_ms.max(0) as u64,
            lap: 0,
            missing: 0,
            noticed_ms: silence.told_ms,
            at_ms: now_ms,
        }
    }

    pub(super) fn resumed(feed: &str, silence: Silence, now_ms: i64) -> Self {
        Self { change: Change::Closed(Reason::Resumed), ..Self::silent(feed, silence, now_ms) }
    }

    /// What names the gap, whoever tells of it and how often.
    #[must_use]
    pub fn name(&self) -> String {
        let Self { feed, kind, node, lap, first, .. } = self;
        match kind {
            Kind::Silence => format!("{feed}/silence/{first}"),
            Kind::Records | Kind::Files | Kind::Lost => {
                format!("{feed}/{}/{node}/{lap}/{first}", kind.name())
            }
        }
    }

    /// What is said of it: the data of its event.
    #[must_use]
    pub fn data(&self) -> serde_json::Value {
        let mut data =
            json!({ "feed": self.feed, "kind": self.kind.name(), "noticed": utc(self.noticed_ms) });
        if self.kind == Kind::Silence {
            data["since"] = utc(i64::try_from(self.first).unwrap_or(i64::MAX)).into();
            data["allowed_seconds"] = (self.last / 1_000).into();
        } else {
            data["node"] = self.node.as_str().into();
            data["first"] = self.first.into();
            data["last"] = self.last.into();
            data["missing"] = self.missing.into();
        }
        if let Change::Closed(reason) = self.change {
            data["reason"] = reason.name().into();
        }
        data
    }

    /// The message that tells it.
    #[must_use]
    pub fn output(&self, deployment: &str) -> Output {
        let kind = match self.change {
            Change::Opened => "feed.gap.opened",
            Change::Closed(_) => "feed.gap.closed",
        };
        let event = CloudEvent::new(kind, format!("{kind}/{}", self.name()), self.feed.clone(), deployment);
        let event = CloudEvent { time: utc(self.at_ms), data: self.data(), ..event };
        event.output(Topic::FeedEvents, self.feed.clone().into_bytes(), None)
    }
}

fn utc(ms: i64) -> String {
    time::text(ms.div_euclid(1_000))
}
