//! What can be typed: the command line as clap reads it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Usage metering for IoT SIM cards: to the byte, once, whatever crashes.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 65 bad data, 69 Kafka or ClickHouse away, 78 configuration."
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
    /// The configuration itself.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The ClickHouse engine as a library behind HTTP on loopback, for development.
    Clickhouse(ClickhouseArgs),
    /// Completion script for a shell.
    Completions { shell: clap_complete::Shell },
    /// Manual page on standard output.
    Man,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the configuration and say where it came from.
    Check,
    /// Print what is meant, defaults filled in.
    Show,
    /// Every key with its type, default and meaning.
    Schema,
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
