//! Reads `card.alerts`. `cargo add rdkafka serde_json`

use std::collections::HashSet;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Message as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let set = |name, default: &str| {
        std::env::var_os(name).map_or(default.into(), |text| text.to_string_lossy().into_owned())
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", set("KAFKA_BROKERS", "127.0.0.1:9092"))
        .set("group.id", set("GROUP", "alerts-by-mail"))
        .set("isolation.level", "read_committed") // what was aborted has not happened
        .set("enable.auto.commit", "false") // an offset is committed when the work is done
        .set("auto.offset.reset", "earliest") // a new group misses nothing
        .set("session.timeout.ms", "10000") // after a crash another goes on so soon
        .create()?;
    consumer.subscribe(&[&set("TOPIC", "card.alerts")])?;
    let mut done = HashSet::new(); // in earnest: a unique column, written in one transaction with the work
    loop {
        let Some(Ok(message)) = consumer.poll(std::time::Duration::from_secs(1)) else { continue };
        let event: serde_json::Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        if done.insert(event["id"].clone()) {
            let (card, data) = (event["subject"].as_str().unwrap_or_default(), &event["data"]);
            println!("{card} {} {} {}", event["type"], data["rule"], data["remaining"]); // the work
        }
        consumer.commit_message(&message, CommitMode::Sync)?;
    }
}
