//! Examples: valid and invalid ones, by schema and by codec.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegauge::codec::event::SCHEMAS;
use tidegauge::codec::json::{self, Scratch};
use tidegauge::codec::{directory, event};

use super::files::{assert_valid, json_files, read, root, validator};

/// Reads an example of a schema with the codec; `Err` is the reason why not.
fn by_codec(schema: &str, example: &Value) -> Result<(), String> {
    let bytes = serde_json::to_vec(example).unwrap();
    match schema {
        "cdr" => json::cdr(&bytes, &mut Scratch::default()).map(drop).map_err(|e| e.to_string()),
        "reading" => json::reading(&bytes).map(drop).map_err(|e| e.to_string()),
        "command" => json::command(&bytes).map(drop).map_err(|e| e.to_string()),
        "event" => event::read(&bytes).map(drop).map_err(|e| e.to_string()),
        "directory" => {
            let key = b"imsi:460041234567890:8986001234567890123";
            directory::read(key, Some(&bytes)).map(drop).map_err(|e| e.to_string())
        }
        other => panic!("no codec for {other}"),
    }
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_schema_is_a_schema_under_its_own_name() {
    // Examples are no schemas, and OpenAPI is a document of its own kind.
    let other = [root().join("examples"), root().join("openapi.json")];
    let is_schema = |path: &PathBuf| !other.iter().any(|other| path.starts_with(other));
    for path in json_files(&root()).into_iter().filter(is_schema) {
        let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let schema = read(&path);
        assert_eq!(schema["$id"], format!("{SCHEMAS}{relative}"), "{relative}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{relative}");
        validator(&relative);
    }
}

#[test]
fn records_and_commands_of_the_examples_are_valid_and_are_read() {
    for schema in ["cdr", "reading", "command", "directory"] {
        let validator = validator(&format!("{schema}.json"));
        let examples = json_files(&root().join("examples").join(schema));
        assert!(!examples.is_empty(), "{schema}");
        for path in examples {
            let example = read(&path);
            assert_valid(&validator, &example, &path.display().to_string());
            assert_eq!(by_codec(schema, &example), Ok(()), "{}", path.display());
        }
    }
}

#[test]
fn every_event_has_a_schema_and_an_example_that_is_read() {
    let schemas: Vec<String> = json_files(&root().join("event")).iter().map(|path| name(path)).collect();
    let examples = json_files(&root().join("examples/event"));
    assert_eq!(examples.iter().map(|path| name(path)).collect::<Vec<_>>(), schemas);
    for path in examples {
        let example = read(&path);
        assert_valid(&validator(&format!("event/{}.json", name(&path))), &example, &name(&path));
        assert_eq!(example["dataschema"], format!("{SCHEMAS}event/{}.json", name(&path)));
        // What ingest tells has no card as its subject.
        if !["identity.conflict.v1", "feed.gap.opened.v1", "feed.gap.closed.v1"]
            .contains(&name(&path).as_str())
        {
            assert_eq!(by_codec("event", &example), Ok(()), "{}", name(&path));
        }
    }
}

#[test]
fn headers_of_the_quarantine_are_described() {
    let validator = validator("quarantine.json");
    for path in json_files(&root().join("examples/quarantine")) {
        assert_valid(&validator, &read(&path), &name(&path));
    }
}

#[test]
fn invalid_examples_are_refused_by_schema_and_codec_for_their_reason() {
    let examples = json_files(&root().join("examples/invalid"));
    assert!(examples.len() > 30);
    for path in examples {
        let example = read(&path);
        let (schema, reason) = (example["schema"].as_str().unwrap(), example["reason"].as_str().unwrap());
        let record = &example["record"];
        assert!(
            !validator(&format!("{schema}.json")).is_valid(record),
            "{}: the schema takes it",
            name(&path)
        );
        let said = by_codec(schema, record).expect_err(&name(&path));
        assert!(said.starts_with(reason), "{}: {said}", name(&path));
    }
}

/// One field after another is taken away or made another type: schema and codec must judge alike. Only that slices add up
/// is beyond a schema.
#[test]
fn schema_and_codec_judge_every_damaged_example_alike() {
    for schema in ["cdr", "reading", "command"] {
        let validator = validator(&format!("{schema}.json"));
        let mut differ = Vec::new();
        for path in json_files(&root().join("examples").join(schema)) {
            for (what, damaged) in damages(&read(&path)) {
                let (valid, read) = (validator.is_valid(&damaged), by_codec(schema, &damaged));
                let sums = read.as_ref().is_err_and(|said| said.contains("`slices` add up to"));
                if valid != read.is_ok() && !sums {
                    differ.push(format!("{} {what}: schema {valid}, codec {read:?}", name(&path)));
                }
            }
        }
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    }
}

/// Every value of an object, at any depth, removed and replaced by values of other types.
fn damages(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for pointer in pointers(value, "") {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let mut without = value.clone();
        if let Some(Value::Object(object)) = without.pointer_mut(parent) {
            object.remove(field);
            found.push((format!("without {pointer}"), without));
        }
        for other in [
            Value::Null,
            true.into(),
            (-7).into(),
            3.into(),
            2.5.into(),
            "".into(),
            "x".into(),
            Value::Array(vec![]),
            serde_json::json!({}),
        ] {
            let mut damaged = value.clone();
            *damaged.pointer_mut(&pointer).unwrap() = other.clone();
            found.push((format!("{pointer} = {other}"), damaged));
        }
    }
    found
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let Value::Object(fields) = value else { return Vec::new() };
    let mut found = Vec::new();
    for (field, value) in fields {
        let place = format!("{at}/{field}");
        found.extend(pointers(value, &place));
        found.push(place);
    }
    found
}
