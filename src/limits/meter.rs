//! Bounds of a card and of what is folded into it.

use super::DAY_S;

/// Seen ids a card-day: keeps the chance of a false duplicate under 1e-9 with 40-bit ids (`docs/rules.md` C3).
pub const IDS_PER_CARD_DAY_MAX: usize = 1_024;
/// Slices of one CDR (3GPP containers).
pub const SLICES_MAX: usize = 64;
/// A longer CDR is quarantined.
pub const CDR_SECONDS_MAX: i64 = 7 * DAY_S;
/// A record this far after log time is rejected (`docs/rules.md` C8).
pub const FUTURE_S_MAX: i64 = 600;
/// Default of a catalogue's `late_horizon`: how long after its end a day accepts records.
pub const LATE_HORIZON_DAYS_DEFAULT: u16 = 8;
/// The greatest `late_horizon` of a catalogue: bounds the open days, and so the ids, of a card.
pub const LATE_HORIZON_DAYS_MAX: u16 = 35;
/// A day is whole by rule this long after its end, if its settling feed is fresh (`docs/rules.md` C4).
pub const COMPLETE_AFTER_S: i64 = 48 * 3_600;
/// Closed days and cycles not yet flushed to ClickHouse are kept this long; then the partition halts until ClickHouse has them.
pub const UNFLUSHED_S_MAX: i64 = 40 * DAY_S;

/// How long after its close a cycle may be restated: its figures stay as long, packed. A record is set aside when its cycle is
/// still open or just over, and may be posted for as long.
pub const RESTATED_S_MAX: i64 = ORDER_DAYS * DAY_S;

/// Packages queued behind those in force.
pub const QUEUED_PACKAGES_MAX: usize = 32;
/// Packages in force at once.
pub const PACKAGES_IN_FORCE_MAX: usize = 16;
/// Packages a card remembers: queued, in force, and those whose days are still open for late records.
pub const PACKAGES_KEPT_MAX: usize = 64;
/// Rules of a card.
pub const RULES_MAX: usize = 16;
/// Recipients of a card's alerts.
pub const RECIPIENTS_MAX: usize = 16;
/// Credits of a card.
pub const CREDITS_MAX: u32 = 1_000_000;
/// Credits taken that a card remembers, to give them back if a delivery fails.
pub const CREDITS_TAKEN_KEPT_MAX: usize = 256;
/// The earliest that an alert may warn of a package's end, days before.
pub const EXPIRES_DAYS_MAX: u16 = 90;
/// The longest silence that a rule may ask for, hours: 31 days.
pub const NO_DATA_HOURS_MAX: u16 = 744;
/// How long a feed may be silent before it is taken to be away, minutes, unless the catalogue says.
pub const STALE_AFTER_MIN_DEFAULT: u32 = 180;
/// The longest that a catalogue may say, minutes: 7 days.
pub const STALE_AFTER_MIN_MAX: u32 = 7 * 1_440;
/// Whole days before today whose use a forecast goes by.
pub const FORECAST_DAYS: i32 = 3;
/// A forecast further away says nothing.
pub const FORECAST_S_MAX: i64 = 400 * DAY_S;
/// Day segments of a card (`docs/rules.md` P3).
pub const SEGMENTS_MAX: usize = 40;
/// Estimating feeds of a card.
pub const ESTIMATES_MAX: usize = 2;
/// Counters (IMEI, kind, session) of a card.
pub const COUNTERS_MAX: usize = 4;
/// Carriers' totals of open days and cycles kept a card: three sources, each open day and cycle (38 days at the greatest
/// horizon), with room.
pub const TOTALS_MAX: usize = 256;
/// The greatest figures of a catalogue's [`crate::model::CounterRules`]: no modem is faster than 100 Gbit/s, and a
/// counter that keeps less than a thousandth has surely begun anew.
pub const WRAP_MBIT_S_MAX: u32 = 100_000;
pub const RESTART_DIVISOR_MAX: u32 = 1_000;
/// What they are unless said (`docs/rules.md` R2).
pub const WRAP_MBIT_S_DEFAULT: u32 = 150;
pub const RESTART_DIVISOR_DEFAULT: u32 = 8;
/// Intervals of numbers (IMSI, MSISDN, IMEI) kept a card: the three in force and what they followed lately.
pub const NUMBERS_MAX: usize = 16;
/// Bytes of all sources that a card's cycles may hold: sums of a card stay far from 2^64.
pub const CARD_BYTES_MAX: u64 = 1 << 60;
/// Declarations of settling feeds that a shard holds one by one until all of its cards have heard of them; beyond, as one of
/// each feed.
pub const DECLARED_HELD_MAX: usize = 256;
/// Cards of a shard that a sweep looks at whenever log time enters a new second.
pub const SWEPT_PER_SECOND: usize = 256;
/// A card whose last base package has ended is cancelled so many calendar months later (`docs/rules.md` S1) ...
pub const CANCELLED_AFTER_MONTHS: u16 = 3;
/// ... and warned of it so many days before, longest first.
pub const WARNED_DAYS_BEFORE: [u16; 3] = [30, 7, 1];
/// How long a cancelled card is remembered after its last cycle has closed.
pub const TOMBSTONE_S: i64 = 400 * DAY_S;
/// Cycles that a card keeps marked as used while it was suspended or cancelled: those not yet in ClickHouse are a few.
pub const USED_STOPPED_CYCLES_MAX: usize = 8;
/// Days of the longest cycle.
pub const CYCLE_DAYS_MAX: i32 = 31;
/// Ids of orders and commands kept a card.
pub const ORDERS_MAX: usize = 4_096;
/// How long they are kept, and how old a command's `at` may be.
pub const ORDER_DAYS: i64 = 90;
/// ... in seconds, and as much longer as an `at` may be ahead of log time: no command outlives its id.
pub const ID_LIFE_S: i64 = ORDER_DAYS * DAY_S + FUTURE_S_MAX;
/// Longest validity of a package: ten years.
pub const VALIDITY_MONTHS_MAX: u16 = 120;
/// ... in days, leap days included.
pub const VALIDITY_DAYS_MAX: u16 = 3_653;
/// The longest that a package may have lasted, or may still last, when its card comes in mid-life.
pub const OPENED_PACKAGE_S_MAX: i64 = VALIDITY_DAYS_MAX as i64 * DAY_S;
/// Greatest quota of one package, bytes; also the most that a card may have used when it comes in mid-life.
pub const QUOTA_BYTES_MAX: u64 = 1 << 48;
/// Greatest volume of one direction of one record, bytes: no bearer moves 2^48 bytes in seven days.
pub const RECORD_BYTES_MAX: u64 = 1 << 48;

/// Bytes of a record id, a session name or a feed name.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of a text that a person wrote: the reason of a command.
pub const REASON_BYTES_MAX: usize = 1_024;
/// Bytes of one command.
pub const COMMAND_BYTES_MAX: usize = 64 * 1_024;
