//! A ClickHouse for a test: a real server when `TIDEGAUGE_CLICKHOUSE_URL` names one, else the engine as a child process of
//! the test, with a directory and a port of its own, which can be killed as a server dies. Without either the test says
//! SKIPPED.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tidegauge::demo::clickhouse::find_lib;
use tidegauge::rollup::{Client, Server, Timeouts};

/// Says why a test has not run.
#[macro_export]
macro_rules! skipped {
    ($($why:tt)*) => {{
        println!("SKIPPED: {}", format_args!($($why)*));
        return;
    }};
}

/// The named server, if there is one.
pub fn server_url() -> Option<String> {
    std::env::var_os("TIDEGAUGE_CLICKHOUSE_URL").map(|url| url.into_string().expect("a URL is text"))
}

/// A place to test on: keeps the engine running as long as it lives.
pub struct Place {
    pub server: Server,
    _engine: Option<Engine>,
}

impl Place {
    /// A new database on the named server or on an engine of its own; `None` when there is neither.
    pub fn find() -> Option<Self> {
        if let Some(url) = server_url() {
            return Some(Self { server: server(url), _engine: None });
        }
        let engine = Engine::start()?;
        Some(Self { server: server(engine.url.clone()), _engine: Some(engine) })
    }

    pub fn client(&self) -> Client {
        Client::new(&self.server, Timeouts::default())
    }
}

/// As the default user, in a database that no other test has.
pub fn server(url: String) -> Server {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let database = format!("tidegauge_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let password = std::env::var_os("TIDEGAUGE_CLICKHOUSE_PASSWORD").unwrap_or_default();
    Server { url, database, user: "default".to_owned(), password: password.into_string().expect("text") }
}

/// `tidegauge clickhouse` as a child process. Killed when dropped.
pub struct Engine {
    pub url: String,
    data: tempfile::TempDir,
    child: Child,
}

impl Engine {
    /// `None` when the engine's library is not here and cannot be fetched.
    pub fn start() -> Option<Self> {
        let lib = lib()?;
        let data = tempfile::tempdir().expect("a temporary directory");
        let (child, url) = spawn(&lib, &data, "127.0.0.1:0");
        Some(Self { url, data, child })
    }

    /// As kill -9 does it: nothing is flushed, nothing is said.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }

    /// Starts it again, same directory, same port.
    pub fn restart(&mut self) {
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

fn spawn(lib: &PathBuf, data: &tempfile::TempDir, address: &str) -> (Child, String) {
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
fn lib() -> Option<PathBuf> {
    static FETCHED: OnceLock<()> = OnceLock::new();
    if find_lib(None).is_none() {
        FETCHED.get_or_init(|| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/dev/clickhouse-get.sh");
            drop(Command::new(script).stdout(Stdio::null()).status());
        });
    }
    find_lib(None)
}
