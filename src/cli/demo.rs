//! `demo`: needs no configuration.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::args::DemoArgs;
use super::exit::{Exit, Failed};
use crate::demo::{Options, run as run_demo};

pub(super) fn run(args: DemoArgs) -> Result<Exit, Failed> {
    let options = Options {
        cards: args.cards,
        directory: args.directory,
        listen: args.listen,
        speed: args.speed,
        run_for: args.seconds.map(Duration::from_secs),
        plain: args.plain || !std::io::stdout().is_terminal(),
    };
    super::runtime()?.block_on(run_demo(options))?;
    Ok(Exit::Done)
}
