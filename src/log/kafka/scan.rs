//! Reading a stretch of one partition to its end, for restore and for tests.
//!
//! The end is a position, not a message: the last offsets before it may be markers, aborted messages or compacted away. Two
//! things move the position: a message, and the news that the partition ends here for now. librdkafka's own position is
//! not asked: with batches it counts that news as a message, and is one offset ahead.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::config::{KafkaConfig, Timeouts};
use super::deadline::Deadline;
use super::error::{from_kafka, from_native};
use super::ffi::{BatchConsumer, Fetched};
use super::group::PlainContext;
use super::member::{Headers, hand, settle};
use crate::limits::KAFKA_BATCH_MAX;
use crate::log::{LogError, Message, TopicPartition};
use crate::model::LogOffset;

/// A consumer that is told what to read and belongs to no group.
pub(super) struct Scanner {
    config: KafkaConfig,
    patience: Patience,
    /// Scans in a row in which nothing came of a partition before their patience was over.
    silences: BTreeMap<TopicPartition, u32>,
    inbox: BatchConsumer<PlainContext>,
}

/// How long a scan may come no further.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Behind the news that the partition ends, short of the stretch's end.
    barred: Duration,
    /// Where nothing is heard of it.
    silent: Duration,
    /// ... and was not in scans before.
    silent_again: Duration,
}

/// One stretch: from an offset until the position has reached `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) at: TopicPartition,
    pub(super) from: LogOffset,
    pub(super) to: LogOffset,
}

/// How far a scan has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Come {
    position: LogOffset,
    /// The partition ends there for now.
    at_end: bool,
}

/// Longest wait for a message before the position is looked at.
const WAIT_MS: u64 = 10;

/// So many times as long as at first is waited for a partition that stays silent.
const SILENT_TIMES_MAX: u32 = 4;

impl Scanner {
    /// Whoever reads has all the time that the brokers need.
    pub(super) fn new(config: &KafkaConfig) -> Result<Self, LogError> {
        let idle = config.timeouts.scan_idle;
        Self::patient(config, Patience { barred: idle, silent: idle, silent_again: idle })
    }

    /// A worker has others to serve: it gives up soon, and rests as long as it took. What librdkafka knows of brokers and
    /// topics and its connections are kept, so that the next scan begins where this one has come to, with longer to hear.
    pub(super) fn of_worker(config: &KafkaConfig) -> Result<Self, LogError> {
        let Timeouts { scan_barred: barred, scan_silent: silent, .. } = config.timeouts;
        Self::patient(config, Patience { barred, silent, silent_again: silent * SILENT_TIMES_MAX })
    }

    fn patient(config: &KafkaConfig, patience: Patience) -> Result<Self, LogError> {
        let doing = || format!("making a reader for {}", config.brokers);
        let consumer: BaseConsumer<PlainContext> = config
            .reader()
            .set("enable.partition.eof", "true")
            // The news that a partition ends comes with an empty answer, which the broker holds back for this long.
            .set("fetch.wait.max.ms", "5")
            .create_with_context(PlainContext)
            .map_err(|e| LogError::Fatal(format!("{}: {e}", doing())))?;
        let inbox = BatchConsumer::new(consumer, KAFKA_BATCH_MAX)
            .ok_or_else(|| LogError::Fatal(format!("{}: no memory for a queue", doing())))?;
        Ok(Self { config: config.clone(), patience, silences: BTreeMap::new(), inbox })
    }

    /// Reads the stretch. `meanwhile` is called again and again, so that the caller's membership is kept.
    pub(super) fn scan(
        &mut self,
        stretch: Stretch,
        each: &mut dyn FnMut(Message<'_>) -> bool,
        meanwhile: &mut dyn FnMut() -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        if stretch.from >= stretch.to {
            return Ok(());
        }
        self.assign(stretch)?;
        let result = self.read(stretch, each, meanwhile);
        self.release(stretch.at);
        result
    }

    fn assign(&self, stretch: Stretch) -> Result<(), LogError> {
        let name = self.config.topic_name(stretch.at.topic);
        let partition = stretch.at.partition;
        let doing = format!("reading {name} [{partition}] from {}", stretch.from.0);
        if !self.inbox.forward(&name, partition) {
            return Err(LogError::Fatal(format!("{doing}: no queue")));
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&name, partition as i32, Offset::Offset(stretch.from.0 as i64))
            .and_then(|()| self.inbox.consumer().assign(&list))
            .map_err(|e| from_kafka(&doing, &e))
    }

    fn release(&mut self, at: TopicPartition) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.config.topic_name(at.topic), at.partition as i32);
        if let Err(error) = self.inbox.consumer().unassign() {
            tracing::warn!(%error, "ending a scan");
        }
        settle(self.inbox.consumer(), &list);
        self.inbox.retain(|_, _| false);
    }

    fn read(
        &mut self,
        stretch: Stretch,
        each: &mut dyn FnMut(Message<'_>) -> bool,
        meanwhile: &mut dyn FnMut() -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let mut come = Come { position: stretch.from, at_end: false };
        let mut patience = Deadline::after(self.patience(stretch.at, come));
        while come.position < stretch.to {
            meanwhile()?;
            self.serve()?;
            self.inbox.fill(KAFKA_BATCH_MAX, WAIT_MS, 0);
            let before = come;
            if !self.hand_over(stretch, &mut come, each)? {
                return Ok(());
            }
            if come != before {
                self.silences.remove(&stretch.at);
                patience = Deadline::after(self.patience(stretch.at, come));
            } else if patience.is_over() {
                return Err(self.stuck(stretch, come));
            }
        }
        Ok(())
    }

    fn patience(&self, at: TopicPartition, come: Come) -> Duration {
        let Patience { barred, silent, silent_again } = self.patience;
        if come.at_end {
            return barred;
        }
        let silences = self.silences.get(&at).copied().unwrap_or(0);
        silent.saturating_mul(2_u32.saturating_pow(silences)).min(silent_again)
    }

    /// Hands over what was taken, up to the stretch's end. `false`: the caller has had enough.
    fn hand_over(
        &mut self,
        stretch: Stretch,
        come: &mut Come,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<bool, LogError> {
        while let Some(fetched) = self.inbox.next() {
            let offset = LogOffset(fetched.offset().max(0) as u64);
            if fetched.error().is_some() {
                if let Some(end) = judge(&fetched, stretch)? {
                    *come = Come { position: come.position.max(end), at_end: true };
                }
                continue;
            }
            if offset < come.position {
                continue;
            }
            if offset >= stretch.to {
                come.position = offset;
                return Ok(true);
            }
            let mut more = true;
            hand(&fetched, stretch.at, Headers::Read, &mut |message| more = each(message));
            *come = Come { position: offset.next(), at_end: false };
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn stuck(&mut self, stretch: Stretch, come: Come) -> LogError {
        let Stretch { at, to, .. } = stretch;
        let why = if come.at_end {
            "an open transaction bars the way".to_owned()
        } else {
            let waited = self.patience(at, come).as_millis();
            let silences = self.silences.entry(at).or_default();
            *silences = silences.saturating_add(1);
            format!("nothing came for {waited} ms: is its broker away?")
        };
        let position = come.position.0;
        LogError::Retriable(format!(
            "reading {} [{}]: at offset {position}, short of {}, {why}",
            at.topic, at.partition, to.0
        ))
    }

    fn serve(&self) -> Result<(), LogError> {
        match self.inbox.consumer().poll(Duration::ZERO) {
            Some(Err(error)) if self.inbox.consumer().client().fatal_error().is_some() => {
                Err(from_kafka("reading", &error))
            }
            _ => Ok(()),
        }
    }
}

/// Where a partition ends for now, if that is what its error says.
fn judge(fetched: &Fetched<'_>, stretch: Stretch) -> Result<Option<LogOffset>, LogError> {
    let Some(error) = fetched.error() else { return Ok(None) };
    let at = stretch.at;
    match error.code {
        RDKafkaErrorCode::PartitionEOF => Ok(Some(LogOffset(fetched.offset().max(0) as u64))),
        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => Err(LogError::OutOfRange {
            topic: at.topic,
            partition: at.partition,
            offset: stretch.from,
            detail: error.text,
        }),
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::TopicAuthorizationFailed => {
            Err(from_native(&format!("reading {} [{}]", at.topic, at.partition), &error))
        }
        _ => {
            tracing::warn!(topic = %at.topic, partition = at.partition, %error, "reading; librdkafka goes on");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;
    use crate::log::Topic;

    /// How long a scan by a worker takes to give up.
    #[allow(clippy::disallowed_methods, reason = "the wait is what is measured")]
    fn wait(scanner: &mut Scanner, partition: u32) -> Duration {
        let at = TopicPartition { topic: Topic::Checkpoint, partition };
        let stretch = Stretch { at, from: LogOffset(0), to: LogOffset(10) };
        let begun = Instant::now();
        let end = scanner.scan(stretch, &mut |_| panic!("there is nothing"), &mut || Ok(()));
        assert!(
            matches!(&end, Err(LogError::Retriable(why)) if why.contains("is its broker away?")),
            "{end:?}"
        );
        begun.elapsed()
    }

    /// A broker that takes connections and says nothing.
    #[test]
    fn a_worker_waits_for_a_silent_broker_shortly_and_then_longer_but_not_for_ever() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = KafkaConfig::new(&silent.local_addr().unwrap().to_string(), "meter", "w0");
        config.timeouts.scan_silent = Duration::from_millis(200);
        let mut scanner = Scanner::of_worker(&config).unwrap();
        for times in [1, 2, 4, 4] {
            let (waited, due) = (wait(&mut scanner, 0), config.timeouts.scan_silent * times);
            assert!(waited >= due && waited < due * 10, "{times}: {waited:?}");
        }
        assert!(
            wait(&mut scanner, 1) < config.timeouts.scan_silent * 4,
            "each partition has its own patience"
        );
    }
}
