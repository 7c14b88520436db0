//! Which instance holds which partition, as the owners have announced it in `tidegauge.owners` once they had restored.
//!
//! Invariant: it is a hint. Whoever is asked answers only for partitions that it holds, so an old address costs a request
//! and never gives a wrong answer.

use dashmap::DashMap;
use serde::Deserialize;

use crate::log::Message;

/// Addresses by partition. Threads share it: one follows the topic, every request reads.
#[derive(Debug, Default)]
pub struct Owners(DashMap<u32, String>);

#[derive(Deserialize)]
struct Announced {
    address: String,
}

impl Owners {
    /// Takes a message of the topic; one that cannot be read names nobody.
    pub fn hear(&self, message: Message<'_>) {
        let key = message.key.and_then(|key| std::str::from_utf8(key).ok());
        let Some(partition) = key.and_then(|key| key.parse().ok()) else { return };
        let announced = message.value.and_then(|value| serde_json::from_slice::<Announced>(value).ok());
        match announced.filter(|announced| is_address(&announced.address)) {
            Some(Announced { address }) => drop(self.0.insert(partition, address)),
            None => drop(self.0.remove(&partition)),
        }
    }

    /// Where a partition was held last.
    #[must_use]
    pub fn address_of(&self, partition: u32) -> Option<String> {
        self.0.get(&partition).map(|address| address.clone())
    }
}

/// Scheme, host and port, and nothing that would make another request of a question.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    text.strip_prefix("http://").is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Topic;
    use crate::model::LogOffset;

    #[test]
    fn the_newest_announcement_counts() {
        let owners = Owners::default();
        let hear = |key: &str, value: Option<&str>| {
            owners.hear(Message {
                topic: Topic::Owners,
                partition: 0,
                offset: LogOffset(0),
                time_ms: 0,
                key: Some(key.as_bytes()),
                value: value.map(str::as_bytes),
                headers: &[],
            });
        };
        for (value, address) in [
            (Some(r#"{"instance":"a","address":"http://a:1","generation":1}"#), Some("http://a:1")),
            (Some(r#"{"instance":"b","address":"http://b:1","generation":1}"#), Some("http://b:1")),
            (Some("not JSON"), None),
            (Some(r#"{"address":"http://b:1/x?"}"#), None),
            (Some(r#"{"address":""}"#), None),
            (Some(r#"{"address":"http://c:1"}"#), Some("http://c:1")),
            (None, None),
        ] {
            hear("7", value);
            assert_eq!(owners.address_of(7).as_deref(), address, "{value:?}");
        }
        hear("x", Some("{}"));
        assert_eq!(owners.address_of(0), None);
    }
}
