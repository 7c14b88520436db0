//! What a reader of committed messages finds on the outgoing topics, held against what had to be published.

use std::collections::BTreeMap;

use super::fold::Expected;
use super::inputs::header;
use crate::codec::event;
use crate::log::Topic;
use crate::log::sim::Read;
use crate::model::{Event, EventBody, LogOffset, Outcome, Position, UnixTime};
use crate::simulate::Finding;

/// Holds events against expectations: each exactly once, under the right id, saying the right thing.
pub(super) fn judge_events(topics: &[(Topic, Vec<Read>)], expected: &[Expected], out: &mut Vec<Finding>) {
    let mut found: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for (topic, message) in
        topics.iter().flat_map(|(topic, messages)| messages.iter().map(move |m| (*topic, m)))
    {
        match event::read(message.value.as_deref().unwrap_or_default()) {
            Ok(event) if topic_of(&event.body) == topic => {
                found.entry(event.id.clone()).or_default().push(event);
            }
            Ok(event) => out.push(Finding::new("events", format!("{} is on {topic}", event.id))),
            Err(problem) => {
                out.push(Finding::new("events", format!("{topic} {}: {problem}", message.offset.0)));
            }
        }
    }
    let mut wanted: BTreeMap<&str, Vec<&Expected>> = BTreeMap::new();
    for event in expected {
        wanted.entry(&event.id).or_default().push(event);
    }
    for (id, wanted) in &wanted {
        judge_id(id, wanted, &found.remove(*id).unwrap_or_default(), out);
    }
    for (id, events) in found {
        out.push(Finding::new(
            "events",
            format!("{id} was published {} times and should not be: {:?}", events.len(), events[0]),
        ));
    }
}

fn judge_id(id: &str, wanted: &[&Expected], found: &[Event], out: &mut Vec<Finding>) {
    let remembered = wanted.iter().filter(|w| !w.forgettable).count();
    if remembered > 1 {
        out.push(Finding::new("identity", format!("{id} names {remembered} events: {wanted:?}")));
    }
    if found.len() != wanted.len() {
        let what = format!(
            "{id} was published {} times, should be {}: {:?}, not {found:?}",
            found.len(),
            wanted.len(),
            wanted[0]
        );
        return out.push(Finding::new("events", what));
    }
    for want in wanted {
        if !found.iter().any(|event| is(event, want)) {
            out.push(Finding::new("events", format!("{id} should say {want:?}, says {found:?}")));
        }
    }
}

fn is(event: &Event, want: &Expected) -> bool {
    event.card == want.card
        && event.at == want.at
        && want.log_time.is_none_or(|time| is_when(event, time))
        && event.cause == want.cause
        && bare(&event.body) == bare(&want.body)
}

/// A record's events are of its second. A timer's may be later: after weeks of silence a shard has more to do than one second
/// takes.
fn is_when(event: &Event, time: UnixTime) -> bool {
    event.log_time == time || event.cause.is_none() && event.log_time > time
}

/// Without the texts of reasons: what they must say is that there is one.
fn bare(body: &EventBody) -> EventBody {
    match body.clone() {
        EventBody::CommandRefused { command, .. } => {
            EventBody::CommandRefused { command, reason: String::new() }
        }
        EventBody::RechargeRefused { order, payment, .. } => {
            EventBody::RechargeRefused { order, payment, reason: String::new() }
        }
        EventBody::AlertFired(mut alert) => {
            let withheld = alert.delivery.iter_mut().flat_map(|delivery| &mut delivery.withheld);
            withheld.for_each(|withheld| withheld.reason.clear());
            EventBody::AlertFired(alert)
        }
        other => other,
    }
}

fn topic_of(body: &EventBody) -> Topic {
    match body.kind().split('.').next() {
        Some("alert") => Topic::Alerts,
        Some("package" | "recharge") => Topic::Activations,
        _ => Topic::Lifecycle,
    }
}

/// Records of the log that are in quarantine or dead letter, by position, with how often.
pub(super) fn kept(messages: &[Read]) -> BTreeMap<Position, (String, usize)> {
    let mut out: BTreeMap<Position, (String, usize)> = BTreeMap::new();
    for message in messages {
        let Some(position) = header(message, "position").as_deref().and_then(position) else { continue };
        let outcome = header(message, "outcome").unwrap_or_default();
        out.entry(position).or_insert((outcome, 0)).1 += 1;
    }
    out
}

fn position(text: &str) -> Option<Position> {
    let numbers = text.split('/').map(str::parse::<u64>).collect::<Result<Vec<_>, _>>().ok()?;
    let &[partition, offset, index] = numbers.as_slice() else { return None };
    Some(Position { partition: partition as u32, offset: LogOffset(offset), index: index as u16 })
}

/// Holds what was kept against the outcomes. Answers how many conflicts passed for duplicates: eight bits of content tell
/// them apart, so one in 256 does.
pub(super) fn judge_kept(
    found: &BTreeMap<Position, (String, usize)>,
    wanted: &BTreeMap<Position, Outcome>,
    out: &mut Vec<Finding>,
) -> Vec<Position> {
    let mut passed = Vec::new();
    for (position, outcome) in wanted {
        match found.get(position) {
            Some((name, 1)) if name == outcome.name() => {}
            None if *outcome == Outcome::Conflict => passed.push(*position),
            other => out
                .push(Finding::new("kept", format!("{position:?} is {}, kept as {other:?}", outcome.name()))),
        }
    }
    for (position, kept) in found.iter().filter(|(position, _)| !wanted.contains_key(position)) {
        out.push(Finding::new("kept", format!("{position:?} was counted, kept as {kept:?}")));
    }
    passed
}
