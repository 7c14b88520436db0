//! One session that two nodes counted: the P-GW settles, the S-GW estimates, and nothing is ever added up.
//!
//! Expectations are put together from what two other readers found in each file by itself (SOURCE.md): of a day that is
//! not whole the greater of both, of one that is, what settles (`docs/rules.md` C4).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::carrier::{self, FEED, REGISTERED_MS, Volume};
use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::gateway::{counts, import, records, register};

const PGW_FILE: &str = "pgw-32297.cdr";
const SGW_FILE: &str = "sgw-plain.ber";
const FEEDS: &str = "[[feeds]]\nid = \"pgw\"\nformat = \"pgw-cdr\"\nalso = { sgw-cdr = \"sgw\" }\n\
    [[feeds]]\nid = \"sgw\"\nformat = \"sgw-cdr\"\n";

/// Card and day.
type CardDay = (String, String);

/// What the other readers found, of cards that used anything.
fn days(file: &str) -> BTreeMap<CardDay, Volume> {
    let cards: BTreeMap<String, String> = carrier::cards().into_iter().map(|c| (c.imsi, c.iccid)).collect();
    let expected = carrier::expected(file)["by_subscriber_day_of_container_end_local"].clone();
    let subscribers = expected.as_object().expect("an object").iter().filter(|(who, _)| *who != "(no imsi)");
    let of_card = subscribers.flat_map(|(imsi, days)| {
        let card = cards[imsi].clone();
        let part = |volume: &Value, name: &str| volume[name].as_u64().expect("bytes");
        days.as_object().expect("days").iter().map(move |(day, volume)| {
            ((card.clone(), day.clone()), (part(volume, "up"), part(volume, "down")))
        })
    });
    of_card.filter(|(_, volume)| *volume != (0, 0)).collect()
}

/// A card's day as an instance answers it.
#[derive(Debug, PartialEq, Eq)]
struct Answered {
    settling: Volume,
    estimate: Volume,
    used: u64,
    complete: bool,
}

fn answered(running: &Running<'_>) -> BTreeMap<CardDay, Answered> {
    let mut all = BTreeMap::new();
    for card in carrier::cards() {
        let answer = running.ask(&format!("/v1/cards/{}", card.iccid)).json();
        for day in answer["days"].as_array().expect("days") {
            let bytes = |name: &str| day[name].as_u64().expect("bytes");
            let found = Answered {
                settling: (bytes("settling_up"), bytes("settling_down")),
                estimate: (bytes("estimate_up"), bytes("estimate_down")),
                used: bytes("used"),
                complete: day["complete"].as_bool().expect("a bool"),
            };
            let date = day["day"].as_str().expect("a date").to_owned();
            if (found.settling, found.estimate) != ((0, 0), (0, 0)) {
                all.insert((card.iccid.clone(), date), found);
            }
        }
    }
    all
}

/// What both files come to, by which days are whole.
fn expected(is_complete: impl Fn(&CardDay) -> bool) -> BTreeMap<CardDay, Answered> {
    let (settling, estimate) = (days(PGW_FILE), days(SGW_FILE));
    let total = |(up, down): Volume| up + down;
    let both = settling.keys().chain(estimate.keys()).map(|day| {
        let of = |days: &BTreeMap<CardDay, Volume>| days.get(day).copied().unwrap_or_default();
        let (settling, estimate, complete) = (of(&settling), of(&estimate), is_complete(day));
        let greater = total(settling).max(total(estimate));
        let used = if complete { total(settling) } else { greater };
        (day.clone(), Answered { settling, estimate, used, complete })
    });
    both.collect()
}

/// SOURCE.md's own rule for both files goes by session: a P-GW's record sets aside the S-GW's of its session, and what only
/// the S-GW saw counts. The meter keeps no sessions and goes by day (C4), so the figures differ:
///
/// | | bytes of known subscribers |
/// |---|---|
/// | by session | 60,390,097,337 |
/// | by day, no day whole: the greater of both | 60,388,891,802 |
/// | by day, every day whole: what settles | 60,026,674,202 |
///
/// Between the first and the last lie the sessions of the S-GW alone: 363,423,135 bytes, of no card less than nothing.
fn held_against_sessions(whole: &BTreeMap<CardDay, Answered>) {
    let cards: BTreeMap<String, String> = carrier::cards().into_iter().map(|c| (c.imsi, c.iccid)).collect();
    let together = carrier::expected("pgw and sgw files together");
    let by_session = together["by_subscriber"].as_object().expect("subscribers").iter();
    let (mut of_sessions, mut of_days) = (0, 0);
    for (imsi, volume) in by_session.filter(|(who, _)| *who != "(no imsi)") {
        let theirs = volume["total"].as_u64().expect("bytes");
        let days = whole.iter().filter(|((card, _), _)| *card == cards[imsi]);
        let ours: u64 = days.map(|(_, day)| day.used).sum();
        assert!(ours <= theirs, "{imsi}: {ours} by day, {theirs} by session");
        (of_sessions, of_days) = (of_sessions + theirs, of_days + ours);
    }
    assert_eq!((of_sessions, of_days), (60_390_097_337, 60_026_674_202));
    let greater: u64 = expected(|_| false).values().map(|day| day.used).sum();
    assert_eq!(greater, 60_388_891_802);
    let total = |figures: &Value| figures["totals"]["total"].as_u64().expect("bytes");
    assert_eq!(of_sessions - of_days, total(&together) - total(&carrier::expected(PGW_FILE)));
}

#[test]
fn a_session_seen_by_two_nodes_is_never_added_up() {
    let deployment = Deployment::new("precedence");
    deployment.file("tidegauge.toml", FEEDS);
    let running = deployment.start();
    let catalogue = carrier::catalogue() + "[[feeds]]\nname = \"sgw\"\nrole = \"estimate\"\n";
    let catalogue = deployment.file("catalogue.toml", &catalogue);
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(&deployment, &running);

    import(&deployment, &running, PGW_FILE);
    let before = counts(&running);
    // The S-GW's file comes by HTTP, under the P-GW's feed: its records are of the feed that `also` names.
    let file = std::fs::read(carrier::path(SGW_FILE)).expect("test data");
    let path = format!("/v1/feeds/{FEED}");
    let answer = running.push(&path, "application/octet-stream", &file);
    assert_eq!(answer.status, 202, "{answer:?}");
    let told = answer.json();
    assert_eq!(told["read"], carrier::expected(SGW_FILE)["records_in_file"], "{told}");
    assert_eq!(told["outcomes"]["logged"], told["read"], "{told}");
    let all = before.all + told["read"].as_u64().expect("a count");
    eventually("the batch folded", || (counts(&running).all == all).then_some(()));
    assert_eq!(counts(&running).counted, records(PGW_FILE) + records(SGW_FILE));

    let found = answered(&running);
    let complete = |day: &CardDay| found.get(day).is_some_and(|answered| answered.complete);
    assert_eq!(found, expected(complete), "the greater of both where a day is not whole");
    assert!(found.values().any(|day| !day.complete && day.estimate > day.settling), "the estimate leads");

    // Days that are over, by a time of the log after them.
    let last = found.keys().map(|(_, day)| day.clone()).max().expect("days");
    let declared = format!(r#"{{"id":"whole","type":"feed.complete","feed":"{FEED}","day":"{last}"}}"#);
    let after_ms = REGISTERED_MS + 36 * 86_400_000;
    deployment.send("card.commands", [("", declared.as_bytes(), after_ms)]);
    let whole = eventually("every day whole", || {
        let found = answered(&running);
        found.values().all(|day| day.complete).then_some(found)
    });
    assert_eq!(whole, expected(|_| true), "what settles, whatever the estimate says");
    held_against_sessions(&whole);
}
