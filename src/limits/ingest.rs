//! Bounds of what comes in: parked records, files, folders, gaps.

use super::DAY_S;

/// Records parked for one unknown identity; beyond, they are quarantined as unknown.
pub const PARKED_PER_IDENTITY_MAX: usize = 1_000;
/// How long a parked record waits for its card.
pub const PARKED_RECORD_S: i64 = 24 * 3_600;

/// Parked records that one ingest thread holds in memory, over all identities; beyond, it stops reading the parked topic,
/// which keeps them on disk.
pub const PARKED_RECORDS_MAX: usize = 200_000;
/// ... and their bytes.
pub const PARKED_BYTES_MAX: usize = 128 * 1_024 * 1_024;
/// Bytes of one outside message; a longer one is a dead letter, cut to [`DEAD_LETTER_BYTES_MAX`].
pub const OUTSIDE_BYTES_MAX: usize = 512 * 1_024;
/// Bytes of one row of a feed in CSV: a quote that does not close must not make the rest of a file one row.
pub const FEED_ROW_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of a record that a dead letter repeats.
pub const DEAD_LETTER_BYTES_MAX: usize = 512 * 1_024;
/// Records read and not yet acknowledged by the log, of one ingest thread; beyond, it reads nothing more.
pub const IN_FLIGHT_RECORDS_MAX: usize = 50_000;
/// ... and their bytes.
pub const IN_FLIGHT_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// So many times [`IN_FLIGHT_RECORDS_MAX`] may stand between the oldest in flight and the newest read.
pub const IN_FLIGHT_SPAN: usize = 16;
/// Records taken by one poll of ingest.
pub const INGEST_POLL_RECORDS: usize = 10_000;
/// ... and their bytes.
pub const INGEST_POLL_BYTES: usize = 8 * 1_024 * 1_024;
/// Records of a file that one step of an import takes.
pub const FILE_RECORDS_PER_STEP: usize = 4_096;
/// Bytes of a file that are in memory at once, beside what decompressing takes.
pub const FILE_WINDOW_BYTES: usize = 4 * 1_024 * 1_024;
/// Records of a file that are taken at once. If they are shorter than any carrier's, a window holds fewer bytes: each may
/// become a dead letter, and those are bounded too.
pub const FILE_WINDOW_RECORDS: usize = 65_536;
/// Records that one message of a feed's topic may hold: a longer list is no list of records.
pub const MESSAGE_RECORDS_MAX: usize = 16_384;
/// ... and one batch by HTTP.
pub const PUSH_RECORDS_MAX: usize = 65_536;
/// Bytes of a file that can only be read whole: JSON over several lines.
pub const FILE_WHOLE_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// A compressed file may hold so many times its size: text of records does not come near ...
pub const INFLATED_TIMES_MAX: u64 = 250;
/// ... and what is less than this may hold anything.
pub const INFLATED_FREE_BYTES: u64 = 16 * 1_024 * 1_024;
/// The window of a body in zstd, as a power of two: 8 MiB, which is what HTTP has (RFC 9659).
pub const PUSH_ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Memory that a zstd file may ask for, as a power of two: what `zstd --long` needs.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Files of a folder that wait and are known, and marks that a look holds; for more marks the folder is asked file by file.
pub const FOLDER_FILES_MAX: usize = 100_000;
/// How often a folder is looked at although nothing told of a file: file systems of other machines tell nothing.
pub const FOLDER_LOOK_EVERY_MS: i64 = 5_000;
/// A file that was not renamed into its folder is taken once it has not changed for so long.
pub const FOLDER_SETTLE_MS: i64 = 2_000;
/// A file that a process of this machine holds open for writing waits to be closed, but so long after its last change at most:
/// whoever holds it may have forgotten it.
pub const FOLDER_HELD_MS: i64 = 10 * 60 * 1_000;
/// News of a folder's files that wait while the log is waited for; beyond, a look at the folder finds them.
pub const FOLDER_NEWS_MAX: usize = 10_000;
/// How soon a folder in trouble is tried again.
pub const FOLDER_RETRY_MS: i64 = 5_000;
/// How often the place within a file is kept ...
pub const FOLDER_KEEP_EVERY_MS: i64 = 1_000;
/// ... and behind how many bytes of it at the latest: with a window more, what a crash makes it read again.
pub const FOLDER_KEEP_EVERY_BYTES: u64 = 16 * 1_024 * 1_024;
/// How often it is told how far a long file has been read.
pub const FOLDER_TELL_EVERY_MS: i64 = 30_000;
/// Unreadable stretches that a look at a file names.
pub const FILE_PROBLEMS_SHOWN: usize = 20;
/// Events about conflicts of identity waiting to be sent; beyond, they are told at the next start.
pub const CONFLICTS_QUEUED_MAX: usize = 10_000;
/// Intervals, of all cards together, that ingest keeps of one number: those that began last.
pub const HOLDERS_MAX: usize = 1_000;
/// Pairs of cards that are told of one number that several hold.
pub const CONFLICTS_OF_NUMBER_MAX: usize = 16;
/// Numbers that two cards seem to hold, before the directory has been read to its end: most have moved from one to the other,
/// whose release stands in another partition.
pub const CONFLICTS_DOUBTED_MAX: usize = 200_000;
/// Nodes, and as many series of files, whose numbers are watched of one feed; beyond, the one heard of least lately makes room.
pub const FEED_SERIES_MAX: usize = 256;
/// Gaps of one series that are waited for; beyond, the oldest is given up and told so.
pub const GAPS_PER_SERIES_MAX: usize = 256;
/// Stretches that may be left of one gap while it is filled; beyond, it is given up.
pub const GAP_RANGES_MAX: usize = 16;
/// Greatest distance of the first and the last number of a series: laps are counted on behind it.
pub const NUMBERS_SPAN_MAX: u64 = 1 << 60;
/// How far a number may run ahead and be believed at once; further, others must follow it.
pub const GAP_JUMP_MAX: u64 = 100_000;
/// How long a number skipped may come late, unless the feed says, minutes: files overtake each other.
pub const GAP_AFTER_MIN_DEFAULT: i64 = 15;
/// ... and by how many numbers others may go on meanwhile.
pub const GAP_WINDOW_DEFAULT: u64 = 10_000;
/// The longest that a feed may say, minutes.
pub const GAP_AFTER_MIN_MAX: i64 = 7 * 1_440;
/// A gap older than this is waited for no longer: as long as the log remembers, a carrier may still send it.
pub const GAP_GIVEN_UP_MS: i64 = 40 * DAY_S * 1_000;
/// How long a loss that a node itself reports stays open: as long as its records may still be taken.
pub const LOST_TOLD_MS: i64 = super::LATE_HORIZON_DAYS_DEFAULT as i64 * DAY_S * 1_000;
/// So many numbers in a row, far from the others and newer, are a node that counts anew ...
pub const NUMBERS_ANEW_RUN: u32 = 8;
/// ... with steps of at most so many.
pub const NUMBERS_ANEW_STEP: u64 = 16;
/// A node that counts anew more often in a day says nothing by its numbers.
pub const NUMBERS_ANEW_MAX: u32 = 4;
/// A feed is silent after so many times the greatest distance between its arrivals ...
pub const SILENCE_TIMES: i64 = 3;
/// ... of so many days, ...
pub const RHYTHM_DAYS: usize = 8;
/// ... once so many distances were seen over a day at least, ...
pub const RHYTHM_DISTANCES_MIN: u32 = 16;
/// ... and never before this.
pub const SILENCE_MS_MIN: i64 = 5 * 60 * 1_000;
/// The longest that a feed may say, minutes: 31 days.
pub const SILENCE_MIN_MAX: i64 = 31 * 1_440;
/// What is kept of a feed's gaps beside a partition's offset: brokers take 4,096 bytes there (`offset.metadata.max.bytes`).
pub const GAPS_KEPT_BYTES_MAX: usize = 3_500;
/// How often the watch over feeds looks at the time.
pub const GAPS_LOOK_EVERY_MS: i64 = 1_000;
/// At most so many offsets behind the last message of feeds' topics are taken for ends of transactions ...
pub const GAPS_LOOK_BEHIND: u64 = 64;
/// ... once nothing has come of them for so long.
pub const GAPS_LOOK_BEHIND_MS: i64 = 10_000;
/// How often ingest commits the offsets of its sources.
pub const INGEST_COMMIT_EVERY_MS: i64 = 200;
/// Nesting of BER in a 3GPP file; real records have six levels.
pub const BER_DEPTH_MAX: usize = 16;
/// Bytes of one record of a 3GPP file: TS 32.297 gives its length 16 bits, and plain files are held to the same.
pub const BER_RECORD_BYTES_MAX: usize = 64 * 1_024;
