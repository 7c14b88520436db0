//! Every bound of the program, with its reason. Relations between them are asserted at compile time.
//!
//! Invariant 5: everything is bounded. At a bound the program reads no more, halts, refuses or quarantines; it never grows.

mod api;
mod ingest;
mod meter;
mod rollup;

pub use api::*;
pub use ingest::*;
pub use meter::*;
pub use rollup::*;

/// Log partitions of a new deployment. Chosen once: choose more for growth.
pub const PARTITIONS_DEFAULT: u32 = 16;
/// Shards a partition: the unit of counting, of timers and of the checkpoint.
pub const SHARDS: usize = 256;

/// Records in one pack. A pack is one Kafka message.
pub const PACK_RECORDS_MAX: usize = 4_096;
/// Bytes of one pack: below the brokers' default `message.max.bytes` of 1 MiB with room for headers.
pub const PACK_BYTES_MAX: usize = 900 * 1_024;
/// How long ingest holds a record to fill its pack.
pub const PACK_LINGER_MS: i64 = 5;

/// How long an event may wait for others before it is sealed.
pub const SEAL_AFTER_MS: i64 = 20;
/// How long a partition without events, and with it all others, may wait for a seal: offsets and rows are in no hurry, and
/// a commit costs the brokers some requests for every partition in it.
pub const SEAL_QUIET_MS: i64 = 200;
/// Records folded into one seal of all partitions; at this or the next two bounds everything is sealed.
pub const SEAL_RECORDS_MAX: usize = 100_000;
/// Bytes of output in one seal.
pub const SEAL_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Messages in one seal.
pub const SEAL_MESSAGES_MAX: usize = 60_000;
/// In the middle of a poll so many times these two are a bound, too: what was fetched and not folded has to be fetched again,
/// which ordinary messages should not cost. Beyond it goes but one message of the log, with all that is due in one second
/// ([`TIMERS_PER_SECOND`] in each shard); such a transaction is larger than the client's queue and goes out piece by piece.
pub const SEAL_BYTES_OVER: usize = 16;
pub const SEAL_MESSAGES_OVER: usize = 2;
/// Sealed commits waiting; beyond, the worker reads nothing and goes on polling.
pub const SEALED_MAX: usize = 2;

/// A tick is appended to a partition after this silence.
pub const TICK_AFTER_MS: i64 = 1_000;
/// A live partition whose log runs further ahead of the worker's clock than this is halted before folding.
pub const CLOCK_AHEAD_MAX_S: i64 = 60;
/// An answer is marked stale when its partition's log time is further behind the clock than this.
pub const STALE_AFTER_S: i64 = 5;

/// Timers that a shard fires whenever log time enters a new second.
pub const TIMERS_PER_SECOND: usize = 256;

/// Bytes of one part of a checkpoint chunk.
pub const CHUNK_PART_BYTES_MAX: usize = 512 * 1_024;
/// Bytes that one value of a chunk (its head, one card) may decode to: a broken length cannot take all memory.
pub const DECODED_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Replay debt that a whole round of chunks may leave, in records.
pub const REPLAY_DEBT_RECORDS_MAX: u64 = 10_000_000;
/// ... and in seconds of log time.
pub const REPLAY_DEBT_S_MAX: i64 = 4 * 3_600;
/// What an event adds to the debt, in records: a command that tells two or three costs as much as twenty CDRs.
pub const EVENT_WORK: u64 = 8;
/// Chunks may be written sooner than the debt asks for: 16 bytes for each record, a sixth of what the log has of it, and
/// 64 KiB a second and partition. So 100,000 cards on 16 partitions are written every two minutes, and a million cards every
/// twenty.
pub const CHUNK_BYTES_PER_RECORD: u64 = 16;
pub const CHUNK_BYTES_PER_S: u64 = 64 * 1_024;
/// ... but a whole round not within less than this: most of it would be heads of empty shards.
pub const ROUND_RECORDS_MIN: u64 = 50_000;
pub const ROUND_S_MIN: u64 = 120;
/// Messages of checkpoint and log that one step of a worker reads while it restores: it goes on polling between.
pub const RESTORE_MESSAGES_PER_STEP: usize = 2_000;
/// ... and their bytes: parts of chunks and packs are large, messages of silence are not.
pub const RESTORE_BYTES_PER_STEP: usize = 8 * 1_024 * 1_024;
/// Longest rest after a partition was asked for in vain. No step takes as long: a scan that hears nothing gives up after 4 s, and
/// two requests at the most, of 10 s each, follow it.
pub const RESTORE_REST_MS_MAX: i64 = 30_000;
/// How soon a partition is restored anew that was refused since the log could not be read.
pub const REFUSED_AGAIN_MS: i64 = 30_000;
/// Bytes of checkpoint chunks in one commit.
pub const CHUNK_BYTES_PER_SEAL: usize = 4 * 1_024 * 1_024;
/// Bytes of one checkpoint record's header and content, as `bincode` may read them.
pub const CHECKPOINT_RECORD_BYTES_MAX: usize = PACK_BYTES_MAX;
/// How long a successor waits for a predecessor's open transaction before it ends it.
pub const UNSTABLE_OFFSET_MS: i64 = 2_000;
/// How soon the end of a checkpoint partition is asked for again after its broker did not say: that may have taken 10 s.
pub const FLOORS_AGAIN_MS: i64 = 30_000;
/// A commit without an answer for this long is taken for unresolved: the client library can hang when a coordinator dies.
pub const COMMIT_WATCHDOG_MS: i64 = 30_000;
/// First pause after a disk refused a commit to the log in a directory (it is full, most likely), and after each more twice as
/// long ...
pub const FILE_REFUSED_FIRST_MS: u64 = 100;
/// ... up to this.
pub const FILE_REFUSED_MAX_MS: u64 = 5_000;
/// How often `verify` reads head and offset anew while a worker commits.
pub const VERIFY_ATTEMPTS: u32 = 5;
/// Records of a checkpoint partition that a search for its newest head reads first, from its end.
pub const HEAD_LOOK_BACK: u64 = 256;
/// A tick carries `flushed_through` at least this often, also under traffic.
pub const FLUSHED_TICK_EVERY_MS: i64 = 10_000;
/// Messages and bytes that one poll of a worker may take.
pub const POLL_MESSAGES_MAX: usize = 256;
pub const POLL_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// How often a worker counts the bytes of a partition's state, which looks at every card.
pub const STATE_BYTES_EVERY_MS: i64 = 30_000;
/// Requests that a worker answers between two polls.
pub const REQUESTS_PER_STEP: usize = 64;
/// Row batches of one partition that ClickHouse has not acknowledged.
pub const ROW_BATCHES_IN_FLIGHT_MAX: usize = 2;
/// A revoked partition's parked state is dropped after this.
pub const PARKED_STATE_S: i64 = 600;
/// How often `topics plan` and `apply` ask a cluster, a second apart, that says to try again ...
pub const TOPICS_ATTEMPTS: u32 = 15;
/// ... and until when at most: one that does not answer at all takes its time to say so.
pub const TOPICS_PATIENCE_MS: i64 = 20_000;
/// Months that `catalogue apply` compiles ahead: ten years, which a package may last, and one until it is applied again.
pub const CALENDAR_MONTHS: u32 = 132;
/// How long an ingest's poll waits for a first message.
pub const STEP_WAIT_MS: u64 = 5;
/// ... and a worker's: about as long as the brokers gather messages for it. Questions about cards need not wake it
/// (`worker::Shelf`); an order to it waits for so long at the most.
pub const WORKER_WAIT_MS: u64 = 10;
/// How often a thread tells how it stands.
pub const STATUS_EVERY_MS: i64 = 250;
/// How often observations of histograms are summed up where nobody asks for metrics: until then each is kept.
pub const METRICS_UPKEEP_MS: u64 = 5_000;
/// Messages taken from the Kafka client by one call; more gain nothing.
pub const KAFKA_BATCH_MAX: usize = 1_024;
/// Generations of a group membership whose metadata is kept, for transactions sealed before the last rebalance.
pub const KAFKA_GENERATIONS_KEPT: usize = 4;
/// Messages of ingest in flight to the brokers; beyond, it is told to wait.
pub const KAFKA_IN_FLIGHT_MAX: usize = 10_000;

/// Seconds of a day without a change of the clock.
pub const DAY_S: i64 = 86_400;
/// ... in milliseconds.
pub const DAY_MS: i64 = DAY_S * 1_000;

const _: () = assert!(LATE_HORIZON_DAYS_DEFAULT as i64 * DAY_S >= CDR_SECONDS_MAX + DAY_S);
const _: () = assert!(PACK_BYTES_MAX < 1_024 * 1_024);
const _: () = assert!(REQUEST_MS_MAX > ANSWER_WAIT_S_MAX * 1_000 + FORWARD_MS + ARCHIVE_ANSWER_MS);
const _: () = assert!(PEER_IDLE_MS < CLIENT_HEAD_MS && CLIENT_BODY_MS < REQUEST_MS_MAX);
const _: () = assert!(EVENTS_HELD_MAX.is_power_of_two() && EVENTS_PER_ID < EVENTS_HELD_MAX);
const _: () = assert!(ARCHIVE_MONTHS_MAX * 28 > 2 * USAGE_DAYS_MAX as usize);
const _: () = assert!(PACK_BYTES_MAX < HISTORY_BYTES_MAX);
const _: () = assert!(PUSH_BODY_BYTES_MAX <= PUSH_BYTES_MAX && PUSH_BYTES_MAX < IN_FLIGHT_BYTES_MAX);
const _: () = assert!(INSERT_ROWS_MIN < INSERT_ROWS_MAX && INSERT_ROWS_MAX < FLUSH_ROWS_QUEUED_MAX);
const _: () = assert!((FILE_REFUSED_MAX_MS as i64) < COMMIT_WATCHDOG_MS);
const _: () = assert!(CHUNK_PART_BYTES_MAX < PACK_BYTES_MAX);
const _: () = assert!(SHARDS.is_power_of_two());
const _: () = assert!(CARD_BYTES_MAX / 4 > RECORD_BYTES_MAX && CARD_BYTES_MAX < u64::MAX / 8);
const _: () = assert!(CARD_BYTES_MAX / 4 > QUOTA_BYTES_MAX);
const _: () = assert!(OUTSIDE_BYTES_MAX < PACK_BYTES_MAX && DEAD_LETTER_BYTES_MAX < PACK_BYTES_MAX);
const _: () = assert!(PARKED_PER_IDENTITY_MAX < PARKED_RECORDS_MAX);
const _: () = assert!(COMMAND_BYTES_MAX + 4_096 < PACK_BYTES_MAX);
const _: () = assert!(TOTALS_MAX > 3 * 2 * (LATE_HORIZON_DAYS_MAX as usize + 3));
const _: () = assert!(PACKAGES_KEPT_MAX >= QUEUED_PACKAGES_MAX + PACKAGES_IN_FORCE_MAX);
const _: () =
    assert!(FILE_WINDOW_BYTES > 2 * OUTSIDE_BYTES_MAX && FILE_WINDOW_BYTES > 2 * BER_RECORD_BYTES_MAX);
