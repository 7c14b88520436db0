//! Offsets and widths of the layout, version 1; the table of `docs/pack.md` in code.

/// First bytes of a pack.
pub(super) const MAGIC: [u8; 4] = *b"TGPK";
/// The layout described here.
pub(super) const VERSION: u8 = 1;
/// Bytes before the dictionary.
pub(super) const HEADER: usize = 24;
/// Bytes after the records: the crc32c of everything before it.
pub(super) const TRAILER: usize = 4;

/// Fixed bytes that every record begins with.
pub(super) const COMMON: usize = 40;
/// Fixed bytes of a CDR; its slices follow.
pub(super) const CDR: usize = 88;
/// Fixed bytes of a reading.
pub(super) const READING: usize = 96;
/// Fixed bytes of a tick.
pub(super) const TICK: usize = 48;

pub(super) const KIND_CDR: u8 = 1;
pub(super) const KIND_READING: u8 = 2;
pub(super) const KIND_COMMAND: u8 = 3;
pub(super) const KIND_BROADCAST: u8 = 4;
pub(super) const KIND_CATALOGUE: u8 = 5;
pub(super) const KIND_TICK: u8 = 6;

/// Offsets in the header.
pub(super) mod header {
    pub(in super::super) const VERSION: usize = 4;
    pub(in super::super) const COUNT: usize = 6;
    pub(in super::super) const NAMES: usize = 8;
    pub(in super::super) const DICTIONARY_BYTES: usize = 12;
    pub(in super::super) const TEXT_BYTES: usize = 16;
    pub(in super::super) const RECORD_BYTES: usize = 20;
}

/// Offsets that all records share.
pub(super) mod common {
    pub(in super::super) const KIND: usize = 0;
    /// Number kind of a CDR or reading (0 = none); of a tick 1 = `flushed_through` is said.
    pub(in super::super) const FLAG: usize = 1;
    pub(in super::super) const SOURCE: usize = 2;
    pub(in super::super) const SIZE: usize = 4;
    pub(in super::super) const SOURCE_OFFSET: usize = 8;
    pub(in super::super) const RECEIVED_MS: usize = 16;
    pub(in super::super) const SOURCE_PARTITION: usize = 24;
    pub(in super::super) const FEED: usize = 28;
    pub(in super::super) const CARD: usize = 30;
}

/// Offsets of a CDR.
pub(super) mod cdr {
    pub(in super::super) const NUMBER: usize = 40;
    pub(in super::super) const START: usize = 48;
    pub(in super::super) const END: usize = 56;
    pub(in super::super) const UP: usize = 64;
    pub(in super::super) const DOWN: usize = 72;
    pub(in super::super) const TEXT_AT: usize = 80;
    pub(in super::super) const TEXT_BYTES: usize = 84;
    pub(in super::super) const SLICES: usize = 86;
}

/// Offsets of a reading.
pub(super) mod reading {
    pub(in super::super) const NUMBER: usize = 40;
    pub(in super::super) const AT: usize = 48;
    pub(in super::super) const TX: usize = 56;
    pub(in super::super) const RX: usize = 64;
    pub(in super::super) const IMEI: usize = 72;
    pub(in super::super) const TEXT_AT: usize = 80;
    pub(in super::super) const TEXT_BYTES: usize = 84;
    pub(in super::super) const COUNTER: usize = 86;
    pub(in super::super) const WIDTH: usize = 88;
}

/// Offsets of a tick.
pub(super) mod tick {
    pub(in super::super) const FLUSHED_THROUGH: usize = 40;
}

/// Widths of the names' and texts' length fields bound them.
pub(super) const TEXT_MAX: usize = u16::MAX as usize;

const _: () = assert!(crate::limits::PACK_RECORDS_MAX <= u16::MAX as usize);
const _: () = assert!(crate::limits::PACK_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(crate::limits::NAME_BYTES_MAX <= TEXT_MAX);
const _: () = assert!(crate::limits::SLICES_MAX <= u16::MAX as usize);
