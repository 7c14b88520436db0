//! What carriers' platforms send → canonical CDRs and readings, one file a format.
//!
//! | format | file | source document |
//! |---|---|---|
//! | `1nce` | `onence` | 1NCE developer hub, "Usage Records" |
//! | `emnify` | `emnify` | emnify product documentation, "Data Streamer: stream types" |
//! | `soracom` | `soracom` | Soracom API, `AirStatsResponse` |
//! | `super-sim` | `super_sim` | Twilio Super SIM, "UsageRecord resource" |
//! | `control-center` | `control_center` | Cisco IoT Control Center, "Get Device Usage" |
//!
//! A message, or a file, is first cut into [`Piece`]s ([`Decoder::pieces`]), each of which is then read by itself
//! ([`Decoder::read`]): so each has one outcome, and one that is broken takes no other with it. `docs/feeds.md` says what
//! is taken from where.
//!
//! Invariant: no bytes whatever make it panic; every byte is in a piece, or is what holds pieces together; units are
//! converted here, exactly or not at all, and nowhere later.

mod control_center;
mod decimal;
mod emnify;
mod object;
mod onence;
mod pieces;
mod soracom;
mod stream;
mod super_sim;
#[cfg(test)]
mod tests;

pub use pieces::Piece;

use crate::codec::json::{CdrIn, JsonError, ReadingIn};

/// The form of a feed's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    #[serde(rename = "1nce")]
    Onence,
    Emnify,
    Soracom,
    SuperSim,
    ControlCenter,
}

impl Format {
    pub const ALL: [Self; 5] =
        [Self::Onence, Self::Emnify, Self::Soracom, Self::SuperSim, Self::ControlCenter];

    /// The name in configuration and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Onence => "1nce",
            Self::Emnify => "emnify",
            Self::Soracom => "soracom",
            Self::SuperSim => "super-sim",
            Self::ControlCenter => "control-center",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// What a piece says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said<'a> {
    Cdr(CdrIn<'a>),
    Reading(ReadingIn<'a>),
    /// Nothing about usage of data, and what it is instead: an SMS, a poll that failed. It is no record.
    Aside(&'static str),
}

/// Reads the messages of one feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoder {
    feed: String,
    format: Format,
}

impl Decoder {
    /// A decoder of what comes as the records of a feed.
    #[must_use]
    pub fn new(feed: &str, format: Format) -> Self {
        Self { feed: feed.to_owned(), format }
    }

    #[must_use]
    pub fn feed(&self) -> &str {
        &self.feed
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Cuts a message or a file into pieces, in order.
    #[must_use]
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> Vec<Piece<'a>> {
        match self.format {
            Format::Onence | Format::Emnify | Format::ControlCenter => pieces::values(bytes),
            Format::Soracom => soracom::pieces(bytes),
            Format::SuperSim => super_sim::pieces(bytes),
        }
    }

    /// Reads a piece.
    ///
    /// # Errors
    /// The first field that is missing, of another type or out of bounds, with its byte in the piece.
    pub fn read<'a>(&'a self, piece: &Piece<'a>) -> Result<Said<'a>, JsonError> {
        if let Some(fault) = piece.fault {
            return Err(JsonError::new("", fault, ""));
        }
        let read = match self.format {
            Format::Onence => onence::read(piece.bytes, &self.feed),
            Format::Emnify => emnify::read(piece.bytes, &self.feed),
            Format::Soracom => soracom::read(piece, &self.feed),
            Format::SuperSim => super_sim::read(piece, &self.feed),
            Format::ControlCenter => control_center::read(piece.bytes, &self.feed),
        };
        read.map_err(|error| error.locate(piece.bytes))
    }
}
