//! Events ⇄ CloudEvents 1.0, structured JSON with the `ce_` headers too, on the topics of the contract.
//!
//! Outside, times are RFC 3339 and days are dates; what is not there (an unlimited quota, the dates of a queued package)
//! is absent, never null. Extension attributes: `iccid` (full form), `logtime`, and `cause`, the log position
//! `partition/offset/index` of the record that caused the event; a timer's event has none.
//!
//! Invariant: [`read`] gives back what [`output`] was given.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::time;
use crate::log::{Output, Topic};
use crate::model::{CardId, Day, Event, EventBody, LogOffset, Position, Stream, UnixTime};

/// Where the schemas are named; `$id` of each file in `schemas/` begins with it.
pub const SCHEMAS: &str = "https://tidegauge.example/schemas/";

const SPEC_VERSION: &str = "1.0";
const TYPE_PREFIX: &str = "io.tidegauge.";
const TYPE_VERSION: &str = ".v1";
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=UTF-8";

/// Fields of event data that are seconds inside and RFC 3339 outside.
const TIMES: [&str; 10] = [
    "paid_at",
    "effective_at",
    "expires_at",
    "read_at",
    "before_at",
    "forecast",
    "since",
    "suspended_at",
    "cancelled_at",
    "used_at",
];
/// Fields that are days inside and dates outside.
const DAYS: [&str; 2] = ["cycle", "day"];

/// A CloudEvent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    pub specversion: String,
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub subject: String,
    pub time: String,
    pub datacontenttype: String,
    pub dataschema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iccid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    pub data: Value,
}

/// What is wrong with an event that is read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("not a CloudEvent: {0}")]
    Json(String),
    #[error("event {id:?}: attribute {attribute} is {value:?}")]
    Attribute { id: String, attribute: &'static str, value: String },
    #[error("event {id:?}: its data are not those of its type: {detail}")]
    Data { id: String, detail: String },
}

impl CloudEvent {
    /// An event of a kind like `alert.fired` or `feed.gap.opened`, without extension attributes.
    #[must_use]
    pub fn new(kind: &str, id: String, subject: String, deployment: &str) -> Self {
        Self {
            specversion: SPEC_VERSION.to_owned(),
            id,
            source: format!("/tidegauge/{deployment}"),
            kind: format!("{TYPE_PREFIX}{kind}{TYPE_VERSION}"),
            subject,
            time: time::text(0),
            datacontenttype: "application/json".to_owned(),
            dataschema: format!("{SCHEMAS}event/{kind}{TYPE_VERSION}.json"),
            iccid: None,
            logtime: None,
            cause: None,
            data: Value::Object(Map::new()),
        }
    }

    /// The message that carries it. `time_ms`: its `CreateTime`, where the clock is supplied.
    #[must_use]
    pub fn output(&self, topic: Topic, key: Vec<u8>, time_ms: Option<i64>) -> Output {
        Output {
            topic,
            partition: None,
            key,
            value: Some(super::json::write::bytes(self)),
            headers: self.headers(),
            time_ms,
        }
    }

    fn headers(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut headers: Vec<(&'static str, Vec<u8>)> = vec![("content-type", CONTENT_TYPE.into())];
        let attributes = [
            ("ce_specversion", Some(&self.specversion)),
            ("ce_id", Some(&self.id)),
            ("ce_source", Some(&self.source)),
            ("ce_type", Some(&self.kind)),
            ("ce_subject", Some(&self.subject)),
            ("ce_time", Some(&self.time)),
            ("ce_dataschema", Some(&self.dataschema)),
            ("ce_iccid", self.iccid.as_ref()),
            ("ce_logtime", self.logtime.as_ref()),
            ("ce_cause", self.cause.as_ref()),
        ];
        headers.extend(
            attributes.into_iter().filter_map(|(name, value)| Some((name, value?.clone().into_bytes()))),
        );
        headers
    }
}

/// The message of a card's event: topic by stream, key = the ICCID's 19 characters.
#[must_use]
pub fn output(event: &Event, deployment: &str, time_ms: Option<i64>) -> Output {
    let topic = match event.body.stream() {
        Stream::Alerts => Topic::Alerts,
        Stream::Activations => Topic::Activations,
        Stream::Lifecycle => Topic::Lifecycle,
    };
    cloud_event(event, deployment).output(topic, event.card.text().to_vec(), time_ms)
}

/// A card's event as a CloudEvent.
#[must_use]
pub fn cloud_event(event: &Event, deployment: &str) -> CloudEvent {
    let kind = event.body.kind();
    CloudEvent {
        time: time::text(event.at),
        iccid: Some(event.iccid.clone()),
        logtime: Some(time::text(event.log_time)),
        cause: event.cause.map(position_text),
        data: data(&event.body),
        ..CloudEvent::new(kind, event.id.clone(), event.card.to_string(), deployment)
    }
}

/// Reads a card's event.
///
/// # Errors
/// JSON that is no CloudEvent of this program, named by what is wrong.
pub fn read(json: &[u8]) -> Result<Event, EventError> {
    let event: CloudEvent = serde_json::from_slice(json).map_err(|e| EventError::Json(e.to_string()))?;
    let wrong = |attribute, value: &str| EventError::Attribute {
        id: event.id.clone(),
        attribute,
        value: value.to_owned(),
    };
    let seconds = |attribute, text: &str| time::parse(text).ok_or_else(|| wrong(attribute, text));
    let logtime = event.logtime.as_deref().unwrap_or_default();
    let cause = match &event.cause {
        Some(text) => Some(parse_position(text).ok_or_else(|| wrong("cause", text))?),
        None => None,
    };
    Ok(Event {
        card: CardId::parse(&event.subject).map_err(|_| wrong("subject", &event.subject))?,
        iccid: event.iccid.clone().unwrap_or_else(|| event.subject.clone()),
        at: seconds("time", &event.time)?,
        log_time: seconds("logtime", logtime)?,
        cause,
        body: body(&event)?,
        id: event.id,
    })
}

/// A log position as text, `partition/offset/index`.
#[must_use]
pub fn position_text(position: Position) -> String {
    format!("{}/{}/{}", position.partition, position.offset.0, position.index)
}

/// Reads what [`position_text`] wrote.
#[must_use]
pub fn parse_position(text: &str) -> Option<Position> {
    let mut parts = text.split('/');
    let position = Position {
        partition: parts.next()?.parse().ok()?,
        offset: LogOffset(parts.next()?.parse().ok()?),
        index: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(position)
}

/// The data of an event in their outside form.
fn data(body: &EventBody) -> Value {
    let mut data = match serde_json::to_value(body) {
        Ok(Value::Object(mut tagged)) => tagged.remove("data").unwrap_or_default(),
        _ => Value::Null,
    };
    outside(&mut data);
    data
}

fn body(event: &CloudEvent) -> Result<EventBody, EventError> {
    let kind = event.kind.strip_prefix(TYPE_PREFIX).and_then(|kind| kind.strip_suffix(TYPE_VERSION));
    let mut data = event.data.clone();
    inside(&mut data);
    let tagged = serde_json::json!({ "type": kind.unwrap_or(&event.kind), "data": data });
    serde_json::from_value(tagged)
        .map_err(|e| EventError::Data { id: event.id.clone(), detail: e.to_string() })
}

/// Seconds → RFC 3339, days → dates, nulls → nothing.
fn outside(value: &mut Value) {
    if let Value::Array(items) = value {
        return items.iter_mut().for_each(outside);
    }
    let Value::Object(fields) = value else { return };
    fields.retain(|_, field| !field.is_null());
    for (name, field) in fields {
        match field.as_i64() {
            Some(seconds) if TIMES.contains(&&**name) => *field = time::text(seconds as UnixTime).into(),
            Some(day) if DAYS.contains(&&**name) => *field = time::day_text(day as Day).into(),
            _ => outside(field),
        }
    }
}

/// And back.
fn inside(value: &mut Value) {
    if let Value::Array(items) = value {
        return items.iter_mut().for_each(inside);
    }
    let Value::Object(fields) = value else { return };
    for (name, field) in fields {
        let number = match field.as_str() {
            Some(text) if TIMES.contains(&&**name) => time::parse(text),
            Some(text) if DAYS.contains(&&**name) => time::parse_day(text).map(i64::from),
            _ => None,
        };
        match number {
            Some(number) => *field = number.into(),
            None => inside(field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AlertData, Mode, Occasion, PackageData, PackageKind, Payment, RuleKind};

    fn event(body: EventBody) -> Event {
        Event {
            card: CardId::parse("8986001234567890123").unwrap(),
            iccid: "89860012345678901236".into(),
            id: "8986001234567890123/alert/burnt-80/3".into(),
            at: 1_785_547_815,
            log_time: 1_785_547_816,
            cause: Some(Position { partition: 3, offset: LogOffset(77), index: 5 }),
            body,
        }
    }

    fn package() -> PackageData {
        PackageData {
            order: "o-1".into(),
            payment: Payment { provider: "wechat".into(), reference: "p-9".into(), paid_at: 1_785_542_340 },
            kind: PackageKind::Base,
            mode: Mode::Renewal,
            quota: None,
            burnt: 7,
            effective_at: None,
            expires_at: Some(1_785_547_815),
            cycle: Some(20_666),
        }
    }

    #[test]
    fn an_alert_is_a_cloud_event_of_the_contract() {
        let fired = EventBody::AlertFired(AlertData {
            rule: "burnt-80".into(),
            kind: RuleKind::BurntPercent(80),
            arming: 3,
            used: 90,
            settled: 50,
            provisional: 40,
            quota: Some(100),
            burnt: 80,
            remaining: Some(20),
            overage: 0,
            settling: true,
            cycle: 20_666,
            forecast: Some(1_785_547_815),
            late: false,
            occasion: Occasion { since: Some(1_785_547_815), ..Occasion::default() },
            delivery: None,
        });
        let message = output(&event(fired), "prod-1", Some(9));
        let expected = serde_json::json!({
            "specversion": "1.0",
            "id": "8986001234567890123/alert/burnt-80/3",
            "source": "/tidegauge/prod-1",
            "type": "io.tidegauge.alert.fired.v1",
            "subject": "8986001234567890123",
            "time": "2026-08-01T01:30:15Z",
            "datacontenttype": "application/json",
            "dataschema": "https://tidegauge.example/schemas/event/alert.fired.v1.json",
            "iccid": "89860012345678901236",
            "logtime": "2026-08-01T01:30:16Z",
            "cause": "3/77/5",
            "data": {
                "rule": "burnt-80", "kind": {"burnt_percent": 80}, "arming": 3, "used": 90, "settled": 50,
                "provisional": 40, "quota": 100, "burnt": 80, "remaining": 20, "overage": 0, "settling": true,
                "cycle": "2026-08-01", "forecast": "2026-08-01T01:30:15Z", "since": "2026-08-01T01:30:15Z",
            },
        });
        let value: Value = serde_json::from_slice(message.value.as_deref().unwrap()).unwrap();
        assert_eq!(value, expected);
        assert_eq!((message.topic, message.time_ms), (Topic::Alerts, Some(9)));
        assert_eq!(message.key, b"8986001234567890123");
    }

    #[test]
    fn headers_say_what_the_envelope_says() {
        let resumed = EventBody::CardResumed { cause: "recharge".into() };
        let message = output(&event(resumed), "d", None);
        let header = |name: &str| {
            let found = message.headers.iter().find(|(header, _)| *header == name);
            found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
        };
        let value: Value = serde_json::from_slice(message.value.as_deref().unwrap()).unwrap();
        for (name, attribute) in value.as_object().unwrap() {
            if !["data", "datacontenttype"].contains(&name.as_str()) {
                assert_eq!(header(&format!("ce_{name}")).as_deref(), attribute.as_str(), "{name}");
            }
        }
        assert_eq!(header("content-type").as_deref(), Some(CONTENT_TYPE));
    }

    #[test]
    fn what_is_not_there_is_absent_and_times_are_text() {
        let value = data(&EventBody::PackageQueued(package()));
        assert_eq!(
            value,
            serde_json::json!({
                "order": "o-1", "kind": "base", "mode": "renewal", "burnt": 7, "cycle": "2026-08-01",
                "expires_at": "2026-08-01T01:30:15Z",
                "payment": {"provider": "wechat", "reference": "p-9", "paid_at": "2026-07-31T23:59:00Z"},
            })
        );
    }

    #[test]
    fn events_come_back_as_they_were() {
        let timers = Event { cause: None, ..event(EventBody::PackageExpired(package())) };
        let refused = EventBody::RechargeRefused {
            order: "2026-08-01".into(),
            payment: package().payment,
            reason: "2026-08-01T01:30:15Z".into(),
        };
        for given in [timers, event(refused), event(EventBody::CardActivated { cause: "usage".into() })] {
            let message = output(&given, "d", None);
            assert_eq!(read(message.value.as_deref().unwrap()), Ok(given));
        }
    }

    #[test]
    fn what_is_no_event_is_named() {
        let good = cloud_event(&event(EventBody::CardResumed { cause: "recharge".into() }), "d");
        let said =
            |event: CloudEvent| read(&super::super::json::write::bytes(&event)).unwrap_err().to_string();
        let id = r#"event "8986001234567890123/alert/burnt-80/3": "#;
        let cases = [
            (CloudEvent { subject: "x".into(), ..good.clone() }, r#"attribute subject is "x""#),
            (CloudEvent { time: "now".into(), ..good.clone() }, r#"attribute time is "now""#),
            (CloudEvent { cause: Some("1/2".into()), ..good.clone() }, r#"attribute cause is "1/2""#),
            (CloudEvent { data: Value::Null, ..good.clone() }, "its data are not those of its type"),
            (CloudEvent { kind: "io.other.v1".into(), ..good }, "its data are not those of its type"),
        ];
        for (event, expected) in cases {
            let error = said(event);
            assert!(error.starts_with(&format!("{id}{expected}")), "{error}");
        }
        assert!(read(b"{}").unwrap_err().to_string().starts_with("not a CloudEvent: missing field"));
    }

    #[test]
    fn a_position_is_three_numbers() {
        let position = Position { partition: 15, offset: LogOffset(u64::MAX), index: 4_095 };
        assert_eq!(position_text(position), "15/18446744073709551615/4095");
        assert_eq!(parse_position(&position_text(position)), Some(position));
        for text in ["", "1", "1/2", "1/2/3/4", "1/2/x", "1/2/70000"] {
            assert_eq!(parse_position(text), None, "{text}");
        }
    }
}
