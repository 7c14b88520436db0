//! The carriers' files of `tests/data/3gpp-cdr`: cards, and what two other readers found in the records (SOURCE.md).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

/// The feed that the files are of.
pub(crate) const FEED: &str = "pgw";
/// Before the first record.
pub(crate) const REGISTERED: &str = "2026-07-01T00:00:00Z";
pub(crate) const REGISTERED_MS: i64 = 1_782_864_000_000;

pub(crate) struct Card {
    pub(crate) iccid: String,
    pub(crate) imsi: String,
    zone: String,
}

/// Card and first day of the month.
pub(crate) type Month = (String, String);
/// Bytes up and down.
pub(crate) type Volume = (u64, u64);

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/3gpp-cdr").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect("test data")
}

pub(crate) fn cards() -> Vec<Card> {
    let card = |line: &str| {
        let columns: Vec<&str> = line.split(',').map(str::trim).collect();
        Card { iccid: columns[0].to_owned(), imsi: columns[1].to_owned(), zone: columns[6].to_owned() }
    };
    text("cards.csv").lines().skip(1).map(card).collect()
}

impl Card {
    /// The command that registers it with the carrier of its zone.
    pub(crate) fn registration(&self) -> String {
        let Self { iccid, imsi, zone } = self;
        json!({
            "id": format!("register-{iccid}"), "card": iccid, "type": "card.register", "at": REGISTERED,
            "channel": "web", "carrier": carrier(zone), "plan": "standard", "imsi": imsi,
        })
        .to_string()
    }
}

fn carrier(zone: &str) -> String {
    zone.replace('/', "-").to_lowercase()
}

/// One carrier a zone; containers dated by their ends; the horizon holds the days that the files hold.
pub(crate) fn catalogue() -> String {
    let mut zones: Vec<String> = cards().into_iter().map(|card| card.zone).collect();
    zones.sort_unstable();
    zones.dedup();
    let carrier = |zone: &String| {
        format!(
            "[[carriers]]\nname = \"{}\"\nzone = \"{zone}\"\nanchor_day = 1\nsplit = \"end\"\nsettling_feed = \"{FEED}\"\n",
            carrier(zone)
        )
    };
    let carriers: String = zones.iter().map(carrier).collect();
    format!(
        "version = 1\ncalendar_from = \"2026-07-15\"\n[[feeds]]\nname = \"{FEED}\"\nrole = \"settling\"\n\
         [[plans]]\nname = \"standard\"\n{carriers}"
    )
}

/// What two other readers found in a file.
pub(crate) fn expected(file: &str) -> Value {
    serde_json::from_str::<Value>(&text("expected.json")).expect("test data")[file].clone()
}

/// Volumes by card and month of a file, of cards that used anything.
pub(crate) fn months(file: &str) -> BTreeMap<Month, Volume> {
    let of: BTreeMap<String, String> = cards().into_iter().map(|card| (card.imsi, card.iccid)).collect();
    let mut months: BTreeMap<Month, Volume> = BTreeMap::new();
    let subscribers = expected(file)["by_subscriber_day_of_container_end_local"].clone();
    for (imsi, days) in
        subscribers.as_object().expect("an object").iter().filter(|(who, _)| *who != "(no imsi)")
    {
        for (day, volume) in days.as_object().expect("an object") {
            let part = |name: &str| volume[name].as_u64().expect("bytes");
            let month = months.entry((of[imsi].clone(), format!("{}-01", &day[..7]))).or_default();
            *month = (month.0 + part("up"), month.1 + part("down"));
        }
    }
    months.retain(|_, volume| *volume != (0, 0));
    months
}
