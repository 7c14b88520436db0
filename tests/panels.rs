//! Every panel of the dashboards shows something: a real Prometheus scrapes the running demo, and each expression is asked.

#![cfg(feature = "full")]

#[path = "product/http.rs"]
#[allow(dead_code, reason = "the product's tests use more of it")]
mod http;
#[path = "support/mod.rs"]
mod support;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{Patience, signal, spawn_with_us};

/// What Grafana would put in for its variable, at this scrape interval.
const RATE_INTERVAL: &str = "10s";
/// How long everything together may take to show up.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Ends what it runs, in good order: the demo ends its ClickHouse engine.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        signal(self.0.id(), "TERM");
        drop(self.0.wait());
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").to_string()
}

fn demo(directory: &Path, address: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegauge"));
    command.args(["demo", "--plain", "--cards", "1000", "--listen", address, "--directory"]).arg(directory);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Running(spawn_with_us(command))
}

/// `None` where Prometheus is not installed.
fn prometheus(directory: &Path, target: &str, address: &str) -> Option<Running> {
    let config = directory.join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs: [{{ job_name: tidegauge, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    std::fs::write(&config, text).expect("a temporary file");
    Command::new("prometheus").arg("--version").output().ok()?;
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", directory.join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Some(Running(spawn_with_us(command)))
}

/// Title and expressions of every panel of every dashboard.
fn panels() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards");
    let files = std::fs::read_dir(folder).expect("dashboards").map(|entry| entry.expect("an entry").path());
    let mut panels = Vec::new();
    for file in files {
        let dashboard: Value =
            serde_json::from_slice(&std::fs::read(&file).expect("a dashboard")).expect("JSON");
        for panel in dashboard["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().unwrap_or_default().to_owned();
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expr = target["expr"].as_str().expect("an expression");
                panels.push((title.clone(), expr.replace("$__rate_interval", RATE_INTERVAL)));
            }
        }
    }
    panels
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// Whether an expression gives at least one number.
fn shows(prometheus: &str, expr: &str) -> bool {
    let path = format!("/api/v1/query?query={}", encoded(expr));
    let Some(answer) = http::get(prometheus, &path) else { return false };
    let answer = answer.json();
    assert_ne!(answer["status"], "error", "{expr}: {answer}");
    let result = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    result.iter().any(|series| series["value"][1].as_str().is_some_and(|value| value != "NaN"))
}

#[test]
fn every_panel_shows_something() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (product, scraper) = (free_address(), free_address());
    let Some(_prometheus) = prometheus(directory.path(), &product, &scraper) else {
        println!("SKIPPED: prometheus is not here");
        return;
    };
    let _demo = demo(&directory.path().join("demo"), &product);
    let mut panels = panels();
    assert!(panels.len() > 15, "{panels:?}");
    let patience = Patience::of(PATIENCE);
    loop {
        panels.retain(|(_, expr)| !shows(&scraper, expr));
        if panels.is_empty() {
            return;
        }
        patience.check(&format!("{panels:#?}"));
        std::thread::park_timeout(LOOK_EVERY);
    }
}
