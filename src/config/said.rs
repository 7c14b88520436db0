//! What was said: the configuration file as serde reads it, every key optional, unknown keys refused.
//!
//! The docs of the fields are the configuration reference: `tidegauge config schema` prints them from [`KEYS`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::ingest::formats::feed::Feed;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Said {
    pub deployment: Option<String>,
    pub clock: Option<String>,
    pub kafka: Kafka,
    pub ingest: Ingest,
    pub worker: Worker,
    pub clickhouse: ClickHouse,
    pub api: Api,
    pub log: Log,
    pub feeds: Vec<Feed>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    pub brokers: Option<String>,
    pub prefix: Option<String>,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub partitions: Option<u32>,
    pub replication: Option<u16>,
    pub session_timeout_ms: Option<u32>,
    pub properties: BTreeMap<String, String>,
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    pub threads: Option<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    pub threads: Option<u16>,
    pub replay_debt_records: Option<u64>,
    pub replay_debt_s: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClickHouse {
    pub url: Option<String>,
    pub database: Option<String>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub password_file: Option<PathBuf>,
    pub usage_records: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    pub listen: Option<String>,
    pub operations: Option<String>,
    pub address: Option<String>,
    pub tokens: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub level: Option<String>,
    pub format: Option<String>,
}

/// One key for the reference: name, type with unit and range, default, meaning.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub kind: &'static str,
    pub default: &'static str,
    pub means: &'static str,
}

const fn key(name: &'static str, kind: &'static str, default: &'static str, means: &'static str) -> Key {
    Key { name, kind, default, means }
}

/// Whether a key's value may be a secret, or hold one: it is shown to nobody.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    key.starts_with("clickhouse.") || key.starts_with("kafka.properties")
}

/// Every key. A test holds this list against the structs above.
pub const KEYS: &[Key] = &[
    key(
        "deployment",
        "name",
        "(required)",
        "Names the deployment in events and in the state. Never changes.",
    ),
    key(
        "clock",
        "\"log\" | \"supplied\"",
        "\"log\"",
        "Whose time the log carries: the broker's append time, or the records' own (tests, import of history). Never changes.",
    ),
    key("kafka.brokers", "host:port,…", "\"127.0.0.1:9092\"", "Where to begin."),
    key("kafka.prefix", "text", "\"\"", "Stands before every topic's name, e.g. \"prod.\"."),
    key("kafka.group", "name", "\"tidegauge\"", "Consumer group; ingest's is this with \"-ingest\"."),
    key(
        "kafka.instance",
        "name",
        "the host's name",
        "Static membership: unique a process, the same after a restart. Workers append their number.",
    ),
    key("kafka.partitions", "1..=1024", "16", "Partitions of the log when it is made; fixed afterwards."),
    key("kafka.replication", "1..=7", "3", "Copies of each topic when it is made."),
    key(
        "kafka.session_timeout_ms",
        "500..=300000 ms",
        "6000",
        "After this silence of a member others take its partitions. The brokers' bounds hold too.",
    ),
    key(
        "kafka.properties",
        "table",
        "{}",
        "Raw librdkafka properties, e.g. security.protocol, sasl.*. For TLS and SCRAM the program is built with --features tls.",
    ),
    key(
        "kafka.password_file",
        "path",
        "(none)",
        "A file with the password to the brokers and nothing else: it becomes sasl.password.",
    ),
    key("ingest.threads", "1..=64", "1", "Ingest members in this process."),
    key(
        "worker.threads",
        "1..=256",
        "1",
        "Workers in this process, each a thread with its own consumer and producer.",
    ),
    key(
        "worker.replay_debt_records",
        "1000..",
        "10000000",
        "All chunks are rewritten within this many records.",
    ),
    key("worker.replay_debt_s", "1.. s", "14400", "… and within this much log time."),
    key(
        "clickhouse.url",
        "http(s)://host:port",
        "(none)",
        "Without it rollups are off: alerts and answers go on, and what is metered meanwhile is not sent later; all instances of a deployment have it, or none. With https the machine's root certificates decide whom to trust.",
    ),
    key("clickhouse.database", "name", "\"tidegauge\"", "Made by `tidegauge migrate`."),
    key("clickhouse.user", "name", "\"default\"", "The user."),
    key(
        "clickhouse.password",
        "text",
        "\"\"",
        "The password; better by clickhouse.password_file or the variable TIDEGAUGE_CLICKHOUSE_PASSWORD than here.",
    ),
    key("clickhouse.password_file", "path", "(none)", "A file with the password and nothing else."),
    key(
        "clickhouse.usage_records",
        "bool",
        "true",
        "Whether each accepted record's id is kept for 400 days.",
    ),
    key("api.listen", "ip:port", "\"127.0.0.1:8080\"", "HTTP: cards, commands, health."),
    key(
        "api.operations",
        "ip:port",
        "api.listen",
        "HTTP for the machine room: metrics and health, without a token. Once it is set metrics are here alone.",
    ),
    key(
        "api.address",
        "http://host:port",
        "api.listen, or the host's name and its port",
        "Where other instances reach this one, to ask for the cards that it meters.",
    ),
    key(
        "api.tokens",
        "path",
        "(none)",
        "A file with a line for each token: reader TOKEN, or operator TOKEN. Without it everybody reads, and commands are taken on a loopback address only.",
    ),
    key("log.level", "filter", "\"info\"", "e.g. \"info,tidegauge::worker=debug\"."),
    key(
        "log.format",
        "\"text\" | \"json\"",
        "text on a terminal",
        "The program's own log, on standard error.",
    ),
    key(
        "feeds[].id",
        "name",
        "(required)",
        "A block [[feeds]] a feed in a format of its own (docs/feeds.md): its name in the catalogue.",
    ),
    key(
        "feeds[].format",
        "name",
        "(required)",
        "1nce, emnify, soracom, super-sim, control-center; pgw-cdr, sgw-cdr, chf-cdr; mapped-csv and mapped-json, of which the keys from feeds[].kind on say all.",
    ),
    key("feeds[].carrier", "text", "(none)", "The carrier, for who reads this."),
    key(
        "feeds[].topic",
        "name",
        "(none)",
        "The topic that it comes by, as the brokers name it (without kafka.prefix).",
    ),
    key(
        "feeds[].also",
        "table",
        "{}",
        "pgw-cdr, sgw-cdr, chf-cdr: the feeds of other nodes' records in the same files, like { sgw-cdr = \"cmcc-sgw\" }. S-GW records are a feed of their own.",
    ),
    key(
        "feeds[].folder",
        "path",
        "(none)",
        "The folder into which its files are dropped, instead of a topic.",
    ),
    key(
        "feeds[].done",
        "\"move\" | \"mark\"",
        "\"move\"",
        "What becomes of a file that is done: it goes to done/ (broken/), or stays with a mark NAME.done (NAME.broken).",
    ),
    key(
        "feeds[].files",
        "pattern",
        "\"*\"",
        "Which files of the folder: * is anything, {number} the file's number in its series, {node} whose series it is.",
    ),
    key(
        "feeds[].file_numbers",
        "[first, last]",
        "[0, 4294967295]",
        "How files are numbered: after the last comes the first again.",
    ),
    key(
        "feeds[].record_numbers",
        "[first, last]",
        "[0, 4294967295]",
        "How a node numbers its records: after the last comes the first again.",
    ),
    key(
        "feeds[].keyed_by_node",
        "bool",
        "false",
        "Of a topic: all records of a node come by one partition (the node is the messages' key, or there is one partition), so that numbers missing are gaps.",
    ),
    key(
        "feeds[].gap_after_minutes",
        "0..=10080 min",
        "15",
        "How long a number that was skipped may come late before it is told as a gap.",
    ),
    key(
        "feeds[].gap_window",
        "1.. numbers",
        "10000",
        "... and by how many numbers others may go on meanwhile.",
    ),
    key(
        "feeds[].silence_minutes",
        "1..=44640 min",
        "(learnt from its rhythm)",
        "How long it may be silent before that is told.",
    ),
    key("feeds[].kind", "\"cdr\" | \"day-total\" | \"cycle-total\"", "\"cdr\"", "What a record is."),
    key("feeds[].identity", "column or /pointer", "(required)", "What names the card."),
    key(
        "feeds[].identity_kind",
        "\"iccid\" | \"imsi\" | \"msisdn\" | \"imei\"",
        "(required)",
        "What kind of name that is.",
    ),
    key(
        "feeds[].record_id",
        "one or a list of up to 4",
        "(required of a cdr)",
        "What names a record, joined by /.",
    ),
    key("feeds[].start", "column or /pointer", "(required of a cdr)", "When a record begins."),
    key("feeds[].end", "column or /pointer", "(required of a cdr)", "When it ends."),
    key("feeds[].at", "column or /pointer", "(required of a total)", "When the total was so."),
    key("feeds[].day", "column or /pointer", "(none)", "A date: of which day or cycle the total is."),
    key("feeds[].up", "column or /pointer", "(or total)", "Uplink."),
    key("feeds[].down", "column or /pointer", "(or total)", "Downlink."),
    key(
        "feeds[].total",
        "column or /pointer",
        "(or up and down)",
        "Both directions in one figure: told as downlink.",
    ),
    key(
        "feeds[].unit",
        "B, kB, MB, GB, KiB, MiB, GiB",
        "(required)",
        "Of the figures; said-1000 and said-1024: it stands with each (1GB20MB), in powers of that.",
    ),
    key("feeds[].blank", "\"refused\" | \"zero\"", "\"refused\"", "What a volume is that is not said."),
    key(
        "feeds[].time",
        "rfc3339, unix, unix-ms or a pattern",
        "(required)",
        "How times are written; a pattern is one of strftime, like \"%Y%m%d%H%M%S\".",
    ),
    key(
        "feeds[].zone",
        "zone or offset",
        "(none)",
        "Of times without an offset: \"Asia/Shanghai\", \"+08:00\".",
    ),
    key(
        "feeds[].only",
        "{ field, values }",
        "(all are)",
        "Which records are of usage of data: those whose field (column or /pointer) has one of the values, like { field = \"traffic_type_id\", values = [\"5\"] }. Others are set aside and counted so.",
    ),
    key(
        "feeds[].number",
        "column or /pointer",
        "(none)",
        "The number that a cdr has in turn: what is skipped is a gap. In topics only with keyed_by_node.",
    ),
    key("feeds[].node", "column or /pointer", "(one series)", "Who numbers."),
    key("feeds[].delimiter", "character", "\",\"", "mapped-csv: between fields."),
    key(
        "feeds[].columns",
        "list",
        "the first row",
        "mapped-csv: names of the columns where there is no header.",
    ),
    key("feeds[].records", "/pointer", "(none)", "mapped-json: where in a message the list of records is."),
];
