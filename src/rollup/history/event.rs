//! A CloudEvent of a card → its row. Read leniently: an event of a newer program becomes a row too, with what is known of
//! it; its data are kept whole.

use serde_json::Value;

use super::HistoryRows;
use crate::codec::event::CloudEvent;
use crate::codec::time;
use crate::log::{Message, Topic};
use crate::model::CardId;
use crate::rollup::rows::{Activation, Alert, CardText, Lifecycle, date, date_time};

const TYPE_PREFIX: &str = "io.tidegauge.";

/// Adds the event's row to its topic's table.
///
/// # Errors
/// Why it is no event.
pub(super) fn add(rows: &mut HistoryRows, message: &Message<'_>, value: &[u8]) -> Result<(), String> {
    let event: CloudEvent = serde_json::from_slice(value).map_err(|e| format!("not a CloudEvent: {e}"))?;
    let head = Head::of(&event, message)?;
    let data = Data(&event.data);
    match message.topic {
        Topic::Alerts => rows.alerts.push(alert(head, data)),
        Topic::Activations => rows.activations.push(activation(head, data)),
        _ => rows.lifecycle.push(lifecycle(head, data)),
    }
    Ok(())
}

/// What every event has.
struct Head {
    card: CardText,
    at: u32,
    id: String,
    /// `alert.fired`, without what says whose and which version.
    kind: String,
    iccid: String,
    data: String,
    partition: u32,
    offset: u64,
}

impl Head {
    fn of(event: &CloudEvent, message: &Message<'_>) -> Result<Self, String> {
        let card = CardId::parse(&event.subject).map_err(|e| format!("subject {:?}: {e}", event.subject))?;
        let at = time::parse(&event.time).ok_or_else(|| format!("time {:?} is not RFC 3339", event.time))?;
        Ok(Self {
            card: card.text(),
            at: date_time(at),
            id: event.id.clone(),
            kind: short_kind(&event.kind).to_owned(),
            iccid: event.iccid.clone().unwrap_or_else(|| event.subject.clone()),
            data: event.data.to_string(),
            partition: message.partition,
            offset: message.offset.0,
        })
    }
}

/// `io.tidegauge.alert.fired.v1` → `alert.fired`. A later version is another name: what it says may differ.
fn short_kind(kind: &str) -> &str {
    let short = kind.strip_prefix(TYPE_PREFIX).unwrap_or(kind);
    short.strip_suffix(".v1").unwrap_or(short)
}

fn alert(head: Head, data: Data<'_>) -> Alert {
    Alert {
        card: head.card,
        at: head.at,
        id: head.id,
        r#type: head.kind,
        iccid: head.iccid,
        rule: data.text("rule"),
        arming: data.number("arming") as u32,
        cycle: data.day("cycle").unwrap_or_default(),
        used: data.number("used"),
        settled: data.number("settled"),
        provisional: data.number("provisional"),
        quota: data.amount("quota"),
        burnt: data.number("burnt"),
        remaining: data.number("remaining"),
        overage: data.number("overage"),
        settling: data.flag("settling"),
        data: head.data,
        topic_partition: head.partition,
        topic_offset: head.offset,
    }
}

fn activation(head: Head, data: Data<'_>) -> Activation {
    let payment = data.part("payment");
    Activation {
        card: head.card,
        at: head.at,
        id: head.id,
        r#type: head.kind,
        iccid: head.iccid,
        order_id: data.text("order"),
        provider: payment.text("provider"),
        reference: payment.text("reference"),
        paid_at: payment.time("paid_at"),
        kind: data.text("kind"),
        mode: data.text("mode"),
        quota: data.amount("quota"),
        burnt: data.number("burnt"),
        effective_at: data.time("effective_at"),
        expires_at: data.time("expires_at"),
        reason: data.text("reason"),
        data: head.data,
        topic_partition: head.partition,
        topic_offset: head.offset,
    }
}

fn lifecycle(head: Head, data: Data<'_>) -> Lifecycle {
    Lifecycle {
        card: head.card,
        at: head.at,
        id: head.id,
        r#type: head.kind,
        iccid: head.iccid,
        command: data.text("command"),
        cause: data.text("cause"),
        reason: data.text("reason"),
        cycle: data.day("cycle"),
        used: data.number("used"),
        settled: data.number("settled"),
        estimate: data.number("estimate"),
        overage: data.number("overage"),
        unsettled_days: data.number("unsettled_days") as u16,
        revision: data.number("revision") as u32,
        data: head.data,
        topic_partition: head.partition,
        topic_offset: head.offset,
    }
}

/// An event's data in their outside form. What is not there, or is not what it should be, is as if it were not said: the
/// `data` column has it.
#[derive(Clone, Copy)]
struct Data<'a>(&'a Value);

impl<'a> Data<'a> {
    fn part(self, name: &str) -> Data<'a> {
        Data(self.0.get(name).unwrap_or(&Value::Null))
    }

    fn text(self, name: &str) -> String {
        self.part(name).0.as_str().unwrap_or_default().to_owned()
    }

    fn amount(self, name: &str) -> Option<u64> {
        self.part(name).0.as_u64()
    }

    fn number(self, name: &str) -> u64 {
        self.amount(name).unwrap_or_default()
    }

    fn flag(self, name: &str) -> bool {
        self.part(name).0.as_bool().unwrap_or_default()
    }

    fn time(self, name: &str) -> Option<u32> {
        self.part(name).0.as_str().and_then(time::parse).map(date_time)
    }

    fn day(self, name: &str) -> Option<u16> {
        self.part(name).0.as_str().and_then(time::parse_day).map(date)
    }
}
