//! Standard output of commands. Who reads it may have seen enough: `tidegauge verify | head`.
//!
//! Invariant: nothing prints past [`say!`] (`clippy::print_stdout` holds it), so a pipe that was closed ends the
//! program quietly, as it ends others, and no thread panics. Signals stay as they are: a socket that was closed is an
//! error to be told, not an end.

use std::fmt;
use std::io::{ErrorKind, Write as _};

/// How a shell shows that SIGPIPE has ended a program.
const CLOSED_PIPE: i32 = 128 + 13;

/// Prints a line to standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::stdout::line(format_args!($($text)*)) };
}
pub(crate) use say;

/// Writes a line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    raw(format!("{text}\n").as_bytes());
}

/// Writes bytes as they are.
pub(crate) fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(CLOSED_PIPE),
        Err(error) => {
            eprintln!("tidegauge: cannot write to standard output: {error}");
            std::process::exit(1)
        }
        Ok(()) => {}
    }
}
