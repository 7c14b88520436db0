//! `schemas/asyncapi.yaml` names every outside topic, and only schemas that are there.

use tidegauge::log::Topic;

use super::files::{json_files, root};

fn document() -> String {
    std::fs::read_to_string(root().join("asyncapi.yaml")).unwrap()
}

/// What stands after a mark, up to the end of the line or the quote.
fn after(mark: &str) -> Vec<String> {
    let document = document();
    let rests = document.lines().filter_map(|line| line.trim().strip_prefix(mark));
    rests.map(|rest| rest.trim_end_matches('\'').to_owned()).collect()
}

#[test]
fn every_outside_topic_is_a_channel() {
    let internal = [Topic::Log, Topic::Checkpoint, Topic::Owners];
    let mut expected: Vec<&str> =
        Topic::ALL.into_iter().filter(|topic| !internal.contains(topic)).map(Topic::name).collect();
    let mut channels = after("address: ");
    channels.sort_unstable();
    expected.sort_unstable();
    assert_eq!(channels, expected);
}

#[test]
fn every_schema_it_names_is_there_and_every_event_is_named() {
    let named = after("$ref: './");
    for file in &named {
        assert!(root().join(file).is_file(), "{file}");
    }
    for path in json_files(&root().join("event")) {
        let file = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        assert!(named.contains(&file), "{file}");
    }
}
