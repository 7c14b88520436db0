//! What is sent: a catalogue, registrations, packages, CDRs.

use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::json;
use tidegauge::codec::canonical;
use tidegauge::codec::pack::PackWriter;
use tidegauge::codec::time;
use tidegauge::log::Topic;
use tidegauge::model::{
    Calendar, Carrier, Catalogue, CounterRules, CreditsPolicy, Feed, FeedRole, OffsetFrom, Plan, Record,
    Rule, RuleKind, RulesPolicy, SplitRule, UnixTime,
};
use tidegauge::shell::wall_ms;

use crate::broker::PARTITIONS;

pub(crate) const DEPLOYMENT: &str = "harness";
/// Quota of each card: the first record of [`Load::crossing`] burns half of it.
const QUOTA: u64 = 1 << 30;

/// Writes to one round's topics.
pub(crate) struct Load {
    producer: BaseProducer,
    prefix: String,
    now: i64,
}

pub(crate) fn iccid(card: u32) -> String {
    format!("8988888{card:012}")
}

impl Load {
    pub(crate) fn new(brokers: &str, prefix: &str) -> anyhow::Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("linger.ms", "2")
            .set("acks", "1")
            .set("queue.buffering.max.messages", "500000")
            .create()?;
        Ok(Self { producer, prefix: prefix.to_owned(), now: wall_ms() / 1000 })
    }

    fn send(&self, topic: Topic, partition: Option<u32>, key: &str, value: &[u8]) -> anyhow::Result<()> {
        let name = format!("{}{}", self.prefix, topic.name());
        loop {
            let record = BaseRecord {
                partition: partition.map(|p| p as i32),
                key: (!key.is_empty()).then_some(key),
                ..BaseRecord::to(&name).payload(value)
            };
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(error).context(name),
            }
        }
    }

    pub(crate) fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    pub(crate) fn flush(&self) -> anyhow::Result<()> {
        Ok(self.producer.flush(Duration::from_mins(1))?)
    }

    /// The catalogue, to every partition.
    pub(crate) fn catalogue(&self) -> anyhow::Result<()> {
        let json = canonical::to_vec(&catalogue(self.now));
        let mut pack = PackWriter::new();
        anyhow::ensure!(pack.push(&Record::Catalogue { json: &json }), "the catalogue fits a pack");
        let pack = pack.finish();
        (0..PARTITIONS).try_for_each(|partition| self.send(Topic::Log, Some(partition), "", &pack))?;
        self.flush()
    }

    /// Registers cards.
    pub(crate) fn cards(&self, cards: u32) -> anyhow::Result<u64> {
        let at = time::text(self.now);
        for card in 0..cards {
            let iccid = iccid(card);
            self.command(
                &iccid,
                &json!({"id": "r", "card": iccid, "at": at, "type": "card.register",
                "channel": "own", "carrier": "c", "plan": "p"}),
            )?;
        }
        self.flush()?;
        Ok(u64::from(cards))
    }

    /// Buys each card 1 GiB, whose half is an alert.
    pub(crate) fn packages(&self, cards: u32) -> anyhow::Result<u64> {
        let at = time::text(self.now);
        for card in 0..cards {
            let iccid = iccid(card);
            self.command(&iccid, &json!({"id": "p", "card": iccid, "at": at, "type": "recharge", "order": "o",
                "channel": "own", "mode": "immediate", "payment": {"provider": "h", "reference": "r", "paid_at": at},
                "package": {"kind": "base", "quota": QUOTA, "validity": {"days": 20}}}))?;
        }
        self.flush()?;
        Ok(u64::from(cards))
    }

    fn command(&self, iccid: &str, command: &serde_json::Value) -> anyhow::Result<()> {
        self.order(iccid, &command.to_string())
    }

    /// A command as it is.
    pub(crate) fn order(&self, iccid: &str, command: &str) -> anyhow::Result<()> {
        self.send(Topic::Commands, None, iccid, command.as_bytes())
    }

    /// One CDR of some bytes.
    pub(crate) fn cdr(&self, number: u64, card: u32, bytes: u64) -> anyhow::Result<()> {
        let start = self.now - 3_600 + (number % 3_000) as i64;
        self.measured(number, card, bytes, (start, start + 300))
    }

    fn measured(
        &self,
        number: u64,
        card: u32,
        bytes: u64,
        (start, end): (UnixTime, UnixTime),
    ) -> anyhow::Result<()> {
        let iccid = iccid(card);
        let (start, end) = (time::text(start), time::text(end));
        let json = format!(
            "{{\"iccid\":\"{iccid}\",\"feed\":\"f\",\"id\":\"85/10.1.2.3/{number}\",\"start\":\"{start}\",\"end\":\"{end}\",\"up\":{},\"down\":{}}}",
            bytes / 8,
            bytes - bytes / 8
        );
        // Outside topics need no key. With one, librdkafka would make a request of nearly every record at a steady rate
        // (one partition a request), and what is measured would be a broker that chokes on its load.
        self.send(Topic::Cdr, None, "", json.as_bytes())
    }

    /// CDRs over all cards, none of which reaches a threshold.
    pub(crate) fn cdrs(&self, cards: u32, records: u64) -> anyhow::Result<()> {
        for number in 0..records {
            // A stride that is prime to the number of cards, so that neighbours in the log are not neighbours in memory.
            let card = (number.wrapping_mul(7_919) % u64::from(cards)) as u32;
            self.cdr(number, card, 1_000 + number % 50_000)?;
        }
        self.flush()
    }

    /// Half of the card's package in one record. A package pays for usage from its purchase on, so it is of now.
    pub(crate) fn crossing(&self, number: u64, card: u32) -> anyhow::Result<()> {
        let now = wall_ms() / 1_000;
        self.measured(number, card, QUOTA / 2, (now, now + 1))
    }
}

fn catalogue(now: i64) -> Catalogue {
    let today = (now / 86_400) as i32;
    let rule = |name: &str, kind| Rule { name: name.to_owned(), kind };
    Catalogue {
        version: 1,
        deployment: DEPLOYMENT.to_owned(),
        carriers: vec![Carrier {
            name: "c".to_owned(),
            settling_feed: Some("f".to_owned()),
            split: SplitRule::Split,
            calendar: Calendar {
                offsets: vec![OffsetFrom { from: today - 100, offset_s: 0 }],
                cycle_starts: (-3..12).map(|cycle| today - 10 + cycle * 30).collect(),
            },
            settling_days_first: 0,
            settling_days_last: 0,
        }],
        feeds: vec![Feed { name: "f".to_owned(), role: FeedRole::Settling, stale_after_minutes: None }],
        plans: vec![Plan { name: "p".to_owned(), rules: Vec::new(), suspend_on_exhaustion: false }],
        default_rules: vec![
            rule("burnt-50", RuleKind::BurntPercent(50)),
            rule("burnt-80", RuleKind::BurntPercent(80)),
        ],
        late_horizon_days: 8,
        own_channels: vec!["own".to_owned()],
        counters: CounterRules::default(),
        rules_policy: RulesPolicy::Free,
        credits_policy: CreditsPolicy::All,
    }
}
