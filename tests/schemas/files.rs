//! The schemas and examples as they stand in the repository.

use std::path::{Path, PathBuf};

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;
use tidegauge::codec::event::SCHEMAS;

/// Where the schemas are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The JSON files below a folder, by name.
pub(crate) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(json_files(&entry));
        } else if entry.extension().is_some_and(|end| end == "json") {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// Finds `https://tidegauge.example/schemas/…` in the folder; there is no other place.
struct Folder;

impl Retrieve for Folder {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.as_str().strip_prefix(SCHEMAS).ok_or("not one of ours")?;
        Ok(serde_json::from_str(&std::fs::read_to_string(root().join(name))?)?)
    }
}

/// The validator of a schema, formats included.
pub(crate) fn validator(name: &str) -> Validator {
    let schema = read(&root().join(name));
    jsonschema::options()
        .should_validate_formats(true)
        .with_retriever(Folder)
        .build(&schema)
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Panics with all that is wrong.
pub(crate) fn assert_valid(validator: &Validator, value: &Value, whose: &str) {
    let errors: Vec<String> =
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{whose}: {}\n{value:#}", errors.join("\n"));
}
