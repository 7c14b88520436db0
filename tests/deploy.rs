//! What `deploy/` shows and alerts on is there: every metric that a rule or a panel names is one that the program has.

#![cfg(feature = "full")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const PREFIX: &str = "tidegauge_";
/// What Prometheus adds to a histogram's name.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of this project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

/// Names of metrics in a text, where each stands behind `before`.
fn names(text: &str, before: &str) -> BTreeSet<String> {
    let begins = |at: usize| text.get(..at).is_some_and(|text| text.ends_with(before));
    let rest = text.match_indices(PREFIX).filter(|(at, _)| begins(*at)).map(|(at, _)| &text[at..]);
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_').collect()
    };
    rest.map(name).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn no_rule_and_no_panel_asks_for_a_metric_that_is_not_there() {
    let made: BTreeSet<String> =
        files(&at("src"), "rs").iter().flat_map(|path| names(&read(path), "\"")).collect();
    let shown = files(&at("deploy/grafana"), "json");
    let alerted = files(&at("deploy/prometheus/rules"), "yml");
    assert!(!shown.is_empty() && !alerted.is_empty(), "there are dashboards and rules");
    for path in shown.iter().chain(&alerted) {
        let asked = names(&read(path), "");
        assert!(!asked.is_empty(), "{}: asks for nothing", path.display());
        for name in asked {
            let base = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
            assert!(made.contains(&name) || made.contains(base), "{}: {name} is no metric", path.display());
        }
    }
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let text = read(&at("docs/operations.md"));
    let (_, runbooks) = text.split_once("\n## Runbooks").expect("runbooks");
    let written: BTreeSet<String> =
        runbooks.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    let mut alerts = BTreeSet::new();
    for path in files(&at("deploy/prometheus/rules"), "yml") {
        for rule in read(&path).split("- alert: ").skip(1) {
            let name = rule.lines().next().unwrap_or_default();
            let anchor = format!("runbook_url: docs/operations.md#{}\n", name.to_lowercase());
            assert!(rule.contains(&anchor), "{}: {name} has no {anchor}", path.display());
            alerts.insert(name.to_owned());
        }
    }
    assert_eq!(alerts, written);
}

/// Every link of a page of ours to a file leads to one.
#[test]
fn every_link_of_the_docs_leads_somewhere() {
    let mut pages = files(&at("docs"), "md");
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(at));
    for page in pages {
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.starts_with("http") {
                continue;
            }
            let to = page.parent().expect("a folder").join(file);
            assert!(to.exists(), "{}: {target} is not there", page.display());
        }
    }
}

#[test]
fn every_alert_says_what_to_do() {
    for path in files(&at("deploy/prometheus/rules"), "yml") {
        let text = read(&path);
        for rule in text.split("- alert: ").skip(1) {
            let name = rule.lines().next().unwrap_or_default();
            for part in ["expr:", "severity:", "summary:", "description:"] {
                assert!(rule.contains(part), "{}: {name} has no {part}", path.display());
            }
        }
    }
}

/// Where `deploy/dev/checkers-get.sh` puts what it brings.
fn checkers() -> PathBuf {
    let cache = std::env::var_os("TIDEGAUGE_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/tidegauge"));
    cache.or_else(home).unwrap_or_default().join("checkers-1")
}

/// What a checker says of a file; `None`, and a line that says so, where the checker is not installed.
fn checked(tool: &str, arguments: &[&str], file: &Path) -> Option<(bool, String)> {
    let brought = checkers().join("bin").join(tool);
    let mut command = Command::new(if brought.exists() { brought } else { PathBuf::from(tool) });
    command.env("TIDEGAUGE_API_TOKENS", at("deploy/tokens"));
    let Ok(output) = command.args(arguments).arg(file).output() else {
        println!("SKIPPED: {tool} is not here to look at {}: deploy/dev/checkers-get.sh", file.display());
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// The checker must find nothing wrong with a file of ours.
fn passes(tool: &str, arguments: &[&str], file: &str) -> Option<String> {
    let (passed, said) = checked(tool, arguments, &at(file))?;
    assert!(passed, "{tool} {file}: {said}");
    Some(said)
}

/// ... and something with the file in which one thing is another: else it has looked at nothing.
fn passes_and_would_not(tool: &str, arguments: &[&str], file: &str, from: &str, to: &str) {
    if passes(tool, arguments, file).is_none() {
        return;
    }
    let text = read(&at(file));
    assert!(text.contains(from), "{file}");
    // Beside the file, for the sake of what it refers to.
    let beside = at(file).with_file_name(format!(".{}.changed", std::process::id()));
    std::fs::write(&beside, text.replacen(from, to, 1)).expect("a file");
    let changed = checked(tool, arguments, &beside);
    std::fs::remove_file(&beside).expect("it was written here");
    assert!(matches!(changed, Some((false, _))), "{tool}: {file} with {to:?} passes too: {changed:?}");
}

#[test]
fn promtool_takes_the_rules() {
    let arguments = ["check", "rules"];
    passes_and_would_not(
        "promtool",
        &arguments,
        "deploy/prometheus/rules/tidegauge.yml",
        "expr: ",
        "expr: )",
    );
}

#[test]
fn hadolint_takes_the_dockerfile() {
    passes_and_would_not("hadolint", &[], "deploy/Dockerfile", "FROM ", "FRMO ");
}

#[test]
fn the_compose_file_is_one_by_the_specification() {
    let arguments = ["--builtin-schema", "vendor.compose-spec", "--default-filetype", "yaml"];
    passes_and_would_not("check-jsonschema", &arguments, "deploy/compose.yaml", "\nservices:", "\nservice:");
}

#[test]
fn asyncapi_s_own_parser_takes_the_topics() {
    let folder = checkers();
    if !folder.join("node_modules/@asyncapi/parser").exists() {
        println!("SKIPPED: AsyncAPI's parser is not here: deploy/dev/checkers-get.sh");
        return;
    }
    let (script, folder) = (at("deploy/dev/asyncapi.mjs"), folder.display().to_string());
    let arguments = [&script.to_string_lossy(), folder.as_str()];
    passes_and_would_not("node", &arguments, "schemas/asyncapi.yaml", "\nchannels:", "\nchannel:");
}

#[test]
fn the_service_may_do_no_more_than_it_needs() {
    let arguments = ["security", "--offline=true", "--no-pager"];
    let Some(said) = passes("systemd-analyze", &arguments, "deploy/systemd/tidegauge.service") else {
        return;
    };
    let level =
        said.split("exposure level for tidegauge.service: ").nth(1).and_then(|rest| rest.split(' ').next());
    let level: f64 = level.and_then(|level| level.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    assert!(level <= 1.5, "{said}");
}

#[test]
fn the_configuration_and_the_tokens_of_compose_are_right() {
    let program = env!("CARGO_BIN_EXE_tidegauge");
    let arguments = ["config", "check", "--config"];
    passes(program, &arguments, "deploy/tidegauge.toml").expect("the program is here");
    let tokens = tidegauge::config::tokens(&at("deploy/tokens")).expect("tokens");
    assert_eq!(tokens.len(), 2);
}
