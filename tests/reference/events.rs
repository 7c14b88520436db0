//! `docs/reference/events.md`, of the kinds that the program has and the schemas that consumers validate with.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use tidegauge::model::EventBody;

use crate::{Reference, at, head, row};

const INTRODUCTION: &str = "\
CloudEvents 1.0 in JSON, structured, with the attributes as `ce_` headers too; the key is the card. Read them with
`isolation.level=read_committed` ([consume](../consume/README.md)). An event's `id` is deterministic, the same after any crash.
`type` is `io.tidegauge.NAME`, `dataschema` names the file below `schemas/event`, and `schemas/examples/event` has one of each.
Unknown fields may be added; a change that would break a reader gets another version.

";

fn schema(file: &str) -> Value {
    let path = at("schemas").join(file);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|e| panic!("{file}: {e}"))).expect("JSON")
}

/// The name of a field's type: that of the common word, or JSON's.
fn kind(field: &Value) -> String {
    let named = field["$ref"].as_str().and_then(|at| at.rsplit('/').next());
    let constant = (!field["const"].is_null()).then(|| format!("{}", field["const"]));
    let choice = field["enum"]
        .as_array()
        .map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let plain = field["type"].as_str().map(str::to_owned);
    named.map(str::to_owned).or(constant).or(choice).or(plain).unwrap_or_default()
}

fn fields(of: &Value) -> String {
    let required: BTreeSet<&str> =
        of["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = head(&["field", "type", "always", "meaning"]);
    for (name, field) in of["properties"].as_object().into_iter().flatten() {
        let always = if required.contains(name.as_str()) { "yes" } else { "" };
        text +=
            &row(&[&format!("`{name}`"), &kind(field), always, field["description"].as_str().unwrap_or("")]);
    }
    text
}

const REFERENCE: Reference = Reference { name: "events", title: "Events" };

/// The page, of the kinds and of what `schema` reads of each file.
fn page(kinds: &[&str], schema: impl Fn(&str) -> Value) -> String {
    let mut text = INTRODUCTION.to_owned();
    write!(text, "## Envelope\n\n{}", fields(&schema("event.json"))).expect("a string");
    let mut described = BTreeSet::new();
    for kind in kinds {
        let schema = schema(&format!("event/{kind}.v1.json"));
        let title = schema["title"].as_str().expect("a title");
        write!(text, "\n## {kind}.v1\n\n{title}.\n\n{}", fields(&schema["properties"]["data"]))
            .expect("a string");
        described.insert(format!("{kind}.v1.json"));
    }
    // Events that ingest tells, not the meter.
    let files =
        std::fs::read_dir(at("schemas/event")).expect("schemas").map(|f| f.expect("a file").file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().expect("text")).collect();
    for file in files.difference(&described) {
        let schema = schema(&format!("event/{file}"));
        let title = schema["title"].as_str().expect("a title");
        let name = file.trim_end_matches(".json");
        write!(text, "\n## {name}\n\n{title}.\n\n{}", fields(&schema["properties"]["data"]))
            .expect("a string");
    }
    text += "\n## Types\n\n";
    text += &head(&["type", "meaning"]);
    for (name, of) in schema("common.json")["$defs"].as_object().expect("words") {
        let choice = kind(of);
        text += &row(&[
            &format!("`{name}`"),
            &match of["description"].as_str() {
                Some(meaning) => meaning.to_owned(),
                None => choice,
            },
        ]);
    }
    text
}

#[test]
fn events() {
    REFERENCE.assert(&page(&EventBody::KINDS, schema));
}

#[test]
fn an_event_that_changes_is_noticed() {
    let is = page(&EventBody::KINDS, schema);
    for (file, place, other) in [
        ("event.json", "/properties/id/description", json!("something else")),
        ("event/alert.fired.v1.json", "/title", json!("Something else")),
        ("event/alert.fired.v1.json", "/properties/data/required", json!([])),
        ("common.json", "/$defs", json!({})),
    ] {
        let changed = |name: &str| {
            let mut schema = schema(name);
            if name == file {
                *schema.pointer_mut(place).unwrap_or_else(|| panic!("{file} {place}")) = other.clone();
            }
            schema
        };
        REFERENCE.assert_notices(&is, &page(&EventBody::KINDS, changed));
    }
    // One that the program tells and nobody has described.
    let missing = std::panic::catch_unwind(|| page(&["alert.never"], schema));
    assert!(missing.is_err());
}
