//! The fleet in sums: cards by state from the memory of every instance, bytes of the running cycles from ClickHouse.
//!
//! Invariant: it says how much of the fleet it speaks for: which partitions have answered, and as of when the oldest has.
//! ClickHouse is asked once for everybody who asks within [`FLEET_SUMS_LAST_MS`]: it looks at every card. That it does not
//! answer is an answer to all who have waited for it, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

use super::{Api, forward};
use crate::codec::time;
use crate::limits::{DAY_S, FLEET_FAILURE_LASTS_MS, FLEET_SUMS_LAST_MS};
use crate::model::{Day, UnixTime};
use crate::rollup::{Archive, FleetSums};

/// The sums that were asked for last, or why there are none.
pub(super) type Sums = Arc<Mutex<Option<Asked>>>;

/// What ClickHouse has answered, and when.
pub(super) struct Asked {
    at: Instant,
    answer: Result<FleetSums, String>,
}

impl Asked {
    fn is_good(&self) -> bool {
        let lasts = if self.answer.is_ok() { FLEET_SUMS_LAST_MS } else { FLEET_FAILURE_LASTS_MS };
        self.at.elapsed() < Duration::from_millis(lasts)
    }
}

/// What counts of a partition's status, here or as another instance tells it.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
struct Partition {
    #[serde(rename = "partition")]
    number: u32,
    state: String,
    log_time: UnixTime,
    stale: bool,
    cards: BTreeMap<String, u64>,
}

impl Partition {
    /// One that restores, or was lost, knows no cards.
    fn answers(&self) -> bool {
        matches!(self.state.as_str(), "running" | "leaving" | "drained")
    }
}

pub(super) async fn fleet(State(api): State<Api>, headers: HeaderMap) -> Json<Value> {
    let (held, away) = partitions(&api, &headers).await;
    let mut answer = summed(&held, api.workers.partitions());
    answer["clock"] = api.clock().into();
    answer["away"] = away.into();
    let now = held.values().map(|held| held.log_time).max().unwrap_or_else(|| api.log_now());
    answer["usage"] = match &api.archive {
        None => Value::Null,
        Some(archive) => usage(&api.sums, archive, now.div_euclid(DAY_S) as Day).await,
    };
    Json(answer)
}

/// Every partition that somebody holds, and the instances that did not answer.
async fn partitions(api: &Api, headers: &HeaderMap) -> (BTreeMap<u32, Partition>, Vec<String>) {
    let mut held = BTreeMap::new();
    add(&mut held, json!(api.board.partitions()));
    let mut away = Vec::new();
    let asked = if forward::is_forwarded(headers) { BTreeSet::new() } else { others(api, &held) };
    let answers = asked.into_iter().map(|address| async move {
        let told = forward::tell(api, &address, "/v1/partitions").await;
        (address, told)
    });
    for (address, told) in futures_util::future::join_all(answers).await {
        match told {
            Ok(partitions) => add(&mut held, partitions),
            Err(why) => away.push(format!("{address}: {why}")),
        }
    }
    (held, away)
}

/// Where the partitions are that are not here.
fn others(api: &Api, held: &BTreeMap<u32, Partition>) -> BTreeSet<String> {
    let missing = (0..api.workers.partitions()).filter(|partition| !held.contains_key(partition));
    missing.filter_map(|partition| api.owners.address_of(partition)).filter(|at| *at != api.address).collect()
}

/// Adds what an instance holds; of two that hold one partition the one that is ahead counts.
fn add(held: &mut BTreeMap<u32, Partition>, told: Value) {
    for partition in serde_json::from_value::<Vec<Partition>>(told).unwrap_or_default() {
        let ahead = held.get(&partition.number).is_none_or(|other| other.log_time < partition.log_time);
        if partition.answers() && ahead {
            held.insert(partition.number, partition);
        }
    }
}

fn summed(held: &BTreeMap<u32, Partition>, all: u32) -> Value {
    let mut cards = BTreeMap::<&str, u64>::new();
    for (state, count) in held.values().flat_map(|partition| &partition.cards) {
        *cards.entry(state).or_default() += count;
    }
    let missing: Vec<u32> = (0..all).filter(|partition| !held.contains_key(partition)).collect();
    let as_of = held.values().map(|partition| partition.log_time).min();
    let stale = held.values().filter(|partition| partition.stale).count();
    json!({
        "cards": cards, "source": "memory", "as_of": as_of.map(time::text),
        "partitions": {"all": all, "answered": held.len(), "stale": stale, "missing": missing},
    })
}

async fn usage(sums: &Sums, archive: &Archive, today: Day) -> Value {
    // Held while ClickHouse is asked: whoever comes meanwhile gets that answer.
    let mut held = sums.lock().await;
    let asked = if let Some(asked) = held.take().filter(Asked::is_good) {
        asked
    } else {
        let answer = archive.fleet(today).await.map_err(|failure| failure.to_string());
        Asked { at: Instant::now(), answer }
    };
    told(&held.insert(asked).answer)
}

fn told(answer: &Result<FleetSums, String>) -> Value {
    let sums = match answer {
        Ok(sums) => sums,
        Err(why) => return json!({"source": "clickhouse", "why": why}),
    };
    json!({
        "source": "clickhouse", "unit": "bytes", "as_of": (sums.cards > 0).then(|| time::text(i64::from(sums.as_of))),
        "cards": sums.cards, "used": sums.used, "settled": sums.settled, "provisional": sums.provisional,
        "overage": sums.overage, "exhausted": sums.exhausted,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::rollup::{Client, Server, Timeouts};

    /// A server that takes connections, counts them, and says nothing.
    async fn silent() -> (String, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let (address, asked) = (listener.local_addr().expect("bound"), Arc::<AtomicUsize>::default());
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Relaxed);
                open.push(stream);
            }
        });
        (format!("http://{address}"), asked)
    }

    #[tokio::test]
    async fn everybody_who_waits_for_a_clickhouse_that_is_silent_is_answered_by_one_question() {
        let (url, asked) = silent().await;
        let server =
            Server { url, database: "t".to_owned(), user: "default".to_owned(), password: String::new() };
        let timeouts = Timeouts { answer: Duration::from_millis(100), ..Timeouts::default() };
        let (archive, sums) = (Archive::new(Client::new(&server, timeouts)), Sums::default());
        let waiting = (0..8).map(|_| usage(&sums, &archive, 20_666));
        for told in futures_util::future::join_all(waiting).await {
            assert!(told["why"].as_str().is_some_and(|why| !why.is_empty()), "{told}");
        }
        assert_eq!(asked.load(Relaxed), 1);
    }

    fn partition(partition: u32, state: &str, log_time: UnixTime, active: u64) -> Value {
        json!({"partition": partition, "state": state, "log_time": log_time, "stale": false, "halted": "",
            "cards": {"registered": 1, "active": active, "suspended": 0, "cancelled": 0}})
    }

    #[test]
    fn a_partition_counts_once_and_only_with_its_cards_in_memory() {
        let mut held = BTreeMap::new();
        add(&mut held, json!([partition(0, "running", 100, 5), partition(1, "restoring", 0, 0)]));
        add(&mut held, json!([partition(0, "leaving", 90, 4), partition(2, "running", 80, 7)]));
        let summed = summed(&held, 4);
        assert_eq!(summed["cards"], json!({"registered": 2, "active": 12, "suspended": 0, "cancelled": 0}));
        assert_eq!(summed["partitions"], json!({"all": 4, "answered": 2, "stale": 0, "missing": [1, 3]}));
        assert_eq!(summed["as_of"], "1970-01-01T00:01:20Z");
    }
}
