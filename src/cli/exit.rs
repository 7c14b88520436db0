//! Exit codes, after BSD's `sysexits.h` where it has one.

use std::fmt::Display;
use std::process::{ExitCode, Termination};

use anyhow::anyhow;

use super::kafka;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// What was typed cannot be read: clap's, and ours where clap cannot know.
    Usage = 2,
    BadData = 65,
    Unavailable = 69,
    /// The command was taken, its answer has not come.
    Unanswered = 75,
    Configuration = 78,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// An error with its kind.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: anyhow::Error,
    pub(super) exit: Exit,
}

impl Failed {
    /// What was typed cannot be read.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), exit: Exit::Usage }
    }

    /// The log did not give what it was asked for, and the command ends with that.
    pub(super) fn of_log(error: &impl Display) -> Self {
        Self::unavailable(anyhow!(kafka::ended(error)))
    }

    /// What was given to us cannot be read.
    pub(super) fn bad_data(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), exit: Exit::BadData }
    }

    /// What is configured or asked for does not fit what is there.
    pub(super) fn configuration(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), exit: Exit::Configuration }
    }

    /// Kafka, ClickHouse or a running instance is not there.
    pub(super) fn unavailable(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), exit: Exit::Unavailable }
    }
}

impl From<crate::config::ConfigError> for Failed {
    fn from(error: crate::config::ConfigError) -> Self {
        Self { error: error.into(), exit: Exit::Configuration }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self { error, exit: Exit::Failed }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self { error: error.into(), exit: Exit::Failed }
    }
}
