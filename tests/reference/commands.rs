//! `docs/reference/cli.md`: the help of every command, as the program prints it.

use std::fmt::Write as _;

use crate::Reference;
use crate::said::said;

const INTRODUCTION: &str = "\
Completions: `tidegauge completions bash > /etc/bash_completion.d/tidegauge` (or zsh, fish, elvish, powershell). The manual:
`tidegauge man --directory /usr/local/share/man/man1`.

";

/// The ways to every command, the program itself first.
fn ways(command: &clap::Command, way: &[&str]) -> Vec<Vec<String>> {
    let mut found = vec![way.iter().map(|word| (*word).to_owned()).collect()];
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let way: Vec<&str> = way.iter().copied().chain([below.get_name()]).collect();
        found.extend(ways(below, &way));
    }
    found
}

const REFERENCE: Reference = Reference { name: "cli", title: "Command line" };

/// The page of every command's help.
fn page(helps: &[(String, String)]) -> String {
    let mut text = INTRODUCTION.to_owned();
    for (name, help) in helps {
        write!(text, "\n## {name}\n\n```text\n{help}\n```\n").expect("a string");
    }
    text
}

/// What each command prints of itself, by its name.
fn helps() -> Vec<(String, String)> {
    let ways = ways(&tidegauge::cli::command(), &[]);
    assert!(ways.len() > 25, "{ways:?}");
    let help = |way: &Vec<String>| {
        let arguments: Vec<&str> = way.iter().map(String::as_str).chain(["--help"]).collect();
        let help = said(&arguments, &[], None);
        assert_eq!(help.code, Some(0), "{way:?}");
        let name = ["tidegauge".to_owned()].iter().chain(way).cloned().collect::<Vec<_>>().join(" ");
        let lines: Vec<&str> = help.out.lines().map(str::trim_end).collect();
        (name, lines.join("\n").trim_end().to_owned())
    };
    ways.iter().map(help).collect()
}

#[test]
fn every_command_has_its_help_in_the_reference() {
    let helps = helps();
    REFERENCE.assert(&page(&helps));
    let unchanged = helps.clone();
    let change = |name: &str, from: &str, to: &str| {
        let mut helps = helps.clone();
        let (_, help) = helps.iter_mut().find(|(command, _)| command == name).expect("a command");
        assert!(help.contains(from), "{help}");
        *help = help.replace(from, to);
        REFERENCE.assert_notices(&page(&unchanged), &page(&helps));
    };
    change("tidegauge run", "--new", "--fresh");
    change("tidegauge demo", "10000", "20000");
    REFERENCE.assert_notices(&page(&helps), &page(&helps[1..]));
}

#[test]
fn completions_and_manuals_speak_of_every_command() {
    let completions = said(&["completions", "bash"], &[], None);
    assert_eq!(completions.code, Some(0));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let into = directory.path().display().to_string();
    assert_eq!(said(&["man", "--directory", &into], &[], None).code, Some(0));
    assert!(said(&["man"], &[], None).out.contains("Usage metering"));
    for way in ways(&tidegauge::cli::command(), &[]) {
        let name = ["tidegauge".to_owned()].into_iter().chain(way.clone()).collect::<Vec<_>>().join("-");
        let page = directory.path().join(format!("{name}.1"));
        assert!(page.exists(), "{}", page.display());
        assert!(way.iter().all(|word| completions.out.contains(word.as_str())), "{name}");
    }
}
