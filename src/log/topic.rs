//! The topics of the contract, without the deployment's prefix.

use std::fmt;

/// One topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    Cdr,
    Modem,
    Commands,
    Alerts,
    Activations,
    Lifecycle,
    Directory,
    Parked,
    FeedEvents,
    Quarantine,
    DeadLetter,
    Log,
    Checkpoint,
    Owners,
    /// A feed's own topic, in a format of its own; by its whole name, as the brokers have it.
    Raw(&'static str),
}

/// How long a topic keeps its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    Days(u32),
    /// The last message of each key.
    Compact,
}

impl Topic {
    /// Every topic of the contract; raw ones are not among them.
    pub const ALL: [Self; 14] = [
        Self::Cdr,
        Self::Modem,
        Self::Commands,
        Self::Alerts,
        Self::Activations,
        Self::Lifecycle,
        Self::Directory,
        Self::Parked,
        Self::FeedEvents,
        Self::Quarantine,
        Self::DeadLetter,
        Self::Log,
        Self::Checkpoint,
        Self::Owners,
    ];

    /// The raw topic of that name. The name is kept for the life of the process: for the few of a configuration.
    #[must_use]
    pub fn raw(name: &str) -> Self {
        Self::Raw(Box::leak(name.into()))
    }

    /// The name without prefix; a raw topic has none.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cdr => "usage.cdr",
            Self::Modem => "usage.modem",
            Self::Commands => "card.commands",
            Self::Alerts => "card.alerts",
            Self::Activations => "card.activations",
            Self::Lifecycle => "card.lifecycle",
            Self::Directory => "card.directory",
            Self::Parked => "tidegauge.parked",
            Self::FeedEvents => "feed.events",
            Self::Quarantine => "usage.quarantine",
            Self::DeadLetter => "usage.dead-letter",
            Self::Log => "tidegauge.log",
            Self::Checkpoint => "tidegauge.checkpoint",
            Self::Owners => "tidegauge.owners",
            Self::Raw(name) => name,
        }
    }

    /// The topic of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// How long it keeps what it holds.
    #[must_use]
    pub fn retention(self) -> Retention {
        match self {
            Self::Directory | Self::Checkpoint | Self::Owners => Retention::Compact,
            Self::Parked => Retention::Days(3),
            Self::Log => Retention::Days(40),
            Self::Commands | Self::Quarantine | Self::DeadLetter => Retention::Days(90),
            Self::Cdr | Self::Modem | Self::FeedEvents | Self::Raw(_) => Retention::Days(7),
            Self::Alerts | Self::Activations | Self::Lifecycle => Retention::Days(30),
        }
    }

    /// Topics whose partition `p` belongs to the owner of log partition `p`: as many partitions as the log.
    #[must_use]
    pub fn follows_log(self) -> bool {
        matches!(self, Self::Log | Self::Checkpoint)
    }

    /// The topics that ingest reads as a group, besides the raw ones of its feeds.
    pub const OUTSIDE: [Self; 4] = [Self::Cdr, Self::Modem, Self::Commands, Self::Parked];
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
