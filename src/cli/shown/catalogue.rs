//! What people read of a catalogue: who settles, until when calendars reach, who is warned of what.

use std::fmt::Write as _;

use serde_json::json;

use super::{table, text, when};
use crate::codec::time;
use crate::model::{Carrier, Catalogue, Feed, Plan, Rule};

/// The whole, without the days of its calendars.
#[must_use]
pub fn catalogue(catalogue: &Catalogue) -> String {
    let channels = catalogue.own_channels.join(", ");
    let channels = if channels.is_empty() {
        "no channel may recharge".to_owned()
    } else {
        format!("sold by {channels}")
    };
    let days = catalogue.late_horizon_days;
    let mut out = format!("version {}, {channels}, a day stays open for {days} days\n", catalogue.version);
    let heads: [&[&str]; 3] = [
        &["carrier", "settled by", "over a boundary", "settling days", "calendar from", "until"],
        &["feed", "role", "stale after"],
        &["plan", "rules", ""],
    ];
    let rows = [
        catalogue.carriers.iter().map(carrier).collect::<Vec<_>>(),
        catalogue.feeds.iter().map(feed).collect(),
        catalogue.plans.iter().map(plan).collect(),
    ];
    for (head, rows) in heads.iter().zip(rows).filter(|(_, rows)| !rows.is_empty()) {
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        let _ = write!(out, "\n{}", table(&rows));
    }
    let _ = write!(out, "\nrules of cards and plans that have none: {}", said(&catalogue.default_rules));
    out
}

fn carrier(carrier: &Carrier) -> Vec<String> {
    let starts = &carrier.calendar.cycle_starts;
    let day = |day: Option<&i32>| day.map_or_else(|| "-".to_owned(), |day| time::day_text(*day));
    vec![
        carrier.name.clone(),
        carrier.settling_feed.clone().unwrap_or_else(|| "nobody".to_owned()),
        text(&json!(carrier.split)).to_owned(),
        format!("first {}, last {}", carrier.settling_days_first, carrier.settling_days_last),
        day(starts.first()),
        day(starts.last()),
    ]
}

fn feed(feed: &Feed) -> Vec<String> {
    let role = json!(feed.role);
    vec![feed.name.clone(), text(&role).to_owned(), format!("{} min", feed.stale_after_s() / 60)]
}

fn plan(plan: &Plan) -> Vec<String> {
    let stops = if plan.suspend_on_exhaustion { "stops when nothing is left" } else { "" };
    let rules = if plan.rules.is_empty() { "the fleet's".to_owned() } else { said(&plan.rules) };
    vec![plan.name.clone(), rules, stops.to_owned()]
}

fn said(rules: &[Rule]) -> String {
    let said: Vec<String> = rules.iter().map(|rule| when(&json!(rule))).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}
