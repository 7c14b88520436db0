//! The topics of a deployment: what they should be, what they are, the differences, and how to remove them.
//!
//! Nothing here deletes anything, lowers a retention, or changes what would move keys to other partitions: such a
//! difference is reported, with what to do by hand.

mod admin;
mod wanted;

pub use admin::{apply, found, plan};
pub use wanted::{Found, Stamps, TopicSpec, Wanted};

use std::fmt;

use crate::log::Topic;

/// One way in which the brokers are not as they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The topic is not there.
    Missing(TopicSpec),
    /// It has another number of partitions. More would move keys, so nothing is done.
    Partitions { topic: Topic, is: u32, should: u32 },
    /// It has fewer copies.
    Replication { topic: Topic, is: u16, should: u16 },
    /// A setting has another value.
    Setting { topic: Topic, name: &'static str, is: Option<String>, should: String },
}

/// Who removes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// [`apply`] does.
    Applied,
    /// Somebody must: see the difference's text.
    ByHand,
}

impl Difference {
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Missing(_) | Self::Setting { .. } => Remedy::Applied,
            Self::Partitions { .. } | Self::Replication { .. } => Remedy::ByHand,
        }
    }

    /// What [`apply`] has done about it; what is left to do by hand reads as it did.
    #[must_use]
    pub fn done(&self) -> String {
        match self {
            Self::Missing(spec) => format!(
                "{}: created with {} partitions, {} copies",
                spec.topic, spec.partitions, spec.replication
            ),
            Self::Setting { topic, name, is, should } => {
                format!("{topic}: {name} set to {should}, was {}", is.as_deref().unwrap_or("not set"))
            }
            Self::Partitions { .. } | Self::Replication { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(spec) => write!(
                f,
                "{}: missing; to be created with {} partitions, {} copies",
                spec.topic, spec.partitions, spec.replication
            ),
            Self::Partitions { topic, is, should } if topic.follows_log() => write!(
                f,
                "{topic}: {is} partitions, should be {should}; the number is fixed when the log is made: \
                 set kafka.partitions to {is}"
            ),
            Self::Partitions { topic, is, should } => write!(
                f,
                "{topic}: {is} partitions, should be {should}; nothing depends on it but the order within a key: \
                 change it with kafka-topics.sh --alter if you want it so"
            ),
            Self::Replication { topic, is, should } => write!(
                f,
                "{topic}: {is} copies, should be {should}; add copies with kafka-reassign-partitions.sh"
            ),
            Self::Setting { topic, name, is, should } => {
                write!(f, "{topic}: {name} is {}, should be {should}", is.as_deref().unwrap_or("not set"))
            }
        }
    }
}
