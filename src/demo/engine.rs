//! The ClickHouse engine beside the demo: a child process that serves the library, if the library is there.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::clickhouse;

/// What brings the engine.
pub(super) const HOW_TO_GET: &str = "deploy/dev/clickhouse-get.sh";

/// A running engine; it ends with this value.
pub(super) struct Engine {
    pub(super) url: String,
    _child: Child,
}

impl Engine {
    /// Whether the library is there.
    pub(super) fn is_there() -> Option<PathBuf> {
        clickhouse::find_lib(None)
    }

    /// Starts it in a directory, and waits until it answers.
    pub(super) async fn start(lib: &Path, directory: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args(["clickhouse", "--listen", "127.0.0.1:0", "--data"])
            .arg(directory)
            .arg("--lib")
            .arg(lib)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the ClickHouse engine")?;
        let output = child.stdout.take().context("the engine's output is not there")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let url =
            line.trim().strip_prefix("ready ").context("the ClickHouse engine ended before it was ready")?;
        Ok(Self { url: url.to_owned(), _child: child })
    }
}
