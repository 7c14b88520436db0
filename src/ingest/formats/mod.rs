//! What carriers' platforms send → canonical CDRs and readings, one file a format.
//!
//! | format | file | source document |
//! |---|---|---|
//! | `1nce` | `onence` | 1NCE developer hub, "Usage Records" |
//! | `emnify` | `emnify` | emnify product documentation, "Data Streamer: stream types" |
//! | `soracom` | `soracom` | Soracom API, `AirStatsResponse` |
//! | `super-sim` | `super_sim` | Twilio Super SIM, "UsageRecord resource" |
//! | `control-center` | `control_center` | Cisco IoT Control Center, "Get Device Usage" |
//! | `pgw-cdr`, `sgw-cdr`, `chf-cdr` | `gateway` | 3GPP TS 32.298, TS 32.297 |
//! | `mapped-csv`, `mapped-json` | `mapped` | none: the configuration says where everything stands |
//!
//! A message, or a file, is first cut into [`Piece`]s ([`Decoder::pieces`]), each of which is then read by itself
//! ([`Decoder::read`]): so each has one outcome, and one that is broken takes no other with it. `docs/feeds.md` says what
//! is taken from where.
//!
//! Invariant: no bytes whatever make it panic (and if some did, they alone would be lost: `ingest::guarded`); every
//! byte is in a piece, or is what holds pieces together; units are converted here, exactly or not at all, and nowhere
//! later.

mod control_center;
mod decimal;
mod emnify;
pub mod feed;
pub mod folder;
pub mod gateway;
pub mod mapped;
pub mod names;
mod object;
mod onence;
mod pieces;
mod soracom;
mod stream;
mod super_sim;
#[cfg(test)]
mod tests;

pub use mapped::{Mapping, Notes};
pub(in crate::ingest) use pieces::BOM;
pub use pieces::Piece;

use std::borrow::Cow;

use super::guarded::guarded;
use crate::codec::json::{CdrIn, JsonError, ReadingIn};
use crate::ingest::pgw::{RecordError, RecordType, UsageRecord};
use gateway::Gateway;

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

/// What becomes of a text that cannot even be cut.
pub(super) const PANICKED: &str =
    "the program panicked as it cut this into records: please report it with the file";

/// What a piece says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said<'a> {
    Cdr(CdrIn<'a>),
    /// Usage that names neither a card nor a number; the name in it is no one's.
    Nobodys(CdrIn<'a>),
    Reading(ReadingIn<'a>),
    /// Nothing about usage of data, and what it is instead: an SMS, a poll that failed. It is no record.
    Aside(&'static str),
}

/// The node that numbered a record, and the number.
pub type Numbered<'a> = (Cow<'a, str>, u64);

/// Why a piece is no record, with the field and its place where there are such.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Seen before it was read.
    #[error("{0}")]
    Fault(&'static str),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(
        "the program panicked as it read this ({0}): please report it with the record, which can be brought again once that is mended"
    )]
    Panicked(String),
    #[error(
        "a record of a {kind} in a feed of {own} records: nodes count the same traffic, so it is not taken unasked; name \
         the feed that it is of in `also` of the block of feeds, or bring it by --format of its own"
    )]
    Other { kind: &'static str, own: &'static str },
}

/// What reading needs room for, used again from piece to piece, and what was met on the way.
#[derive(Debug, Default)]
pub struct Buffers {
    pub notes: Notes,
    record: UsageRecord,
    packed: Vec<u8>,
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
    Gateway(Gateway),
    Mapped(Box<Mapping>),
}

/// Where a file of a feed may be cut between its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Behind each line.
    Lines,
    /// Between nodes' records.
    Records,
    /// Between rows, which may go over lines.
    Rows,
    /// Nowhere.
    Whole,
}

impl Format {
    /// Names of the formats that need no description.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Platform::ALL
            .into_iter()
            .map(Platform::name)
            .chain(RecordType::ALL.into_iter().map(gateway::format_of))
    }

    /// The format of that name, if it needs no description.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let kind = RecordType::ALL.into_iter().find(|kind| gateway::format_of(*kind) == name);
        let platform = || Platform::from_name(name).map(Self::Platform);
        kind.map(|kind| Self::Gateway(Gateway::new(kind))).or_else(platform)
    }
}

/// What messages are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Json,
    Csv,
    Binary,
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
            Format::Gateway(gateway) => gateway.format(),
            Format::Mapped(mapping) => mapping.format(),
        }
    }

    /// Where a file that begins so may be cut.
    #[must_use]
    pub fn cut(&self, start: &[u8]) -> Cut {
        match &self.format {
            Format::Mapped(mapping) if matches!(mapping.syntax, mapped::Syntax::Csv { .. }) => Cut::Rows,
            Format::Gateway(_) => Cut::Records,
            _ if pieces::is_written_in_lines(start) => Cut::Lines,
            _ => Cut::Whole,
        }
    }

    /// What kind of text or octets its messages are.
    #[must_use]
    pub fn media(&self) -> Media {
        match &self.format {
            Format::Platform(_) => Media::Json,
            Format::Gateway(_) => Media::Binary,
            Format::Mapped(mapping) => mapping.media(),
        }
    }

    /// Cuts a message or a file into pieces, in order.
    #[must_use]
    pub fn pieces<'a>(&'a self, bytes: &'a [u8]) -> Vec<Piece<'a>> {
        self.pieces_of(bytes, self.cut(bytes))
    }

    /// The same of a part of a file, whose beginning said how it may be cut.
    pub(in crate::ingest) fn pieces_of<'a>(&'a self, bytes: &'a [u8], cut: Cut) -> Vec<Piece<'a>> {
        guarded(|| self.cut_into_pieces(bytes, cut)).unwrap_or_else(|panic| {
            tracing::error!(feed = self.feed, "{PANICKED} ({panic})");
            vec![Piece { at: 0, bytes, of: None, fault: Some(PANICKED) }]
        })
    }

    fn cut_into_pieces<'a>(&'a self, bytes: &'a [u8], cut: Cut) -> Vec<Piece<'a>> {
        #[cfg(test)]
        super::guarded::panic_if_told(bytes, super::guarded::PANICS[0]);
        let in_lines = cut == Cut::Lines;
        match &self.format {
            Format::Platform(Platform::Onence | Platform::Emnify | Platform::ControlCenter) => {
                pieces::values(bytes, in_lines)
            }
            Format::Platform(Platform::Soracom) => soracom::pieces(bytes, in_lines),
            Format::Platform(Platform::SuperSim) => super_sim::pieces(bytes, in_lines),
            Format::Gateway(_) => gateway::pieces(bytes),
            Format::Mapped(mapping) => mapping.pieces(bytes, in_lines),
        }
    }

    /// The nodes' records that the feed takes, if it is in such a format.
    #[must_use]
    pub(in crate::ingest) fn gateway(&self) -> Option<&Gateway> {
        match &self.format {
            Format::Gateway(gateway) => Some(gateway),
            _ => None,
        }
    }

    /// Reads a piece. What was met on the way is added to the notes in `buffers`.
    ///
    /// # Errors
    /// The first field that is missing, of another type or out of bounds, with its byte in the piece.
    pub fn read<'a>(&'a self, piece: &Piece<'a>, buffers: &'a mut Buffers) -> Result<Said<'a>, Unreadable> {
        self.read_numbered(piece, buffers).map(|(said, _)| said)
    }

    /// The same, with the node that numbered the record and the number, where it says so.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_numbered<'a>(
        &'a self,
        piece: &Piece<'a>,
        buffers: &'a mut Buffers,
    ) -> Result<(Said<'a>, Option<Numbered<'a>>), Unreadable> {
        if let Some(fault) = piece.fault {
            return Err(Unreadable::Fault(fault));
        }
        guarded(move || self.read_as_written(piece, buffers))
            .unwrap_or_else(|panic| Err(Unreadable::Panicked(panic)))
    }

    fn read_as_written<'a>(
        &'a self,
        piece: &Piece<'a>,
        buffers: &'a mut Buffers,
    ) -> Result<(Said<'a>, Option<Numbered<'a>>), Unreadable> {
        #[cfg(test)]
        super::guarded::panic_if_told(piece.bytes, super::guarded::PANICS[1]);
        let platform = match &self.format {
            Format::Mapped(mapping) => {
                return Ok(mapping.read(piece, &self.feed, &mut buffers.notes)?);
            }
            Format::Gateway(gateway) => return gateway.read(piece, &self.feed, buffers),
            Format::Platform(platform) => platform,
        };
        let read = match platform {
            Platform::Onence => onence::read(piece.bytes, &self.feed),
            Platform::Emnify => emnify::read(piece.bytes, &self.feed),
            Platform::Soracom => soracom::read(piece, &self.feed),
            Platform::SuperSim => super_sim::read(piece, &self.feed),
            Platform::ControlCenter => control_center::read(piece.bytes, &self.feed),
        };
        Ok((read.map_err(|error| error.locate(piece.bytes))?, None))
    }
}
