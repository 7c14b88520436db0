//! Packs: the bytes of one message of the log, many canonical records in a fixed little-endian layout.
//!
//! `docs/pack.md` documents every offset and width, so that any language reads them. A pack is a header, a dictionary
//! (names of feeds, counters and sources, each once), a text section (ids of records, checked as UTF-8 once), the
//! records, and a crc32c over all of it.
//!
//! Invariants: [`Pack::read`] never panics, whatever the bytes, and a pack it accepts has an intact checksum; what a
//! [`PackWriter`] was given a [`Pack`] gives back, in the same order; the same records always make the same bytes.

mod envelope;
mod fields;
mod layout;
mod names;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use envelope::PackError;
pub use reader::{Pack, Records};
pub use writer::PackWriter;
