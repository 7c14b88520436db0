//! ClickHouse's engine as a child process of a test, with a directory and a port of its own, which can be killed as a server
//! dies.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tidegauge::demo::clickhouse::find_lib;

/// `tidegauge clickhouse` as a child process. Killed when dropped.
pub(crate) struct Engine {
    pub(crate) url: String,
    data: tempfile::TempDir,
    child: Child,
}

impl Engine {
    /// `None` when the engine's library is not here and cannot be fetched.
    pub(crate) fn start() -> Option<Self> {
        let lib = lib()?;
        let data = tempfile::tempdir().expect("a temporary directory");
        let (child, url) = spawn(&lib, &data, "127.0.0.1:0");
        Some(Self { url, data, child })
    }

    /// As kill -9 does it: nothing is flushed, nothing is said.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }

    /// Starts it again, same directory, same port.
    pub(crate) fn restart(&mut self) {
        let address = self.url.strip_prefix("http://").expect("it printed http://");
        let lib = lib().expect("it was there before");
        (self.child, self.url) = spawn(&lib, &self.data, address);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(lib: &Path, data: &tempfile::TempDir, address: &str) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegauge"))
        .args(["clickhouse", "--listen", address, "--data"])
        .arg(data.path())
        .arg("--lib")
        .arg(lib)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("it says something");
    let url = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("not ready but {line:?}"));
    (child, url.to_owned())
}

/// The engine's library, fetched once if it is not here.
fn lib() -> Option<std::path::PathBuf> {
    static FETCHED: OnceLock<()> = OnceLock::new();
    if find_lib(None).is_none() {
        FETCHED.get_or_init(|| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/dev/clickhouse-get.sh");
            drop(Command::new(script).stdout(Stdio::null()).status());
        });
    }
    find_lib(None)
}
