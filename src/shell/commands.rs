//! Commands that reach the log through this process, and their answers on the way back.
//!
//! A command that comes by HTTP takes the same way as any other: through `card.commands` into the log. Nothing is decided
//! here, so a crash between sending and answering loses nothing: sent again under its id, it has its effect once.

use std::sync::Arc;

use super::answers::Answers;
use crate::log::CommandLog;

/// The way of commands into the log and of answers back.
#[derive(Clone)]
pub struct Commands {
    pub log: Arc<dyn CommandLog>,
    pub answers: Arc<Answers>,
}
