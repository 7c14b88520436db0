//! The command line: arguments → configuration → command → exit code.
//!
//! Invariant: every failure ends in one sentence that says what, where and what to do, and in the exit code of its kind.

mod args;
mod card;
mod catalogue;
mod config;
mod demo;
mod doctor;
mod exit;
mod follow;
mod halted;
mod ingest;
mod kafka;
mod migrate;
mod observe;
mod order;
mod quarantine;
mod remote;
mod rollups;
mod run;
pub mod shown;
mod simulate;
mod stalled;
mod topics;
mod transport;
mod verify;

use std::path::Path;

use anyhow::{Context as _, anyhow};
use clap::{CommandFactory as _, Parser as _};

use crate::config::load;
use crate::demo::clickhouse;
use crate::stdout;
use args::{Cli, ClickhouseArgs, Command};
pub use exit::Exit;
use exit::Failed;

/// Every command with its arguments and their help: what completions, the manual page and the reference are made of.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the arguments say.
#[must_use]
pub fn main() -> Exit {
    let cli = Cli::parse();
    match obey(cli) {
        Ok(exit) => exit,
        Err(failed) => {
            eprintln!("tidegauge: {:#}", failed.error);
            failed.exit
        }
    }
}

fn obey(cli: Cli) -> Result<Exit, Failed> {
    let path = cli.config.as_deref();
    match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(&args, &load(path)?),
        Command::Migrate => migrate::run(&load(path)?, cli.json),
        Command::Topics(command) => topics::run(&command, &load(path)?, cli.json),
        Command::Catalogue(command) => catalogue::run(&command, path, cli.json),
        Command::Ingest(command) => ingest::run(&command, path, cli.json),
        Command::Card(args) => card::run(&args, path, cli.json),
        Command::Recharge(args) => order::recharge(&args, path, cli.json),
        Command::Rules(args) => order::rules(&args, path, cli.json),
        Command::Credits(args) => order::credits(&args, path, cli.json),
        Command::Quarantine(command) => quarantine::run(&command, path, cli.json),
        Command::Feeds(args) => remote::feeds(&args, path, cli.json),
        Command::Doctor(args) => doctor::run(&args, &load(path)?, cli.json),
        Command::Verify => verify::run(&load(path)?, cli.json),
        Command::Drain(args) => remote::drain(&args, path, cli.json),
        Command::Skip(args) => remote::skip(&args, path, cli.json),
        Command::Simulate(args) => simulate::run(&args, cli.json),
        Command::Config(command) => config::run(&command, path, cli.json),
        Command::Clickhouse(args) => serve_clickhouse(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tidegauge", &mut script);
            stdout::raw(&script);
            Ok(Exit::Done)
        }
        Command::Man { directory } => manual(directory.as_deref()),
    }
}

fn manual(directory: Option<&Path>) -> Result<Exit, Failed> {
    if let Some(directory) = directory {
        let into = || format!("cannot write into {}: name a directory of your own", directory.display());
        std::fs::create_dir_all(directory).with_context(into)?;
        clap_mangen::generate_to(Cli::command(), directory).with_context(into)?;
        return Ok(Exit::Done);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    stdout::raw(&page);
    Ok(Exit::Done)
}

fn serve_clickhouse(args: ClickhouseArgs) -> Result<Exit, Failed> {
    let lib = clickhouse::find_lib(args.lib.as_deref()).ok_or_else(|| no_engine(args.lib.as_deref()))?;
    let options = clickhouse::Options { listen: args.listen, data: args.data, lib };
    runtime()?.block_on(clickhouse::serve(options))?;
    Ok(Exit::Done)
}

fn no_engine(named: Option<&Path>) -> Failed {
    let what = named.map_or_else(
        || "the ClickHouse engine is not here".to_owned(),
        |lib| format!("{} is not there, or no file", lib.display()),
    );
    Failed::unavailable(anyhow!("{what}: run deploy/dev/clickhouse-get.sh, or name libchdb.so with --lib"))
}

/// Threads for sockets; workers and ingest have their own.
fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
