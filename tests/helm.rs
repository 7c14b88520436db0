//! The Helm chart, as Helm renders it: what comes out is what was reviewed, its configuration is one that the program takes,
//! and values that cannot be meant are refused. Without `helm` (see `make helm`) the tests say SKIPPED.

#![cfg(feature = "full")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

const CHART: &str = "deploy/helm/tidegauge";

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where `make helm` puts it, or wherever it is.
fn helm() -> Option<PathBuf> {
    let cache = std::env::var_os("TIDEGAUGE_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/tidegauge"));
    let cached = cache.or_else(home).map(|cache| cache.join("tools/helm")).filter(|helm| helm.exists());
    let helm = cached.unwrap_or_else(|| PathBuf::from("helm"));
    let found = Command::new(&helm).arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("SKIPPED: helm is not here: make helm");
    }
    found.then_some(helm)
}

fn template(helm: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(helm);
    command
        .args(["template", "shop", CHART, "--namespace", "metering", "--kube-version", "1.31.0"])
        .args(arguments);
    command.current_dir(at("")).output().expect("helm runs")
}

fn rendered(helm: &Path, arguments: &[&str]) -> String {
    let output = template(helm, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn assert_file(text: &str, path: &str) {
    let committed = Data::read_from(&at(path), Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").eq(Data::text(text).raw(), committed);
}

/// The program's configuration in what was rendered.
fn configuration(rendered: &str) -> String {
    let (_, rest) = rendered.split_once("  tidegauge.toml: |\n").expect("a configuration");
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Whether a program that was built without TLS finds that, and nothing else: the image that the chart runs has it.
fn lacks_tls_alone(checked: &Output) -> bool {
    let said = String::from_utf8_lossy(&checked.stderr);
    let errors = said.lines().filter(|line| line.contains("tidegauge.toml:")).count();
    !cfg!(feature = "tls") && errors > 0 && said.matches("--features tls").count() == errors
}

#[test]
fn what_helm_renders_is_what_was_reviewed_and_the_program_takes_it() {
    let Some(helm) = helm() else { return };
    let mut lint = Command::new(&helm);
    lint.args(["lint", "--strict", CHART, "--set", "deployment=shop"]).current_dir(at(""));
    let lint = lint.output().expect("helm runs");
    assert!(lint.status.success(), "{lint:?}");
    let whole = ["--values", "tests/helm/whole.values.yaml"];
    for (name, arguments) in [("least", &["--set", "deployment=shop"][..]), ("whole", &whole)] {
        let rendered = rendered(&helm, arguments);
        assert_file(&rendered, &format!("tests/helm/{name}.yaml"));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("tidegauge.toml");
        std::fs::write(&file, configuration(&rendered).replace("tokens = \"/etc", "# \"/etc"))
            .expect("a file");
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidegauge"));
        let checked = program.args(["config", "check", "--config"]).arg(&file).env_clear().output();
        let checked = checked.expect("the program starts");
        assert!(checked.status.success() || lacks_tls_alone(&checked), "{name}: {checked:?}");
    }
}

#[test]
fn the_chart_brings_every_rule() {
    let Some(helm) = helm() else { return };
    let rules = std::fs::read_to_string(at("deploy/prometheus/rules/tidegauge.yml")).expect("rules");
    let rendered = rendered(&helm, &["--set", "deployment=shop,metrics.prometheusRule.enabled=true"]);
    let alerts = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
    };
    assert!(!alerts(&rules).is_empty());
    assert_eq!(alerts(&rendered), alerts(&rules));
}

/// The kubelet and Prometheus ask a port of their own, and find it whatever the pods do.
#[test]
fn probes_and_metrics_are_apart_from_clients_whatever_the_roles() {
    let Some(helm) = helm() else { return };
    for (roles, clients) in [("{ingest,meter,api}", true), ("{ingest,meter}", false), ("{meter}", false)] {
        let set = format!("deployment=shop,metrics.serviceMonitor.enabled=true,run.roles={roles}");
        let rendered = rendered(&helm, &["--set", &set]);
        let asked = |port: &str| {
            let ends = format!("port: {port}}}");
            rendered.lines().filter(|line| line.contains("httpGet: ") && line.ends_with(&ends)).count()
        };
        assert_eq!((asked("operations"), asked("http")), (3, 0), "{roles}");
        for line in [
            "    operations = \"0.0.0.0:9464\"",
            "            - {name: operations, containerPort: 9464}",
            "    - {name: operations, port: 9464, targetPort: operations}",
            "    - {port: operations, path: /metrics, interval: 15s}",
        ] {
            assert_eq!(rendered.lines().filter(|other| *other == line).count(), 1, "{roles}: {line}");
        }
        let http = rendered.lines().filter(|line| line.contains("{name: http, ")).count();
        assert_eq!(http, if clients { 3 } else { 0 }, "{roles}");
    }
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    let Some(helm) = helm() else { return };
    for (set, says) in [
        ("replicas=2", "deployment"),
        ("deployment=a b", "deployment"),
        ("deployment=a,replica=2", "replica"),
        ("deployment=a,run.roles={metre}", "roles"),
        ("deployment=a,config.kafka.partitions=0", "partitions"),
        ("deployment=a,config.kafka.instance=x", "kafka"),
        ("deployment=a,extraVolumeMounts[0].name=x", "extraVolumeMounts"),
    ] {
        let output = template(&helm, &["--set", set]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says), "{set}: {output:?}");
    }
}
