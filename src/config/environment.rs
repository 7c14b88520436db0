//! Variables: `TIDEGAUGE_KAFKA_BROKERS`, or `TIDEGAUGE__KAFKA__BROKERS`, stands for `kafka.brokers`. They win over the file;
//! flags win over them.

use super::complaint::{Complaint, Place, alike};
use super::document::{Document, check, enter};
use super::said::KEYS;

const PREFIX: &str = "TIDEGAUGE_";

/// Variables that say other things than a key does.
const OTHERS: [&str; 5] =
    ["TIDEGAUGE_CONFIG", "TIDEGAUGE_TOKEN", "TIDEGAUGE_URL", "TIDEGAUGE_LIBCHDB", "TIDEGAUGE_CACHE"];

/// The process's variables that begin with [`PREFIX`].
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX))
}

/// Puts variables over what the file says. Answers those that say nothing: no error, as others may set them (Kubernetes does
/// for a service of our name), but told, as one of them may be misspelt.
pub(super) fn apply(
    document: &mut Document,
    variables: impl Iterator<Item = (String, String)>,
) -> Vec<Complaint> {
    let mut unread = Vec::new();
    for (name, text) in variables {
        match KEYS.iter().find(|key| variables_of(key.name).is_some_and(|of| of.contains(&name))) {
            Some(key) => set(document, key.name, name, &text),
            None if OTHERS.contains(&name.as_str()) => {}
            None => unread.push(unknown(name)),
        }
    }
    unread
}

fn set(document: &mut Document, key: &str, name: String, text: &str) {
    let value = value_of(key, text);
    let said = document.places.get(key).cloned();
    let place = Place::Variable(name);
    if let Some(Place::Variable(other)) = said {
        let problem = format!("{key}: {other} says it already: keep one of them");
        document.complaints.push(Complaint { place, problem, help: None });
    } else if let Err(problem) = check(key, &value) {
        let problem = format!("{key}: {problem}");
        document.complaints.push(Complaint { place, problem, help: None });
    } else if enter(&mut document.table, key, value).is_some() {
        document.places.insert(key.to_owned(), place);
    }
}

fn unknown(name: String) -> Complaint {
    let known: Vec<String> =
        KEYS.iter().filter_map(|key| variables_of(key.name)).map(|[one, _]| one).collect();
    let names = known.iter().map(String::as_str).chain(OTHERS);
    // All begin alike, which is no likeness.
    let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let bares: Vec<String> = names.map(bare).collect();
    let meant = alike(&bare(&name), bares.iter().map(String::as_str));
    let help = meant.map(|meant| format!("did you mean {PREFIX}{meant}?"));
    Complaint {
        place: Place::Variable(name),
        problem: "no key has this name; it was not read".to_owned(),
        help,
    }
}

/// Both ways to write it. `None`: a key of blocks has no variable.
fn variables_of(key: &str) -> Option<[String; 2]> {
    let name = key.to_ascii_uppercase();
    let ways = || ["_", "__"].map(|between| format!("TIDEGAUGE{between}{}", name.replace('.', between)));
    (!key.contains('[')).then(ways)
}

/// Where a key takes text it is that, whatever it looks like: a password may be all digits. Elsewhere it is what TOML reads.
fn value_of(key: &str, text: &str) -> toml::Value {
    let as_text = toml::Value::String(text.to_owned());
    if check(key, &as_text).is_ok() {
        return as_text;
    }
    let parsed = toml::from_str::<toml::Table>(&format!("v = {text}")).ok().and_then(|mut t| t.remove("v"));
    match parsed {
        Some(value @ (toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Table(_))) => value,
        _ => as_text,
    }
}
