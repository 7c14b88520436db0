//! What the program says to what is typed: to standard output, to standard error, and with which code it ends.

use std::fmt::Write as _;
use std::process::Command;

use crate::{assert_file, at};

pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

/// Runs the program in an empty place, with these variables alone and this file as tidegauge.toml.
pub(crate) fn said(arguments: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> Said {
    let directory = tempfile::tempdir().expect("a temporary directory");
    if let Some(text) = file {
        std::fs::write(directory.path().join("tidegauge.toml"), text).expect("a temporary file");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegauge"));
    command.args(arguments).current_dir(directory.path()).env_clear();
    let output = command.envs(variables.iter().copied()).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}

/// Arguments, variables, and tidegauge.toml.
type Case<'c> = (&'c [&'c str], &'c [(&'c str, &'c str)], &'c str);

/// A session as one would see it in a terminal.
fn session(cases: &[Case<'_>]) -> String {
    let mut text = String::new();
    for (arguments, variables, file) in cases {
        for line in file.lines() {
            writeln!(text, "    {line}").expect("a string");
        }
        let set: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let said = said(arguments, variables, Some(*file).filter(|file| !file.is_empty()));
        let project = at("").display().to_string();
        let typed = arguments.join(" ").replace(&project, "");
        let line: Vec<&str> = set.iter().map(String::as_str).chain(["tidegauge", &typed]).collect();
        writeln!(text, "$ {}", line.join(" ")).expect("a string");
        text += &said.out;
        text += &said.err;
        writeln!(text, "[{}]\n", said.code.unwrap_or(-1)).expect("a string");
    }
    // How the machine calls the test's directories is not the program's.
    text.replace(&at("").display().to_string(), "")
}

const NAMED: (&str, &str) = ("TIDEGAUGE_DEPLOYMENT", "shop");

#[test]
fn errors_of_the_configuration() {
    let text = session(&[
        (&["config", "check"], &[], "deployment = \"shop\"\n"),
        (&["config", "check"], &[], ""),
        (
            &["config", "check"],
            &[("TIDEGAUGE_KAFKA_REPLICATION", "9"), ("TIDEGAUGE_DEPLOYEMENT", "shop")],
            "clock = \"wall\"\n\n[kafka]\nbroker = \"kafka-1:9092\"\npartitions = \"many\"\nlisten = \"0.0.0.0:8080\"\n\n[wroker]\nthreads = 2\n",
        ),
        (&["config", "check"], &[NAMED, ("TIDEGAUGE_KAFKA_BROKER", "x:1")], ""),
        (&["config", "check"], &[NAMED], "[kafka\nbrokers = \"a:1\"\n"),
        (
            &["config", "check"],
            &[NAMED],
            "[[feeds]]\nid = \"one\"\nformat = \"1nce\"\ncarier = \"one\"\n\n[[feeds]]\nid = \"two\"\nformat = \"mapped-csv\"\nzone = \"Shanghai\"\nidentity = \"ICCID\"\n",
        ),
        (&["config", "check", "--config", "elsewhere.toml"], &[NAMED], ""),
        (
            &["config", "show"],
            &[NAMED, ("TIDEGAUGE_KAFKA_INSTANCE", "shop-0"), ("TIDEGAUGE_CLICKHOUSE_PASSWORD", "secret")],
            "[clickhouse]\nurl = \"http://ch:8123\"\n",
        ),
    ]);
    assert!(!text.contains("secret\""), "{text}");
    assert_file(&text, "tests/reference/configuration.txt");
}

#[test]
fn errors_of_what_is_typed() {
    let text = session(&[
        (&["rnu"], &[], ""),
        (&["run", "--roles", "ingest,metre"], &[NAMED], ""),
        (&["recharge", "8986001234567890123", "--order", "o-1"], &[], ""),
        (&["skip", "3"], &[], ""),
        // Nothing listens there; and no deployment needs a name for it.
        (&["card", "8986001234567890123", "--url", "http://127.0.0.1:1"], &[], ""),
        (&["feeds"], &[("TIDEGAUGE_API_LISTEN", "127.0.0.1:1")], ""),
        (&["feeds"], &[], "[api]\nlisten = \"8080\"\n"),
        (
            &[
                "recharge",
                "8986001234567890123",
                "--order",
                "o-1",
                "--quota",
                "1GiB",
                "--validity",
                "30",
                "--channel",
                "web",
                "--provider",
                "p",
                "--reference",
                "r",
                "--paid-at",
                "2026-08-01T09:00:00Z",
            ],
            &[],
            "",
        ),
        (&["simulate", "--seeds", "1", "--fault", "none-such"], &[], ""),
        (&["ingest", "check", "--feed", "x", "--format", "xml", "nothing"], &[], ""),
        (&["migrate"], &[NAMED], ""),
    ]);
    assert_file(&text, "tests/reference/typed.txt");
}

#[test]
fn tables_of_files() {
    let file = |name: &str| at("tests/data").join(name).display().to_string();
    let (gateway, mapped) = (file("3gpp-cdr/pgw-32297.cdr"), file("platform-feeds/emnify-shape.json"));
    let text = session(&[
        (&["ingest", "check", "--feed", "pgw", &gateway], &[], ""),
        (&["ingest", "check", "--feed", "emnify", "--format", "emnify", &mapped], &[], ""),
        (&["ingest", "check", "--json", "--feed", "pgw", &gateway], &[], ""),
    ]);
    assert_file(&text, "tests/reference/files.txt");
}
