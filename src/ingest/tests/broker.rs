//! A log in memory, kept from crash to crash: it does what it is told, and fails at the call that a test names.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::codec::directory as entries;
use crate::codec::pack::Pack;
use crate::log::{
    Committed, IngestLog, IngestPolled, LogError, Message, Output, PollBudget, Topic, TopicPartition,
};
use crate::model::{CardId, CardName, DirectoryEntry, LogOffset, Number, NumberKind, Record};

pub(in crate::ingest) const PARTITIONS: u32 = 4;
/// A feed's own topic.
pub(in crate::ingest) const RAW: Topic = Topic::Raw("onelink.raw");

/// A message that the broker keeps.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct Kept {
    pub time_ms: i64,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, Vec<u8>)>,
}

/// What survives a crash of ingest.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Broker {
    topics: BTreeMap<TopicPartition, Vec<Kept>>,
    pub committed: BTreeMap<TopicPartition, u64>,
    /// What was noted beside the committed offsets.
    pub notes: BTreeMap<TopicPartition, String>,
    pub now_ms: i64,
}

pub(in crate::ingest) type Shared = Rc<RefCell<Broker>>;

pub(in crate::ingest) fn at(topic: Topic, partition: u32) -> TopicPartition {
    TopicPartition { topic, partition }
}

impl Broker {
    pub(in crate::ingest) fn new() -> Shared {
        Rc::new(RefCell::new(Self { now_ms: 1_785_542_400_000, ..Self::default() }))
    }

    /// Appends an outside message.
    pub(in crate::ingest) fn put(&mut self, topic: Topic, partition: u32, value: &[u8]) {
        let kept =
            Kept { time_ms: self.now_ms, key: Vec::new(), value: Some(value.to_vec()), headers: Vec::new() };
        self.topics.entry(at(topic, partition)).or_default().push(kept);
    }

    /// Registers a card, with a number or without.
    pub(in crate::ingest) fn register(&mut self, card: CardId, imsi: Option<u64>) {
        self.register_by(card, imsi.map(|digits| Number { kind: NumberKind::Imsi, digits }));
    }

    /// The same, with a number of any kind.
    pub(in crate::ingest) fn register_by(&mut self, card: CardId, number: Option<Number>) {
        for name in std::iter::once(CardName::Iccid(card)).chain(number.map(CardName::Number)) {
            let entry = DirectoryEntry { name, card, valid_from: 0, valid_to: None };
            self.append(entries::output(&entry, None));
        }
    }

    pub(in crate::ingest) fn append(&mut self, output: Output) {
        let partition = output.partition.unwrap_or(0);
        let Output { topic, key, value, headers, time_ms, .. } = output;
        let kept = Kept { time_ms: time_ms.unwrap_or(self.now_ms), key, value, headers };
        self.topics.entry(at(topic, partition)).or_default().push(kept);
    }

    pub(in crate::ingest) fn messages(&self, topic: Topic) -> Vec<&Kept> {
        self.topics.iter().filter(|(at, _)| at.topic == topic).flat_map(|(_, kept)| kept).collect()
    }

    pub(in crate::ingest) fn len(&self, at: TopicPartition) -> u64 {
        self.topics.get(&at).map_or(0, |kept| kept.len() as u64)
    }

    /// All records in packs of a log partition, each as a short text.
    pub(in crate::ingest) fn log(&self, partition: u32) -> Vec<String> {
        let packs = self.topics.get(&at(Topic::Log, partition)).into_iter().flatten();
        packs.flat_map(|kept| records(kept.value.as_deref().unwrap())).collect()
    }

    /// The ids in all packs, each once.
    pub(in crate::ingest) fn logged(&self) -> BTreeSet<String> {
        (0..PARTITIONS).flat_map(|partition| self.log(partition)).collect()
    }
}

fn records(pack: &[u8]) -> Vec<String> {
    let pack = Pack::read(pack).unwrap();
    pack.records().map(|record| text(&record.unwrap())).collect()
}

fn text(record: &Record<'_>) -> String {
    match record {
        Record::Cdr(cdr) => format!("cdr {}", cdr.id),
        Record::Reading(reading) => format!("reading {} {}", reading.counter.0, reading.at),
        Record::Command { json, .. } | Record::Broadcast { json, .. } => {
            let json: serde_json::Value = serde_json::from_slice(json).unwrap();
            format!("command {}", json["id"].as_str().unwrap())
        }
        Record::Catalogue { json } => format!("catalogue of {} bytes", json.len()),
        Record::Tick(_) => "tick".to_owned(),
    }
}

/// How the log treats what is produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Acks {
    /// Written and acknowledged at the next call of `acked`.
    Prompt,
    /// Kept back: neither written nor acknowledged, until the test says so.
    Withheld,
    /// The first time each message is lost and told as failed.
    LostOnce,
}

/// One member's handle.
pub(in crate::ingest) struct TestLog {
    broker: Shared,
    positions: BTreeMap<TopicPartition, u64>,
    directory: BTreeMap<TopicPartition, u64>,
    pub paused: BTreeSet<TopicPartition>,
    pub queue: VecDeque<(u64, Output)>,
    lost: BTreeSet<u64>,
    pub acks: Acks,
    /// Calls left before every call fails.
    pub calls_left: u64,
    /// The directory is not yet read to its end.
    pub directory_behind: bool,
    pub change: IngestPolled,
    /// What is said to wait of raw topics, and of others.
    pub lag: (u64, u64),
}

impl TestLog {
    /// A member with all partitions of the outside topics, two a topic.
    pub(in crate::ingest) fn new(broker: &Shared) -> Self {
        let topics = Topic::OUTSIDE.into_iter().chain([RAW]);
        let places = topics.flat_map(|topic| [at(topic, 0), at(topic, 1)]);
        Self {
            broker: broker.clone(),
            positions: BTreeMap::new(),
            directory: BTreeMap::from([(at(Topic::Directory, 0), 0)]),
            paused: BTreeSet::new(),
            queue: VecDeque::new(),
            lost: BTreeSet::new(),
            acks: Acks::Prompt,
            calls_left: u64::MAX,
            directory_behind: false,
            change: IngestPolled { assigned: places.collect(), ..IngestPolled::default() },
            lag: (0, 0),
        }
    }

    fn call(&mut self) -> Result<(), LogError> {
        self.calls_left = self.calls_left.saturating_sub(1);
        if self.calls_left == 0 { Err(LogError::Fatal("crashed here".to_owned())) } else { Ok(()) }
    }

    /// Writes what is queued without telling: what a crash between writing and acknowledging leaves.
    pub(in crate::ingest) fn write_untold(&mut self) {
        for (_, output) in self.queue.drain(..) {
            self.broker.borrow_mut().append(output);
        }
    }

    fn hand_over(
        broker: &Shared,
        (place, next): (TopicPartition, &mut u64),
        most: usize,
        each: &mut dyn FnMut(Message<'_>),
    ) {
        let kept = broker.borrow().topics.get(&place).cloned().unwrap_or_default();
        for kept in kept.iter().skip(*next as usize).take(most) {
            each(Message {
                topic: place.topic,
                partition: place.partition,
                offset: LogOffset(*next),
                time_ms: kept.time_ms,
                key: Some(&kept.key),
                value: kept.value.as_deref(),
                headers: &[],
            });
            *next += 1;
        }
    }
}

impl IngestLog for TestLog {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        self.call()?;
        let mut change = std::mem::take(&mut self.change);
        for place in &change.dropped {
            self.positions.remove(place);
        }
        for place in &change.assigned {
            let from = self.broker.borrow().committed.get(place).copied().unwrap_or(0);
            self.positions.insert(*place, from);
            let note = self.broker.borrow().notes.get(place).cloned();
            change
                .noted
                .extend(note.map(|metadata| (*place, Committed { offset: LogOffset(from), metadata })));
        }
        if change != IngestPolled::default() {
            return Ok(change);
        }
        for (place, next) in self.positions.iter_mut().filter(|(place, _)| !self.paused.contains(place)) {
            Self::hand_over(&self.broker, (*place, next), budget.messages, each);
        }
        Ok(IngestPolled::default())
    }

    fn poll_directory(&mut self, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        self.call()?;
        for (place, next) in &mut self.directory {
            Self::hand_over(&self.broker, (*place, next), usize::MAX, each);
        }
        Ok(!self.directory_behind)
    }

    fn lag(&self, of: &dyn Fn(Topic) -> bool) -> Option<u64> {
        let part = |topic, lag| if of(topic) { lag } else { 0 };
        Some(part(RAW, self.lag.0) + part(Topic::Parked, self.lag.1))
    }

    fn produce(&mut self, token: u64, output: &Output) -> Result<(), LogError> {
        self.call()?;
        if self.queue.len() >= 3 {
            return Err(LogError::Retriable("the queue is full".to_owned()));
        }
        self.queue.push_back((token, output.clone()));
        Ok(())
    }

    fn acked(&mut self, _wait_ms: u64, each: &mut dyn FnMut(u64, Result<(), LogError>)) {
        if self.acks == Acks::Withheld {
            return;
        }
        for (token, output) in self.queue.drain(..) {
            if self.acks == Acks::LostOnce && self.lost.insert(token) {
                each(token, Err(LogError::Retriable("lost".to_owned())));
            } else {
                self.broker.borrow_mut().append(output);
                each(token, Ok(()));
            }
        }
    }

    fn commit_offsets(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        self.call()?;
        for (place, offset) in next {
            let before = self.broker.borrow_mut().committed.insert(*place, offset.0);
            assert!(before <= Some(offset.0), "{place:?}: the committed offset went back from {before:?}");
        }
        Ok(())
    }

    fn commit_noted(&mut self, next: &[(TopicPartition, Committed)]) -> Result<(), LogError> {
        let offsets: Vec<_> = next.iter().map(|(place, committed)| (*place, committed.offset)).collect();
        self.commit_offsets(&offsets)?;
        let notes = next.iter().map(|(place, committed)| (*place, committed.metadata.clone()));
        self.broker.borrow_mut().notes.extend(notes);
        Ok(())
    }

    fn pause(&mut self, which: &[TopicPartition]) {
        self.paused.extend(which);
    }

    fn resume(&mut self, which: &[TopicPartition]) {
        self.paused.retain(|place| !which.contains(place));
    }

    fn log_partitions(&self) -> u32 {
        PARTITIONS
    }
}
