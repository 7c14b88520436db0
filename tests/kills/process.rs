//! `tidegauge` as a child process: run, killed, asked.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::support::{signal, spawn_with_us};

/// The variables of one deployment; each process adds its own.
#[derive(Debug, Clone)]
pub(crate) struct Variables(pub(crate) Vec<(&'static str, String)>);

impl Variables {
    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_tidegauge")]);
        command.envs(self.0.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end and answers what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("the program starts");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}\n{out}{err}", output.status);
        out
    }
}

/// `tidegauge run`.
pub(crate) struct Process {
    variables: Variables,
    address: String,
    log: PathBuf,
    /// As it is started again.
    arguments: Vec<&'static str>,
    child: Child,
    web: Client<HttpConnector, Full<Bytes>>,
}

impl Process {
    /// The first start of a deployment that has no state yet.
    pub(crate) fn start(deployment: &Variables, name: &str) -> Self {
        Self::start_as(deployment, name, &[])
    }

    /// The same with these arguments beside `run`.
    pub(crate) fn start_as(deployment: &Variables, name: &str, arguments: &[&'static str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut variables = deployment.clone();
        variables.0.push(("TIDEGAUGE_KAFKA_INSTANCE", name.to_owned()));
        variables.0.push(("TIDEGAUGE_API_LISTEN", address.clone()));
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kills-{name}.log"));
        drop(std::fs::remove_file(&log));
        let arguments = [&["run"], arguments].concat();
        let child = spawn(&variables, &log, &[arguments.as_slice(), &["--new"]].concat());
        let web = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { variables, address, log, arguments, child, web }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started here");
    }

    /// Again, with the same name.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.variables, &self.log, &self.arguments);
    }

    /// SIGTERM: everything sealed and committed.
    pub(crate) fn stop(&mut self) {
        signal(self.child.id(), "TERM");
        let ended = self.child.wait().expect("it was started here");
        assert!(ended.success(), "{ended}: see {}", self.log.display());
    }

    /// The answer to a GET; `None` while it cannot be had.
    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        serde_json::from_str(&self.text(path).await?).ok()
    }

    pub(crate) async fn text(&self, path: &str) -> Option<String> {
        let uri = format!("http://{}{path}", self.address).parse().expect("a path");
        let answer = tokio::time::timeout(Duration::from_secs(5), self.web.get(uri)).await.ok()?.ok()?;
        let whole = answer.status().is_success();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        whole.then(|| String::from_utf8_lossy(&body).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(variables: &Variables, log: &PathBuf, arguments: &[&str]) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
    let mut command = variables.command();
    command.args(arguments).stdout(Stdio::null()).stderr(log);
    spawn_with_us(command)
}
