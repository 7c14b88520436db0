//! Two instances that share the partitions, and who of them meters which card.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tidegauge::model::{CardId, partition_of};
use tidegauge::shell::Clocks;

use crate::asking::Asker;
use crate::broker::PARTITIONS;
use crate::load::iccid;
use crate::product::{Product, Told};

/// How long the partitions may take to come to rest.
const REST_WITHIN_MS: i64 = 120_000;

/// Both instances.
pub(crate) struct Pair {
    pub(crate) products: [Product; 2],
}

/// For each partition which of the two has it.
pub(crate) type Owners = Vec<usize>;

impl Pair {
    /// Starts both and waits until each holds a half of the partitions.
    pub(crate) fn start(
        brokers: &str,
        prefix: &str,
        told: [&Told<'_>; 2],
        asker: &Asker,
    ) -> anyhow::Result<Self> {
        let one = Product::start_as(brokers, prefix, told[0])?;
        let pair = Self { products: [one, Product::start_as(brokers, prefix, told[1])?] };
        pair.rest(asker)?;
        Ok(pair)
    }

    /// Waits until every partition runs at one of them, and each has a half.
    pub(crate) fn rest(&self, asker: &Asker) -> anyhow::Result<Owners> {
        let clocks = Clocks::start();
        loop {
            let owners = self.owners(asker);
            let of_first = owners.iter().flatten().filter(|owner| **owner == 0).count();
            if owners.iter().all(Option::is_some) && of_first == PARTITIONS as usize / 2 {
                return Ok(owners.into_iter().flatten().collect());
            }
            anyhow::ensure!(
                clocks.steady_ms() < REST_WITHIN_MS,
                "the partitions do not come to rest: {owners:?}"
            );
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    fn owners(&self, asker: &Asker) -> Vec<Option<usize>> {
        let mut owners = vec![None; PARTITIONS as usize];
        for (number, product) in self.products.iter().enumerate() {
            let answer = asker.get(&format!("{}/v1/partitions", product.address));
            let held: Value =
                answer.ok().and_then(|a| serde_json::from_slice(&a.body).ok()).unwrap_or_default();
            let running = held.as_array().into_iter().flatten().filter(|held| held["state"] == "running");
            for partition in running.filter_map(|held| held["partition"].as_u64()) {
                owners[partition as usize] = Some(number);
            }
        }
        owners
    }
}

/// The partition of a card of the load.
pub(crate) fn partition(card: u32) -> anyhow::Result<u32> {
    let id = CardId::parse(&iccid(card)).ok().context("the load's cards have ICCIDs")?;
    Ok(partition_of(id, PARTITIONS))
}

/// What is wrong with an answer about a card that should come from memory.
pub(crate) fn not_from_memory(status: Option<u16>, body: &[u8]) -> Option<String> {
    let Some(status) = status else { return Some("no answer".to_owned()) };
    let card: Value = serde_json::from_slice(body).unwrap_or_default();
    let source = card["source"].as_str().unwrap_or("nowhere");
    match (status, source, &card["stale"]) {
        (200, "memory", Value::Bool(false)) => None,
        (200, "memory", _) => Some("stale, from memory".to_owned()),
        (200, source, _) => Some(format!("from {source}")),
        (status, ..) => Some(format!("status {status}")),
    }
}
