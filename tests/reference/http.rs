//! `docs/reference/http.md`, of the OpenAPI document that the routes are held against.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{Reference, at, head, row};

const INTRODUCTION: &str = "\
What programs read is `GET /openapi.json` (`schemas/openapi.json`); [docs/http.md](../http.md) tells how it is meant. Errors are
RFC 9457 problems. `/v1/` asks for `Authorization: Bearer TOKEN` where `api.tokens` is set.

";

/// The thing itself, or what a reference leads to.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let place = value["$ref"].as_str().and_then(|at| at.strip_prefix('#'));
    place.map_or(value, |place| document.pointer(place).expect("a reference that leads somewhere"))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("")
}

fn parameters(document: &Value, operation: &Value) -> String {
    let mut table = String::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = resolved(document, parameter);
        let always = if parameter["required"] == true { "yes" } else { "" };
        let name = format!("`{}`", text(parameter, "name"));
        table += &row(&[&name, text(parameter, "in"), always, text(parameter, "description")]);
    }
    let body = resolved(document, &operation["requestBody"]);
    let schema = resolved(document, &body["content"]["application/json"]["schema"]);
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let always = if required.contains(name.as_str()) { "yes" } else { "" };
        table +=
            &row(&[&format!("`{name}`"), "body", always, text(resolved(document, field), "description")]);
    }
    if table.is_empty() {
        table
    } else {
        format!("{}{table}\n", head(&["parameter", "in", "always", "meaning"]))
    }
}

const REFERENCE: Reference = Reference { name: "http", title: "HTTP" };

fn document() -> Value {
    let document = std::fs::read(at("schemas/openapi.json")).expect("a document");
    serde_json::from_slice(&document).expect("JSON")
}

fn page(document: &Value) -> String {
    let mut out = INTRODUCTION.to_owned();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let (method, summary) = (method.to_uppercase(), text(operation, "summary"));
            write!(out, "\n## {method} {path}\n\n{summary}. {}\n\n", text(operation, "description"))
                .expect("a string");
            out += &parameters(document, operation);
            out += &head(&["answer", "meaning"]);
            for (status, answer) in operation["responses"].as_object().expect("answers") {
                out += &row(&[status, text(resolved(document, answer), "description")]);
            }
        }
    }
    out
}

#[test]
fn http() {
    REFERENCE.assert(&page(&document()));
}

#[test]
fn an_operation_that_changes_is_noticed() {
    let is = document();
    let card = "/paths/~1v1~1cards~1{iccid}/get";
    for (place, other) in [
        (format!("{card}/summary"), json!("Something else")),
        (format!("{card}/responses/404/description"), json!("Something else")),
        ("/paths/~1v1~1cards~1{iccid}~1usage/get/parameters/1/name".to_owned(), json!("since")),
        (card.to_owned(), json!({"summary": "", "responses": {}})),
    ] {
        let mut would_be = is.clone();
        *would_be.pointer_mut(&place).unwrap_or_else(|| panic!("{place}")) = other;
        REFERENCE.assert_notices(&page(&is), &page(&would_be));
    }
}
