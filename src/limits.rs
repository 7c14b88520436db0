//! Every bound of the program, with its reason. Relations between them are asserted at compile time.
//!
//! Invariant 5: everything is bounded. At a bound the program pauses, refuses or quarantines; it never grows.

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
/// Messages in one transaction: librdkafka answers QueueFull at 100,000 in flight.
pub const SEAL_MESSAGES_MAX: usize = 60_000;
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
/// Longest rest after a partition was asked for in vain: as long as the longest request.
pub const RESTORE_REST_MS_MAX: i64 = 10_000;
/// Bytes of checkpoint chunks in one commit.
pub const CHUNK_BYTES_PER_SEAL: usize = 4 * 1_024 * 1_024;
/// Bytes of one checkpoint record's header and content, as `bincode` may read them.
pub const CHECKPOINT_RECORD_BYTES_MAX: usize = PACK_BYTES_MAX;
/// How long a successor waits for a predecessor's open transaction before it ends it.
pub const UNSTABLE_OFFSET_MS: i64 = 2_000;
/// A commit without an answer for this long is taken for unresolved: the client library can hang when a coordinator dies.
pub const COMMIT_WATCHDOG_MS: i64 = 30_000;
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

/// Seen ids a card-day: keeps the chance of a false duplicate under 1e-9 with 40-bit ids (`domain.md` C3).
pub const IDS_PER_CARD_DAY_MAX: usize = 1_024;
/// Slices of one CDR (3GPP containers).
pub const SLICES_MAX: usize = 64;
/// A longer CDR is quarantined.
pub const CDR_SECONDS_MAX: i64 = 7 * DAY_S;
/// A record this far after log time is rejected (`domain.md` C8).
pub const FUTURE_S_MAX: i64 = 600;
/// Default of a catalogue's `late_horizon`: how long after its end a day accepts records.
pub const LATE_HORIZON_DAYS_DEFAULT: u16 = 8;
/// The greatest `late_horizon` of a catalogue: bounds the open days, and so the ids, of a card.
pub const LATE_HORIZON_DAYS_MAX: u16 = 35;
/// A day is whole by rule this long after its end, if its settling feed is fresh (`domain.md`, complete day).
pub const COMPLETE_AFTER_S: i64 = 48 * 3_600;
/// Closed days and cycles not yet flushed to ClickHouse are kept this long; then the partition pauses.
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
/// Day segments of a card (`domain.md` P3).
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
/// What they are unless said (`domain.md` R2).
pub const WRAP_MBIT_S_DEFAULT: u32 = 150;
pub const RESTART_DIVISOR_DEFAULT: u32 = 8;
/// Intervals of numbers (IMSI, MSISDN, IMEI) kept a card: the three in force and what they followed lately.
pub const NUMBERS_MAX: usize = 16;
/// Bytes of all sources that a card's cycles may hold: sums of a card stay far from 2^64.
pub const CARD_BYTES_MAX: u64 = 1 << 60;
/// Cards of a shard that a sweep looks at whenever log time enters a new second.
pub const SWEPT_PER_SECOND: usize = 256;
/// A card whose last base package has ended is cancelled so many calendar months later (`domain.md` S1) ...
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
/// How often ingest commits the offsets of its sources.
pub const INGEST_COMMIT_EVERY_MS: i64 = 200;
/// Nesting of BER in a 3GPP file; real records have six levels.
pub const BER_DEPTH_MAX: usize = 16;
/// Bytes of one record of a 3GPP file: TS 32.297 gives its length 16 bits, and plain files are held to the same.
pub const BER_RECORD_BYTES_MAX: usize = 64 * 1_024;
/// How often `topics plan` and `apply` ask a cluster, a second apart, that says to try again.
pub const TOPICS_ATTEMPTS: u32 = 15;
/// Months that `catalogue apply` compiles ahead: ten years, which a package may last, and one until it is applied again.
pub const CALENDAR_MONTHS: u32 = 132;

/// Rows of one insert: larger blocks commit alone.
pub const INSERT_ROWS_MAX: usize = 200_000;
/// Cards whose rows are encoded in one seal.
pub const ROWS_CARDS_PER_SEAL: usize = 20_000;
/// At most this often are rows of a partition taken for ClickHouse.
pub const FLUSH_EVERY_MS: i64 = 1_000;
/// ... and this much later for each card whose rows are to be taken, so that at most a thousand cards a second and partition
/// are encoded: a busy card's changes fall together.
pub const FLUSH_MS_PER_CARD: i64 = 1;
/// ... but no later than this.
pub const FLUSH_EVERY_MS_MAX: i64 = 5_000;
/// Months of rows in one insert: ClickHouse refuses blocks that touch more than 100 partitions.
pub const INSERT_MONTHS_MAX: usize = 100;
/// Rows that make an insert worth sending at once; fewer wait for others ...
pub const INSERT_ROWS_MIN: usize = 20_000;
/// ... this long. Many small inserts are many parts to merge.
pub const INSERT_LINGER_MS: u64 = 500;
/// Rows that workers have handed over and whose end they have not yet taken; beyond, the flusher is busy.
pub const FLUSH_ROWS_QUEUED_MAX: usize = 1_000_000;
/// ... and batches.
pub const FLUSH_BATCHES_QUEUED_MAX: usize = 1_024;
/// First wait after an insert that failed by something that passes.
pub const RETRY_FIRST_MS: u64 = 200;
/// The longest; also how often an insert is tried that needs somebody to act.
pub const RETRY_MAX_MS: u64 = 30_000;
/// How long to wait for a connection to ClickHouse.
pub const CLICKHOUSE_CONNECT_MS: u64 = 5_000;
/// Idle connections are dropped after this: ClickHouse closes them after 3 s.
pub const CLICKHOUSE_IDLE_MS: u64 = 2_500;
/// How long one piece of an insert may wait for the socket.
pub const CLICKHOUSE_SEND_MS: u64 = 20_000;
/// How long the answer to an insert or a query may take.
pub const CLICKHOUSE_ANSWER_MS: u64 = 60_000;
/// Messages that the history takes in one round: inserted, then their offsets are committed.
pub const HISTORY_MESSAGES_MAX: usize = 20_000;
/// ... and their bytes.
pub const HISTORY_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// How long it waits for more of them.
pub const HISTORY_LINGER_MS: u64 = 200;

/// How long a person's question waits for ClickHouse.
pub const ARCHIVE_ANSWER_MS: u64 = 5_000;
/// Rows of one answer from ClickHouse: a page and one more, which says that there are others.
pub const ARCHIVE_ROWS_MAX: usize = PAGE_ROWS_MAX + 1;
/// Cycles of one answer: those of [`USAGE_DAYS_MAX`] days, each of 28 days at least, with room for changed calendars.
pub const ARCHIVE_MONTHS_MAX: usize = 32;
/// Days that one question about usage may span: a year and the rest of a cycle.
pub const USAGE_DAYS_MAX: i32 = 400;
/// Rows of a page unless said.
pub const PAGE_ROWS_DEFAULT: usize = 100;
/// ... and at most.
pub const PAGE_ROWS_MAX: usize = 400;

/// Events that the slowest stream may be behind, of the whole process; beyond, it is disconnected. A power of two.
pub const EVENTS_HELD_MAX: usize = 4_096;
/// Streams of events open at once; further ones are refused.
pub const EVENT_STREAMS_MAX: usize = 256;
/// ... of which so many may be reading again what they have missed ...
pub const EVENT_REPLAYS_MAX: usize = 8;
/// ... each so many events ahead of its client.
pub const EVENTS_REPLAYED_AHEAD: usize = 64;
/// Events of a fleet's stream after which one carries the stream's place, while they come without a pause.
pub const EVENTS_PER_ID: usize = 100;
/// How often a stream says something, seconds: proxies end connections that are silent for a minute.
pub const EVENT_BEAT_S: u64 = 15;
/// How soon a client of a stream that ended should come again.
pub const EVENT_RECONNECT_MS: u64 = 2_000;
/// How long an instance that has heard less than another is waited for, and then the log that is asked for its end.
pub const EVENTS_PLACES_BEHIND_MS: u64 = 2_000;
/// A client that takes nothing of an answer for so long has gone.
pub const CLIENT_STALLS_MS: u64 = 30_000;
/// Clients connected to one address: all streams of events and as many others, well below the 1,024 descriptors that a
/// process usually has. Further ones wait unaccepted.
pub const CLIENTS_MAX: usize = 2 * EVENT_STREAMS_MAX;
/// How long a client may take to say what it asks, from its connection or from its last answer on: so long a connection may
/// be idle. Longer than proxies keep theirs (60 s), so that it is they who close them, and no request meets a closing one.
pub const CLIENT_HEAD_MS: u64 = 75_000;
/// How long one instance keeps an idle connection to another.
pub const PEER_IDLE_MS: u64 = 60_000;
/// Bytes of a request's line and headers.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1_024;
/// How long a request's body may take to come.
pub const CLIENT_BODY_MS: u64 = 30_000;

/// Digits of the shortest number that names a card without saying what it is.
pub const NUMBER_DIGITS_MIN: usize = 5;

/// How long sums over the whole fleet are good for everybody who asks.
pub const FLEET_SUMS_LAST_MS: u64 = 30_000;

/// Records of the log that are shown beside one that is to be posted.
pub const POST_MATCHES_MAX: usize = 16;

/// Commands that came by HTTP and are on their way into the log; further ones are refused.
pub const COMMANDS_IN_FLIGHT_MAX: usize = 1_024;
/// How long a request may take: longer than it may wait for an answer, than the log for an append, and than ClickHouse.
pub const REQUEST_MS_MAX: u64 = 60_000;
/// How long the command line waits for an answer: a little longer than an instance takes to say that there is none.
pub const ASKED_MS: u64 = REQUEST_MS_MAX + 5_000;

/// Requests waiting in a worker's mailbox; further ones are refused at once.
pub const MAILBOX_REQUESTS_MAX: usize = 256;
/// How long a question about a card waits for its worker.
pub const MAILBOX_ANSWER_MS: u64 = 5_000;
/// Bytes of an HTTP request's body.
pub const API_BODY_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of one batch of a feed's records.
pub const PUSH_BODY_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// ... of all batches of a process that are read or on their way to the log ...
pub const PUSH_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// ... and batches that wait for one ingest to take them.
pub const PUSHES_QUEUED_MAX: usize = 64;
/// How long a batch's sender waits for the log to have it, seconds; then it must send it again.
pub const PUSH_ANSWER_S_MAX: u64 = 30;
/// Requests that wait for the answer to a command; further ones are told that it was taken.
pub const ANSWERS_AWAITED_MAX: usize = 4_096;
/// The longest that a request may ask to wait for an answer, seconds.
pub const ANSWER_WAIT_S_MAX: u64 = 30;
/// How long another instance may take to answer a question that was passed on to it.
pub const FORWARD_MS: u64 = 2_000;
/// ... and how much it may say.
pub const FORWARD_BYTES_MAX: usize = 1_024 * 1_024;
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

const _: () = assert!(LATE_HORIZON_DAYS_DEFAULT as i64 * DAY_S >= CDR_SECONDS_MAX + DAY_S);
const _: () = assert!(PACK_BYTES_MAX < 1_024 * 1_024);
const _: () = assert!(REQUEST_MS_MAX > ANSWER_WAIT_S_MAX * 1_000 + FORWARD_MS + ARCHIVE_ANSWER_MS);
const _: () = assert!(PEER_IDLE_MS < CLIENT_HEAD_MS && CLIENT_BODY_MS < REQUEST_MS_MAX);
const _: () = assert!(EVENTS_HELD_MAX.is_power_of_two() && EVENTS_PER_ID < EVENTS_HELD_MAX);
const _: () = assert!(ARCHIVE_MONTHS_MAX * 28 > 2 * USAGE_DAYS_MAX as usize);
const _: () = assert!(PACK_BYTES_MAX < HISTORY_BYTES_MAX);
const _: () = assert!(PUSH_BODY_BYTES_MAX <= PUSH_BYTES_MAX && PUSH_BYTES_MAX < IN_FLIGHT_BYTES_MAX);
const _: () = assert!(INSERT_ROWS_MIN < INSERT_ROWS_MAX && INSERT_ROWS_MAX < FLUSH_ROWS_QUEUED_MAX);
const _: () = assert!(CHUNK_PART_BYTES_MAX < PACK_BYTES_MAX);
const _: () = assert!(SEAL_MESSAGES_MAX < 100_000);
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
