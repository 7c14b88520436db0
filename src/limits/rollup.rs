//! Bounds of what goes to `ClickHouse`: batches, retries, waits.

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
/// Free rows from which on a worker may encode batches: more than the cards of one seal have in the days of a fortnight. At so
/// many the rows of one seal end, and the partitions that have none in it are the first in the next.
pub const FLUSH_ROWS_READY: usize = FLUSH_ROWS_QUEUED_MAX / 2;
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
