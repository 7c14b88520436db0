//! What carriers' platforms send → canonical CDRs and readings, one file a format.
//!
//! | format | file | source document |
//! |---|---|---|
//! | `1nce` | `onence` | 1NCE developer hub, "Usage Records" |
//! | `emnify` | `emnify` | emnify product documentation, "Data Streamer: stream types" |
//! | `soracom` | `soracom` | Soracom API, `AirStatsResponse` |
//! | `super-sim` | `super_sim` | Twilio Super SIM, "UsageRecord resource" |
//! | `control-center` | `control_center` | Cisco IoT Control Center, "Get Device Usage" |
//! | `mapped-csv`, `mapped-json` | `mapped` | none: the configuration says where everything stands |
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
pub mod feed;
pub mod mapped;
mod object;
mod onence;
mod pieces;
mod soracom;
mod stream;
mod super_sim;
#[cfg(test)]
mod tests;

pub use mapped::{Mapping, Notes};
pub use pieces::Piece;

use crate::codec::json::{CdrIn, JsonError, ReadingIn};

/// A platform whose messages are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Onence,
    Emnify,
    Soracom,
    SuperSim,
    ControlCenter,
}

impl Platform {
    pub const ALL: [Self; 5] =
        [Self::Onence, Self::Emnify, Self::Soracom, Self::SuperSim, Self::ControlCenter];

    /// The format's name in configuration and on the command line.
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

    /// The platform with that format.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name() == name)
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

/// How a feed's messages are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    Platform(Platform),
    Mapped(Box<Mapping>),
}

impl Decoder {
    /// A decoder of what comes as the records of a feed.
    #[must_use]
    pub fn new(feed: &str, format: Format) -> Self {
        Self { feed: feed.to_owned(), format }
    }

    /// The same of a platform's messages.
    #[must_use]
    pub fn of(feed: &str, platform: Platform) -> Self {
        Self::new(feed, Format::Platform(platform))
    }

    #[must_use]
    pub fn feed(&self) -> &str {
        &self.feed
    }

    /// The format's name.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match &self.format {
            Format::Platform(platform) => platform.name(),
            Format::Mapped(mapping) => mapping.format(),
        }
    }

    /// Cuts a message or a file into pieces, in order.
    #[must_use]
    pub fn pieces<'a>(&'a self, bytes: &'a [u8]) -> Vec<Piece<'a>> {
        match &self.format {
            Format::Platform(Platform::Onence | Platform::Emnify | Platform::ControlCenter) => {
                pieces::values(bytes)
            }
            Format::Platform(Platform::Soracom) => soracom::pieces(bytes),
            Format::Platform(Platform::SuperSim) => super_sim::pieces(bytes),
            Format::Mapped(mapping) => mapping.pieces(bytes),
        }
    }

    /// Reads a piece. What was met on the way is added to `notes`.
    ///
    /// # Errors
    /// The first field that is missing, of another type or out of bounds, with its byte in the piece.
    pub fn read<'a>(&'a self, piece: &Piece<'a>, notes: &mut Notes) -> Result<Said<'a>, JsonError> {
        if let Some(fault) = piece.fault {
            return Err(JsonError::new("", fault, ""));
        }
        let platform = match &self.format {
            Format::Mapped(mapping) => return mapping.read(piece, &self.feed, notes),
            Format::Platform(platform) => platform,
        };
        let read = match platform {
            Platform::Onence => onence::read(piece.bytes, &self.feed),
            Platform::Emnify => emnify::read(piece.bytes, &self.feed),
            Platform::Soracom => soracom::read(piece, &self.feed),
            Platform::SuperSim => super_sim::read(piece, &self.feed),
            Platform::ControlCenter => control_center::read(piece.bytes, &self.feed),
        };
        read.map_err(|error| error.locate(piece.bytes))
    }
}
