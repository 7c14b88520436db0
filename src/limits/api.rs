//! Bounds of HTTP: pages, streams, clients, orders and the answers they wait for.

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
/// How long a stream waits for this instance to hear what another one has heard, and then for the log to say where it ends.
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
/// Digits of the longest number (an IMEISV).
pub const NUMBER_DIGITS_MAX: usize = 16;

/// How long sums over the whole fleet are good for everybody who asks.
pub const FLEET_SUMS_LAST_MS: u64 = 30_000;
/// ... and how long it is good for them that there are none: else each waits for ClickHouse behind the others.
pub const FLEET_FAILURE_LASTS_MS: u64 = 2_000;

/// Records of the log that are shown beside one that is to be posted.
pub const POST_MATCHES_MAX: usize = 16;

/// Records of one quarantine id that are looked at: more than one says that the id does not tell which.
pub const SET_ASIDE_AS_MAX: usize = 2;
/// Rows with a card that are searched for the twins of a page's rows without one; beyond, a record is shown twice.
pub const SET_ASIDE_TWINS_MAX: usize = 10_000;

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
/// An answer that has not come after so long may have been given before: ClickHouse is asked, and again after as long.
pub const ANSWER_SOON_MS: u64 = 1_000;
/// How long another instance may take to answer a question that was passed on to it.
pub const FORWARD_MS: u64 = 2_000;
/// ... and how much it may say.
pub const FORWARD_BYTES_MAX: usize = 1_024 * 1_024;
