//! The description of this HTTP for programs: OpenAPI 3.1, as it is committed in `schemas/`.
//!
//! Invariant: it names every route and no other: the test below holds it against the router.

use axum::http::header;
use axum::response::IntoResponse;

const DOCUMENT: &str = include_str!("../../schemas/openapi.json");

pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Path and method of each `.route(…)` of the router.
    fn routes() -> BTreeSet<(String, String)> {
        let source = include_str!("mod.rs");
        let routes = source.split(".route(\"").skip(1).filter_map(|rest| {
            let (path, rest) = rest.split_once("\", ")?;
            let (method, _) = rest.split_once('(')?;
            Some((path.to_owned(), method.to_owned()))
        });
        routes.collect()
    }

    #[test]
    fn it_names_every_route_and_no_other() {
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let named = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods.keys().map(|method| (path.clone(), method.clone()))
        });
        assert_eq!(named.collect::<BTreeSet<_>>(), routes());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let places = DOCUMENT.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next());
        for place in places {
            assert!(document.pointer(place).is_some(), "{place}");
        }
    }
}
