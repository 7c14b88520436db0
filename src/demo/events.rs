//! The demo as a consumer of alerts and activations: reads the topics as anybody would.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::log::file::Store;
use crate::log::{PollBudget, Topic};
use crate::model::LogOffset;

const TOPICS: [Topic; 2] = [Topic::Alerts, Topic::Activations];
const BUDGET: PollBudget = PollBudget { messages: 2_000, bytes: 8 << 20, wait_ms: 0 };

/// One event, as far as the demo shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Without `io.tidegauge.` and `.v1`.
    pub(super) kind: String,
    pub(super) iccid: String,
    pub(super) time: String,
    /// The rule, or the order.
    pub(super) what: String,
}

/// A reader of the event topics from now on.
pub(super) struct Events {
    store: Arc<Store>,
    places: BTreeMap<(Topic, u32), LogOffset>,
}

impl Events {
    /// From the end of the topics on.
    pub(super) fn follow(store: Arc<Store>) -> Self {
        let partitions = store.partitions();
        let places = TOPICS.into_iter().flat_map(|topic| (0..partitions).map(move |p| (topic, p)));
        let places = places.map(|(topic, p)| ((topic, p), store.end(topic, p))).collect();
        Self { store, places }
    }

    /// What has come since the last call.
    pub(super) fn next(&mut self) -> anyhow::Result<Vec<Seen>> {
        let mut seen = Vec::new();
        for (place, offset) in &mut self.places {
            *offset = self.store.read(*place, *offset, BUDGET, &mut |message| {
                seen.extend(message.value.and_then(Seen::read));
                true
            })?;
        }
        seen.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(seen)
    }
}

impl Seen {
    fn read(json: &[u8]) -> Option<Self> {
        let event: Value = serde_json::from_slice(json).ok()?;
        let text =
            |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = text("/type");
        let what =
            [text("/data/rule"), text("/data/order")].into_iter().find(|t| !t.is_empty()).unwrap_or_default();
        Some(Self {
            kind: kind.trim_start_matches("io.tidegauge.").trim_end_matches(".v1").to_owned(),
            iccid: text("/subject"),
            time: text("/time"),
            what,
        })
    }

    pub(super) fn line(&self) -> String {
        format!("{}  {:<18} {}  {}", self.time, self.kind, self.iccid, self.what)
    }
}
