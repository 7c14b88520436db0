//! What the outside sent: each message is in the log as it was meant, or in dead letter, or unknown; and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde::Deserialize;

use super::logbook::{Batch, Entry, Place, What};
use crate::log::Topic;
use crate::log::sim::Read;
use crate::model::{Broadcast, CardId, UnixTime, partition_of};
use crate::simulate::Finding;
use crate::simulate::world::Sent;

/// A CDR as the contract has it, read by nobody else's code.
#[derive(Debug, Deserialize)]
struct CdrJson {
    iccid: Option<String>,
    imsi: Option<String>,
    msisdn: Option<String>,
    feed: String,
    id: String,
    start: String,
    end: String,
    up: u64,
    down: u64,
    #[serde(default)]
    slices: Vec<SliceJson>,
}

#[derive(Debug, Deserialize)]
struct SliceJson {
    end: String,
    up: u64,
    down: u64,
}

#[derive(Debug, Deserialize)]
struct ReadingJson {
    iccid: String,
    imei: Option<String>,
    counter: String,
    at: String,
    tx: u64,
    rx: u64,
    #[serde(default)]
    session: String,
}

/// A command or a broadcast: only what says where it goes and what it is.
#[derive(Debug, Deserialize)]
struct CommandJson {
    id: String,
    card: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    at: Option<String>,
    feed: Option<String>,
    day: Option<String>,
}

/// What an outside message must look like in the log: everything that matters, as text to compare.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    /// In the partition of its card. `None`: the card is named by a number.
    Card(Option<CardId>, String),
    Everywhere(String),
    /// It cannot be read.
    Nothing,
}

/// Holds the inputs against the log and the topics of what was not logged.
pub(super) fn judge(
    sent: &[Sent],
    log: &[Vec<Batch>],
    dead: &[Read],
    unknown: &[Read],
    out: &mut Vec<Finding>,
) {
    let logged = logged(log);
    let (dead, unknown) = (places(dead), places(unknown));
    for message in sent {
        let place = Place {
            topic: message.at.topic.name().to_owned(),
            partition: message.at.partition,
            offset: message.offset.0,
        };
        let entries = logged.get(&place).map(Vec::as_slice).unwrap_or_default();
        let kept = (dead.contains(&place), unknown.contains(&place));
        if let Err(problem) = judge_one(message, entries, kept, log.len()) {
            let text = String::from_utf8_lossy(&message.message.value).into_owned();
            out.push(Finding::new("inputs", format!("{place:?}: {problem}: {text}")));
        }
    }
    let sent: BTreeSet<Place> = sent
        .iter()
        .map(|s| Place { topic: s.at.topic.name().to_owned(), partition: s.at.partition, offset: s.offset.0 })
        .collect();
    for place in logged.keys().filter(|place| !sent.contains(place)) {
        out.push(Finding::new("inputs", format!("{place:?} is in the log, and nobody sent it")));
    }
}

fn judge_one(
    message: &Sent,
    entries: &[(u32, &Entry)],
    (dead, unknown): (bool, bool),
    partitions: usize,
) -> Result<(), String> {
    match meant(message) {
        Meant::Nothing if !entries.is_empty() => Err("unreadable, and in the log".to_owned()),
        Meant::Nothing if !dead => Err("unreadable, and not in dead letter".to_owned()),
        Meant::Nothing => Ok(()),
        _ if dead => Err("readable, and in dead letter".to_owned()),
        Meant::Everywhere(content) => {
            let at: BTreeSet<u32> = entries.iter().map(|(partition, _)| *partition).collect();
            if at.len() != partitions {
                return Err(format!("a broadcast, in partitions {at:?} of {partitions}"));
            }
            same(entries, &content)
        }
        Meant::Card(_, _) if entries.is_empty() && !unknown => {
            Err("neither in the log nor unknown".to_owned())
        }
        Meant::Card(card, content) => {
            let misplaced = |(partition, entry): &&(u32, &Entry)| {
                let of = card_of(entry);
                *partition != partition_of(of, partitions as u32) || card.is_some_and(|card| card != of)
            };
            if let Some((partition, entry)) = entries.iter().find(misplaced) {
                return Err(format!("in partition {partition} for {}", card_of(entry)));
            }
            same(entries, &content)
        }
    }
}

fn same(entries: &[(u32, &Entry)], content: &str) -> Result<(), String> {
    match entries.iter().map(|(_, entry)| text(entry)).find(|found| found != content) {
        Some(found) => Err(format!("meant {content:?}, logged {found:?}")),
        None => Ok(()),
    }
}

fn card_of(entry: &Entry) -> CardId {
    match &entry.what {
        What::Cdr(cdr) => cdr.card,
        What::Reading(reading) => reading.card,
        What::Command { card, .. } => *card,
        What::Broadcast(_) | What::Catalogue(_) | What::Tick => CardId::from_wire([0; 10]),
    }
}

fn text(entry: &Entry) -> String {
    match &entry.what {
        What::Cdr(c) => {
            let slices: Vec<_> = c.slices.iter().map(|s| (s.end, s.up, s.down)).collect();
            format!("{} {} {} {} {} {} {slices:?}", c.feed, c.id, c.start, c.end, c.up, c.down)
        }
        What::Reading(r) => format!("{} {} {} {} {} {}", r.imei, r.counter, r.at, r.tx, r.rx, r.session),
        What::Command { command, .. } => match command.as_ref() {
            Ok(command) => format!("{} {}", command.id, command.at),
            Err(problem) => problem.clone(),
        },
        What::Broadcast(Ok(Broadcast::FeedComplete { id, feed, day })) => format!("{id} {feed} {day}"),
        What::Broadcast(Ok(Broadcast::ClockAdvance { id })) => id.clone(),
        What::Broadcast(Err(problem)) => problem.clone(),
        What::Catalogue(_) | What::Tick => String::new(),
    }
}

fn meant(message: &Sent) -> Meant {
    let bytes = &message.message.value;
    let read = match message.at.topic {
        Topic::Cdr => cdr(bytes),
        Topic::Modem => reading(bytes),
        _ => command(bytes),
    };
    read.unwrap_or(Meant::Nothing)
}

fn seconds(text: &str) -> Option<UnixTime> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp())
}

fn cdr(bytes: &[u8]) -> Option<Meant> {
    let cdr: CdrJson = serde_json::from_slice(bytes).ok()?;
    let slices =
        cdr.slices.iter().map(|s| Some((seconds(&s.end)?, s.up, s.down))).collect::<Option<Vec<_>>>()?;
    let (start, end) = (seconds(&cdr.start)?, seconds(&cdr.end)?);
    let card = match &cdr.iccid {
        Some(iccid) => Some(CardId::parse(iccid).ok()?),
        None if cdr.imsi.is_none() && cdr.msisdn.is_none() => return None,
        None => None,
    };
    Some(Meant::Card(
        card,
        format!("{} {} {start} {end} {} {} {slices:?}", cdr.feed, cdr.id, cdr.up, cdr.down),
    ))
}

fn reading(bytes: &[u8]) -> Option<Meant> {
    let r: ReadingJson = serde_json::from_slice(bytes).ok()?;
    let is_total = ["day-total", "cycle-total"].contains(&r.counter.as_str());
    let imei = match r.imei {
        None if is_total => 0,
        imei => imei?.parse::<u64>().ok()?,
    };
    if is_total && !r.session.is_empty() {
        r.session.parse::<chrono::NaiveDate>().ok()?;
    }
    let (card, at) = (CardId::parse(&r.iccid).ok()?, seconds(&r.at)?);
    Some(Meant::Card(Some(card), format!("{imei} {} {at} {} {} {}", r.counter, r.tx, r.rx, r.session)))
}

fn command(bytes: &[u8]) -> Option<Meant> {
    let c: CommandJson = serde_json::from_slice(bytes).ok()?;
    match c.kind.as_str() {
        "feed.complete" => {
            let date = c.day.as_deref()?.parse::<chrono::NaiveDate>().ok()?;
            let day = date.signed_duration_since(chrono::NaiveDate::default()).num_days();
            Some(Meant::Everywhere(format!("{} {} {day}", c.id, c.feed?)))
        }
        "clock.advance" => Some(Meant::Everywhere(c.id)),
        _ => Some(Meant::Card(Some(CardId::parse(&c.card?).ok()?), format!("{} {}", c.id, seconds(&c.at?)?))),
    }
}

fn logged(log: &[Vec<Batch>]) -> BTreeMap<Place, Vec<(u32, &Entry)>> {
    let mut out: BTreeMap<Place, Vec<(u32, &Entry)>> = BTreeMap::new();
    for (partition, batches) in log.iter().enumerate() {
        for entry in batches.iter().flat_map(|batch| &batch.entries) {
            if let Some(place) = &entry.origin {
                out.entry(place.clone()).or_default().push((partition as u32, entry));
            }
        }
    }
    out
}

/// Places of outside messages, as headers name them.
fn places(messages: &[Read]) -> BTreeSet<Place> {
    messages
        .iter()
        .filter(|m| header(m, "position").is_none())
        .filter_map(|m| {
            let (partition, offset) =
                (header(m, "partition")?.parse().ok()?, header(m, "offset")?.parse().ok()?);
            Some(Place { topic: header(m, "source")?, partition, offset })
        })
        .collect()
}

/// A header as text.
pub(super) fn header(message: &Read, name: &str) -> Option<String> {
    let (_, value) = message.headers.iter().find(|(key, _)| key == name)?;
    String::from_utf8(value.clone()).ok()
}
