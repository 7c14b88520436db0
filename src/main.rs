//! Arguments → configuration → command → exit code.

use tidegauge::cli;

fn main() -> cli::Exit {
    cli::main()
}
