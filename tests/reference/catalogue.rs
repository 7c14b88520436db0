//! `docs/reference/catalogue.md` is written by hand; this holds it to what the compiler of the file takes.

use std::collections::BTreeSet;

use tidegauge::config::catalogue::{Inputs, compile};

use crate::at;

/// Sections of the page, each with a file that has a key in it that does not exist.
const SECTIONS: [(&str, &str); 7] = [
    ("Top level", "zzz = 1\n"),
    ("[[carriers]]", "[[carriers]]\nzzz = 1\n"),
    ("[[feeds]]", "[[feeds]]\nzzz = 1\n"),
    ("[[plans]]", "[[plans]]\nzzz = 1\n"),
    ("Rules", "[[default_rules]]\nzzz = 1\n"),
    ("Rules", "[[plans]]\nrules = [{ zzz = 1 }]\n"),
    ("[counters]", "[counters]\nzzz = 1\n"),
];

fn page() -> String {
    std::fs::read_to_string(at("docs/reference/catalogue.md")).expect("a page of this project")
}

fn inputs() -> Inputs<'static> {
    let from = chrono::NaiveDate::from_ymd_opt(2026, 8, 1).expect("a day");
    Inputs { path: "c.toml", deployment: "shop", from, previous: None }
}

/// The keys that the compiler names when it meets one that does not exist.
fn taken(file: &str) -> BTreeSet<String> {
    let said = compile(file, &inputs()).expect_err("there is no such key").to_string();
    let (_, known) = said.split_once("unknown field `zzz`, expected ").unwrap_or_else(|| panic!("{said}"));
    let known = known.lines().next().unwrap_or_default();
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The keys in the first column of a section's table.
fn written(page: &str, section: &str) -> BTreeSet<String> {
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("{section}"));
    let text = rest.split("\n## ").next().unwrap_or_default();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn the_catalogue_that_is_shown_is_one() {
    let page = page();
    let (_, rest) = page.split_once("\n```toml\n").expect("a block of TOML");
    let (text, _) = rest.split_once("\n```\n").expect("its end");
    let catalogue = compile(text, &inputs()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((catalogue.carriers.len(), catalogue.feeds.len(), catalogue.plans.len()), (1, 1, 1));
    // It is the one that stands in the program.
    let source = std::fs::read_to_string(at("src/config/catalogue/mod.rs")).expect("a file of this project");
    let said: String = text.lines().map(|line| format!("//! {line}").trim_end().to_owned() + "\n").collect();
    assert!(source.contains(&said), "the module doc has another one");
}

#[test]
fn the_page_has_the_keys_that_a_catalogue_takes_and_no_others() {
    let page = page();
    for (section, file) in SECTIONS {
        let keys = taken(file);
        assert!(!keys.is_empty(), "{section}");
        assert_eq!(written(&page, section), keys, "{section}");
    }
}
