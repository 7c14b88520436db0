//! A log in memory that does what a test's script says: which commit gets which answer, when the group speaks, what is
//! stored. It has no faults of its own; the simulated brokers have.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use crate::log::{
    CommitResult, Committed, GroupEvent, LogError, Message, Output, PollBudget, Topic, TopicInfo,
    Transaction, WorkerLog,
};
use crate::model::LogOffset;

/// What a commit is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Committed,
    /// It was applied, and the answer was lost.
    LostYes,
    /// It was not applied, and the answer was lost.
    LostNo,
    /// No answer yet.
    Silence,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
    pub time_ms: i64,
}

/// The state behind the handles.
#[derive(Debug)]
pub(crate) struct Broker {
    pub partitions: u32,
    pub topic_id: String,
    pub stored: BTreeMap<(Topic, u32), Vec<Stored>>,
    /// First offset kept.
    pub starts: BTreeMap<(Topic, u32), u64>,
    pub offsets: BTreeMap<u32, Committed>,
    pub answers: VecDeque<Answer>,
    pub events: VecDeque<GroupEvent>,
    /// Partitions whose offset is unstable.
    pub unstable: BTreeSet<u32>,
    /// Partitions of whose offset the group says nothing, and not for a moment only.
    pub forbidden: BTreeSet<u32>,
    /// Partitions of the checkpoint in which a transaction is open: they end short of the high watermark.
    pub barred: BTreeSet<u32>,
    /// They are open under an id that nobody names: whoever is ended, it was not that one.
    pub nameless: bool,
    pub fetching: BTreeMap<u32, u64>,
    pub paused: BTreeSet<u32>,
    pub polls: u64,
    /// How long the last poll was to wait.
    pub wait_ms: u64,
    pub beside: Beside,
    open: Option<Arc<Transaction>>,
    /// Every transaction as it was sent.
    pub sent: Vec<Arc<Transaction>>,
    /// Calls worth a look, in order.
    pub calls: Vec<String>,
    pub now_ms: i64,
    pub out_of_range: Option<u32>,
    /// How often the next calls of `renew_producer` and `bounds` fail.
    pub renewals_fail: u32,
    pub bounds_fail: u32,
    /// How often bounds were asked for.
    pub bounds_asked: usize,
    /// ... and in a way that does not look like passing.
    pub bounds_fatal: u32,
    /// How often seeks fail.
    pub seeks_fail: u32,
    /// The producer has a transaction whose end it does not know.
    unresolved: bool,
}

/// Where in a poll something happens beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Waiting,
    /// The end of a commit is waited for.
    Committing,
    /// Behind a message.
    Folded,
}

/// What others do while the worker polls.
#[derive(Default)]
pub(crate) struct Beside(pub Option<Box<dyn FnMut(Moment)>>);

impl Beside {
    fn happens(&mut self, moment: Moment) {
        if let Some(happens) = &mut self.0 {
            happens(moment);
        }
    }
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beside")
    }
}

/// A handle on it.
#[derive(Clone)]
pub(crate) struct Script(pub Rc<RefCell<Broker>>);

impl Script {
    pub(super) fn new(partitions: u32) -> Self {
        Self(Rc::new(RefCell::new(Broker {
            partitions,
            topic_id: "topic-1".to_owned(),
            stored: BTreeMap::new(),
            starts: BTreeMap::new(),
            offsets: BTreeMap::new(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            unstable: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            barred: BTreeSet::new(),
            nameless: false,
            fetching: BTreeMap::new(),
            paused: BTreeSet::new(),
            polls: 0,
            wait_ms: 0,
            beside: Beside::default(),
            open: None,
            sent: Vec::new(),
            calls: Vec::new(),
            now_ms: 0,
            out_of_range: None,
            renewals_fail: 0,
            bounds_fail: 0,
            bounds_asked: 0,
            bounds_fatal: 0,
            seeks_fail: 0,
            unresolved: false,
        })))
    }
}

impl Broker {
    pub(super) fn append(&mut self, topic: Topic, partition: u32, key: &[u8], value: Option<Vec<u8>>) -> u64 {
        let time_ms = self.now_ms;
        self.append_at(topic, partition, Stored { key: key.to_vec(), value, time_ms })
    }

    pub(super) fn append_at(&mut self, topic: Topic, partition: u32, stored: Stored) -> u64 {
        let messages = self.stored.entry((topic, partition)).or_default();
        messages.push(stored);
        messages.len() as u64 - 1
    }

    pub(super) fn messages(&self, topic: Topic, partition: u32) -> &[Stored] {
        self.stored.get(&(topic, partition)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn committed(&self, partition: u32) -> Option<u64> {
        self.offsets.get(&partition).map(|c| c.offset.0)
    }

    /// The process that had the transaction is gone, and the transaction with it.
    pub(super) fn forget_open(&mut self) {
        self.open = None;
    }

    fn apply(&mut self, transaction: &Transaction) {
        for Output { topic, partition, key, value, .. } in &transaction.outputs {
            self.append(*topic, partition.unwrap_or(0), key, value.clone());
        }
        self.offsets.extend(transaction.offsets.iter().cloned());
    }

    fn read(&self, topic: Topic, partition: u32, from: u64, each: &mut dyn FnMut(Message<'_>) -> bool) {
        for (at, stored) in self.messages(topic, partition).iter().enumerate().skip(from as usize) {
            let message = Message {
                topic,
                partition,
                offset: LogOffset(at as u64),
                time_ms: stored.time_ms,
                key: Some(&stored.key),
                value: stored.value.as_deref(),
                headers: &[],
            };
            if !each(message) {
                return;
            }
        }
    }
}

impl WorkerLog for Script {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Option<GroupEvent>, LogError> {
        let mut broker = self.0.borrow_mut();
        broker.polls += 1;
        broker.wait_ms = budget.wait_ms;
        broker.beside.happens(Moment::Waiting);
        if let Some(event) = broker.events.pop_front() {
            return Ok(Some(event));
        }
        if let Some(partition) = broker.out_of_range.take() {
            let detail = "deleted".to_owned();
            return Err(LogError::OutOfRange { topic: Topic::Log, partition, offset: LogOffset(7), detail });
        }
        let (mut left, mut moved, mut beside) =
            (budget.messages, Vec::new(), std::mem::take(&mut broker.beside));
        for (partition, from) in broker.fetching.iter().filter(|(p, _)| !broker.paused.contains(p)) {
            let mut next = *from;
            broker.read(Topic::Log, *partition, *from, &mut |message| {
                if left == 0 {
                    return false;
                }
                left -= 1;
                next = message.offset.0 + 1;
                each(message);
                beside.happens(Moment::Folded);
                true
            });
            moved.push((*partition, next));
        }
        broker.fetching.extend(moved);
        broker.beside = beside;
        Ok(None)
    }

    fn assign(&mut self, from: &[(u32, LogOffset)]) -> Result<(), LogError> {
        let mut broker = self.0.borrow_mut();
        for (partition, offset) in from {
            broker.fetching.insert(*partition, offset.0);
            broker.calls.push(format!("assign {partition}@{}", offset.0));
        }
        Ok(())
    }

    fn unassign(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        let mut broker = self.0.borrow_mut();
        for partition in partitions {
            broker.fetching.remove(partition);
            broker.paused.remove(partition);
            broker.calls.push(format!("unassign {partition}"));
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[u32]) {
        self.0.borrow_mut().paused.extend(partitions);
    }

    fn resume(&mut self, partitions: &[u32]) {
        self.0.borrow_mut().paused.retain(|p| !partitions.contains(p));
    }

    fn seek(&mut self, partition: u32, to: LogOffset) -> Result<(), LogError> {
        let mut broker = self.0.borrow_mut();
        if broker.seeks_fail > 0 {
            broker.seeks_fail -= 1;
            return Err(LogError::Retriable("no leader".to_owned()));
        }
        broker.calls.push(format!("seek {partition}@{}", to.0));
        broker.fetching.insert(partition, to.0);
        Ok(())
    }

    fn commit(&mut self, transaction: Arc<Transaction>) {
        let mut broker = self.0.borrow_mut();
        assert!(broker.open.is_none(), "two transactions at once");
        assert!(!broker.unresolved, "a commit on a producer that was to be renewed");
        broker.sent.push(Arc::clone(&transaction));
        broker.open = Some(transaction);
    }

    fn commit_result(&mut self, wait_ms: u64) -> Option<CommitResult> {
        let mut broker = self.0.borrow_mut();
        if wait_ms > 0 {
            broker.beside.happens(Moment::Committing);
        }
        let open = broker.open.clone()?;
        let answer = broker.answers.front().copied().unwrap_or(Answer::Committed);
        if answer == Answer::Silence {
            return None;
        }
        broker.answers.pop_front();
        broker.open = None;
        if answer != Answer::LostNo {
            broker.apply(&open);
        }
        broker.unresolved = answer != Answer::Committed;
        Some(match answer {
            Answer::Committed => CommitResult::Committed,
            _ => CommitResult::Unresolved("timed out".to_owned()),
        })
    }

    fn renew_producer(&mut self) -> Result<(), LogError> {
        let mut broker = self.0.borrow_mut();
        if broker.renewals_fail > 0 {
            broker.renewals_fail -= 1;
            return Err(LogError::Retriable("no coordinator".to_owned()));
        }
        broker.open = None;
        broker.unresolved = false;
        broker.calls.push("renew".to_owned());
        Ok(())
    }

    fn stable_offset(&mut self, partition: u32) -> Result<Option<Committed>, LogError> {
        let broker = self.0.borrow();
        if broker.forbidden.contains(&partition) {
            return Err(LogError::Fatal("no right to the group".to_owned()));
        }
        if broker.unstable.contains(&partition) {
            return Err(LogError::Retriable("unstable".to_owned()));
        }
        Ok(broker.offsets.get(&partition).cloned())
    }

    fn end_transaction_of(&mut self, transactional_id: &str) -> Result<(), LogError> {
        let mut broker = self.0.borrow_mut();
        broker.calls.push(format!("end {transactional_id}"));
        if !broker.nameless {
            broker.unstable.clear();
            broker.barred.clear();
        }
        Ok(())
    }

    fn bounds(&mut self, topic: Topic, partition: u32) -> Result<(LogOffset, LogOffset), LogError> {
        let mut broker = self.0.borrow_mut();
        broker.bounds_asked += 1;
        if broker.bounds_fail > 0 {
            broker.bounds_fail -= 1;
            return Err(LogError::Retriable("no leader".to_owned()));
        }
        if broker.bounds_fatal > 0 {
            broker.bounds_fatal -= 1;
            return Err(LogError::Fatal("unknown topic".to_owned()));
        }
        let first = broker.starts.get(&(topic, partition)).copied().unwrap_or(0);
        let open = topic == Topic::Checkpoint && broker.barred.contains(&partition);
        let end = broker.messages(topic, partition).len() + usize::from(open);
        Ok((LogOffset(first), LogOffset(end as u64)))
    }

    fn scan(
        &mut self,
        topic: Topic,
        partition: u32,
        from: LogOffset,
        to: LogOffset,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        self.0.borrow_mut().calls.push(format!("scan {topic} {partition} {}..{}", from.0, to.0));
        let broker = self.0.borrow();
        broker.read(topic, partition, from.0, &mut |message| message.offset < to && each(message));
        if topic == Topic::Checkpoint && broker.barred.contains(&partition) {
            return Err(LogError::Retriable("an open transaction bars the way".to_owned()));
        }
        Ok(())
    }

    fn append_tick(&mut self, partition: u32, pack: Vec<u8>, time_ms: Option<i64>) {
        let mut broker = self.0.borrow_mut();
        broker.calls.push(format!("tick {partition}"));
        let time_ms = time_ms.unwrap_or(broker.now_ms);
        broker.append_at(Topic::Log, partition, Stored { key: Vec::new(), value: Some(pack), time_ms });
    }

    fn topic(&mut self, _topic: Topic) -> Result<TopicInfo, LogError> {
        let broker = self.0.borrow();
        Ok(TopicInfo { id: broker.topic_id.clone(), partitions: broker.partitions })
    }

    fn transactional_id(&self) -> &'static str {
        "worker-a"
    }
}
