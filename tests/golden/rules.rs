//! `docs/rules.md` says which script holds which rule; this holds it to its word.

use std::path::Path;

use crate::folder;

/// The rules that must have a line.
const RULES: [&str; 33] = [
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "R1", "R2", "R3", "P1", "P2", "P3", "P4", "P5",
    "P6", "P7", "P8", "S1", "S2", "S3", "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "T", "Opening",
];

/// Rule and scripts of each line of the tables.
fn lines() -> Vec<(String, Vec<String>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let page = std::fs::read_to_string(page).expect("docs/rules.md");
    let cells = |line: &str| {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let [rule, _, scripts] = <[String; 3]>::try_from(cells).ok()?;
        let scripts: Vec<String> = scripts.split(", ").map(str::to_owned).collect();
        rule.chars().next().is_some_and(char::is_uppercase).then_some((rule, scripts))
    };
    page.lines().filter(|line| line.starts_with('|')).filter_map(cells).collect()
}

/// Whether a text names a rule, by itself or within `A1 to A5`.
fn names(text: &str, rule: &str) -> bool {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let within = |three: &[&str]| {
        let number = |word: &str| word.get(1..).and_then(|number| number.parse::<u8>().ok());
        three[1] == "to"
            && three[0].get(..1) == rule.get(..1)
            && three[2].get(..1) == rule.get(..1)
            && matches!((number(three[0]), number(rule), number(three[2])), (Some(a), Some(b), Some(c)) if a <= b && b <= c)
    };
    words.contains(&rule) || words.windows(3).any(within)
}

#[test]
fn every_rule_names_scripts_that_are_there_and_name_it() {
    let lines = lines();
    for rule in RULES {
        assert!(lines.iter().any(|(held, _)| held == rule), "docs/rules.md has no line of {rule}");
    }
    for (rule, scripts) in &lines {
        assert!(!scripts.is_empty(), "{rule} has no script");
        for script in scripts {
            let path = folder().join(format!("{script}.script"));
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{rule}: {}: {e}", path.display()));
            assert!(names(&text, rule), "{script}.script does not name {rule}");
        }
    }
}

#[test]
fn every_script_holds_a_rule() {
    let lines = lines();
    for entry in std::fs::read_dir(folder()).expect("the scripts") {
        let path = entry.expect("a script").path();
        if path.extension().is_some_and(|extension| extension == "script") {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let held = lines.iter().any(|(_, scripts)| scripts.contains(&name));
            assert!(held, "{name}.script stands in no line of docs/rules.md");
        }
    }
}
