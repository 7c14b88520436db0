//! What can be typed: the command line as clap reads it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Usage metering for IoT SIM cards: to the byte, once, whatever crashes.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 65 bad data, 69 Kafka or ClickHouse away, 75 taken but not answered yet, 78 configuration; 141 when nobody reads what it prints."
)]
pub(super) struct Cli {
    /// Configuration file [default: tidegauge.toml, then /etc/tidegauge/tidegauge.toml].
    #[arg(long, short, global = true, value_name = "FILE", env = "TIDEGAUGE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print JSON where something is printed.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Everything on this machine with nothing installed, and a simulated fleet to look at.
    Demo(DemoArgs),
    /// Ingest, meter and answer, until SIGTERM.
    Run(RunArgs),
    /// Bring ClickHouse's tables up to this version; does nothing when they are.
    Migrate,
    /// Kafka topics: what is there against what should be.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Carriers, plans, rules and horizons.
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// The configuration itself.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Files of carriers.
    #[command(subcommand)]
    Ingest(IngestCommand),
    /// Look at one card through a running instance: as it stands now, or what it has used.
    Card(CardArgs),
    /// Sell a card a package that was paid, and wait for the answer.
    Recharge(RechargeArgs),
    /// Give a card alert rules of its own, or back to its plan's; without either, see those it has.
    Rules(RulesArgs),
    /// Add SMS and voice credits to a card.
    Credits(CreditsArgs),
    /// Records that were set aside: see them, and post some so that they count.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// How fresh the feeds are, as a running instance has heard of them.
    Feeds(InstanceArgs),
    /// Look at all that a deployment rests on: what is wrong, where, and how to mend it.
    Doctor(DoctorArgs),
    /// Restore every partition two ways and compare byte for byte. Read only.
    Verify,
    /// Have a running instance write all chunks at its last offset and fold no more, before an upgrade.
    Drain(InstanceArgs),
    /// Have the owner of a halted partition pass over one log message, which goes to quarantine.
    Skip(SkipArgs),
    /// Seeded crashes of the whole, judged by an independent auditor.
    Simulate(SimulateArgs),
    /// The ClickHouse engine as a library behind HTTP on loopback, for development.
    Clickhouse(ClickhouseArgs),
    /// Completion script for a shell.
    Completions {
        /// The shell that reads it.
        shell: clap_complete::Shell,
    },
    /// Manual page on standard output; with a directory one a command, into it.
    Man {
        /// Where the pages go; made if it is not there.
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Cards of the fleet, within 100..=1000000.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub cards: u32,
    /// Where the log is kept; a second start goes on from there.
    #[arg(long, value_name = "DIR", default_value = ".demo")]
    pub directory: PathBuf,
    /// Where HTTP listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Simulated seconds a second, within 1..=86400.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub speed: u32,
    /// End after so many seconds instead of at Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Lines instead of the live view; so it is when standard output is no terminal.
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Roles of this process.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Ingest, Role::Meter, Role::Api])]
    pub roles: Vec<Role>,
    /// Accept a deployment that has no state yet: no committed offsets and no checkpoint.
    #[arg(long)]
    pub new: bool,
}

/// A part of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    Ingest,
    Meter,
    Api,
}

#[derive(Debug, Subcommand)]
pub(super) enum TopicsCommand {
    /// Print what `apply` would do.
    Plan,
    /// Make what is missing and set what differs; partitions are never changed.
    Apply,
}

#[derive(Debug, Subcommand)]
pub(super) enum CatalogueCommand {
    /// Compile a catalogue file and append it to every partition of the log.
    Apply(CatalogueApplyArgs),
    /// Compile a catalogue file and print what would be applied.
    Show {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct CatalogueApplyArgs {
    /// The file.
    pub file: PathBuf,
    /// Do not wait until a running instance shows the version in every partition.
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the configuration and say where it came from.
    Check,
    /// Print what is meant, defaults filled in.
    Show,
    /// Every key with its type, default and meaning.
    Schema {
        /// As a tidegauge.toml to begin with: every key with its default, commented out.
        #[arg(long, conflicts_with = "json")]
        toml: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum IngestCommand {
    /// Decode files and sum them up; Kafka is not needed.
    Check(FilesArgs),
    /// Decode files into the log. Doing it again counts nothing twice.
    File(FilesArgs),
}

#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// The feed's name in the catalogue. If the configuration has a block of feeds for it, that is its format.
    #[arg(long)]
    pub feed: String,
    /// Read the files in this format: 1nce, emnify, soracom, super-sim, control-center; pgw-cdr, sgw-cdr, chf-cdr; mapped-csv and
    /// mapped-json as the configuration describes the feed.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Files. Without a format: canonical lines, or 3GPP records, plain BER or TS 32.297, of P-GW and CHF or of S-GW;
    /// told apart by content.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct CardArgs {
    #[command(subcommand)]
    pub command: Option<CardCommand>,
    /// ICCID, or a number that the card holds: imsi:…, msisdn:….
    #[arg(required = true)]
    pub iccid: Option<String>,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

/// What to see of a card beside how it stands.
#[derive(Debug, Subcommand)]
pub(super) enum CardCommand {
    /// As it stands now; the same as with the ICCID alone.
    Show(CardShowArgs),
    /// Its days and cycles, past ones from ClickHouse.
    Usage(CardUsageArgs),
    /// What happened to it, newest first; or what happens, until Ctrl-C.
    Events(CardEventsArgs),
}

#[derive(Debug, Args)]
pub(super) struct CardShowArgs {
    /// ICCID, or a number that the card holds: imsi:…, msisdn:….
    pub iccid: String,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Args)]
pub(super) struct CardEventsArgs {
    /// ICCID, or a number that the card holds; none follows all cards.
    #[arg(required_unless_present = "follow")]
    pub iccid: Option<String>,
    /// Only events whose type begins so, like alert. or package.activated.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// As they are committed, from now on.
    #[arg(long, short)]
    pub follow: bool,
    /// How many at most, within 1..=100000.
    #[arg(long, default_value_t = 100, conflicts_with = "follow", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Args)]
pub(super) struct CardUsageArgs {
    /// ICCID, or a number that the card holds: imsi:…, msisdn:….
    pub iccid: String,
    /// First day, like 2026-08-01 [default: the running cycle's].
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// Last day [default: the running cycle's].
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum QuarantineCommand {
    /// Those last seen first.
    List(QuarantineListArgs),
    /// Give the command record.post for each, and wait for the answer.
    Post(QuarantinePostArgs),
}

#[derive(Debug, Args)]
pub(super) struct QuarantineListArgs {
    /// Of one card: its ICCID, or a number that it holds.
    #[arg(long)]
    pub card: Option<String>,
    /// late, conflict, flood, unknown, rejected or unreadable.
    #[arg(long)]
    pub outcome: Option<String>,
    /// How many at most, within 1..=100000.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Args)]
pub(super) struct QuarantinePostArgs {
    /// Quarantine ids, as the list has them.
    #[arg(required = true)]
    pub ids: Vec<String>,
    /// Whose they are: of records that nobody was known for, or where records of several cards share an id.
    #[arg(long)]
    pub card: Option<String>,
    /// Which cycle takes a record whose day is closed.
    #[arg(long, value_enum, default_value_t = IntoArg::Open)]
    pub into: IntoArg,
    /// Only show the commands, and what the log holds under the records' ids.
    #[arg(long)]
    pub dry_run: bool,
    /// Seconds to wait for each answer, within 0..=30; 0 = be content that the command was taken.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=30))]
    pub wait: u64,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

/// The cycle that takes a record whose day is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum IntoArg {
    /// The running one.
    Open,
    /// Its own, which is restated.
    Original,
}

#[derive(Debug, Args)]
pub(super) struct InstanceArgs {
    /// Any running instance [default: api.listen of the configuration].
    #[arg(long, value_name = "URL", env = "TIDEGAUGE_URL")]
    pub url: Option<String>,
    /// The token that it asks for.
    #[arg(long, env = "TIDEGAUGE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// How a command is sent.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Names the command: sent again under the same key it has no second effect.
    #[arg(long)]
    pub key: Option<String>,
    /// Seconds to wait for the answer, within 0..=30; 0 = be content that the command was taken.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=30))]
    pub wait: u64,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Args)]
pub(super) struct RechargeArgs {
    /// ICCID, or a number that the card holds: imsi:…, msisdn:….
    pub iccid: String,
    /// The order's id in the vendor's books.
    #[arg(long)]
    pub order: String,
    /// Bytes, or with a unit: 1GiB, 500MiB, 10GB; or "unlimited".
    #[arg(long)]
    pub quota: String,
    /// 30d (days), 1m (calendar months, of which the running one is the first) or 3c (cycles).
    #[arg(long)]
    pub validity: String,
    /// Who sold it.
    #[arg(long)]
    pub channel: String,
    /// When it takes effect.
    #[arg(long, value_enum, default_value_t = ModeArg::Immediate)]
    pub mode: ModeArg,
    /// Beside the base package instead of as one.
    #[arg(long)]
    pub booster: bool,
    /// Who took the payment.
    #[arg(long)]
    pub provider: String,
    /// The payment's reference there.
    #[arg(long)]
    pub reference: String,
    /// When it was paid, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub paid_at: String,
    #[command(flatten)]
    pub send: SendArgs,
}

/// When a package takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeArg {
    /// At once.
    Immediate,
    /// When the last base package ends.
    Renewal,
    /// With the next cycle.
    NextCycle,
}

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    /// ICCID, or a number that the card holds: imsi:…, msisdn:….
    pub iccid: String,
    /// KIND=VALUE, e.g. burnt_percent=50 remaining_bytes=500MiB expires_days=7 exhausted=true no_data_hours=24. In place of
    /// those it has.
    pub rules: Vec<String>,
    /// Give it back to its plan's rules.
    #[arg(long, conflicts_with = "rules")]
    pub of_plan: bool,
    #[command(flatten)]
    pub send: SendArgs,
}

#[derive(Debug, Args)]
pub(super) struct CreditsArgs {
    /// ICCID, or a number that the card holds: imsi:…, msisdn:….
    pub iccid: String,
    /// How many.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub credits: u32,
    #[command(flatten)]
    pub send: SendArgs,
}

#[derive(Debug, Args)]
pub(super) struct SkipArgs {
    /// Partition of tidegauge.log.
    pub partition: u32,
    /// The message's offset: `halted_at` of GET /v1/partitions; /health/ready and `tidegauge doctor` say it in words.
    pub offset: u64,
    /// Why; kept beside the checkpoint.
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    pub instance: InstanceArgs,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub first: u64,
    /// One seed with its whole trace.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    pub seed: Option<u64>,
    /// Switch a planted fault on: the audit must fail. An unknown name lists them.
    #[arg(long)]
    pub fault: Option<String>,
    /// Threads [default: one a core].
    #[arg(long)]
    pub threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct ClickhouseArgs {
    /// A loopback address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8123")]
    pub listen: SocketAddr,
    /// The engine's directory.
    #[arg(long, default_value = ".dev/clickhouse")]
    pub data: PathBuf,
    /// libchdb.so [default: TIDEGAUGE_LIBCHDB, then what deploy/dev/clickhouse-get.sh has fetched].
    #[arg(long)]
    pub lib: Option<PathBuf>,
}
