//! The smallest worker that is right: it turns each message of the log into one output, exactly once.
//!
//! What the real worker does to a log, and nothing else: poll, seal, commit in the background, resolve by the stable
//! offsets, answer the group. A test that runs it through failures and counts outputs tests the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidegauge::log::{
    CommitResult, Committed, Generation, GroupEvent, LogError, Output, PollBudget, Topic, Transaction,
    WorkerLog,
};
use tidegauge::model::LogOffset;

/// See the module.
pub struct Mini<L> {
    pub log: L,
    /// Makes the log's handle anew when it was fenced.
    open_log: Box<dyn Fn() -> L>,
    generation: Generation,
    parts: BTreeMap<u32, Part>,
    /// The transaction on its way, with each partition's offset before it.
    open: Option<Open>,
    /// Other members, whose open transactions may bar the way if they are dead.
    predecessors: Vec<String>,
    events: VecDeque<GroupEvent>,
    pub told: Told,
}

/// What happened, for tests to look at.
#[derive(Debug, Default)]
pub struct Told {
    pub assigned: usize,
    pub revoked: usize,
    pub lost: usize,
    pub fenced: usize,
    pub committed: usize,
    pub unresolved: Vec<String>,
}

/// One partition's state: what is folded, sealed and committed.
#[derive(Debug, Clone, Default)]
struct Part {
    folded: LogOffset,
    committed: LogOffset,
    outputs: Vec<Output>,
}

struct Open {
    transaction: Arc<Transaction>,
    before: BTreeMap<u32, LogOffset>,
}

const BUDGET: PollBudget = PollBudget { messages: 50, bytes: 1 << 20, wait_ms: 10 };

/// How often a stable offset is asked for before the test fails.
const STABLE_ROUNDS: usize = 100;

impl<L: WorkerLog> Mini<L> {
    pub fn new(open_log: impl Fn() -> L + 'static, predecessors: &[String]) -> Self {
        Self {
            log: open_log(),
            open_log: Box::new(open_log),
            generation: Generation::default(),
            parts: BTreeMap::new(),
            open: None,
            predecessors: predecessors.to_vec(),
            events: VecDeque::new(),
            told: Told::default(),
        }
    }

    pub fn partitions(&self) -> Vec<u32> {
        self.parts.keys().copied().collect()
    }

    /// Whether messages were folded that no transaction holds yet.
    pub fn has_unsealed(&self) -> bool {
        self.parts.values().any(|p| !p.outputs.is_empty())
    }

    /// Whether every output is committed.
    pub fn is_idle(&self) -> bool {
        self.open.is_none() && self.parts.values().all(|p| p.outputs.is_empty())
    }

    /// One round of the loop.
    pub fn step(&mut self) {
        self.poll();
        if let Some(event) = self.events.pop_front() {
            self.answer(event);
        }
        if self.open.is_some() {
            self.look(0);
        } else {
            self.seal();
        }
    }

    /// Folds what has come, and nothing else.
    pub fn poll(&mut self) {
        let parts = &mut self.parts;
        let polled = self.log.poll(BUDGET, &mut |m| {
            let part = parts.get_mut(&m.partition).expect("messages of assigned partitions only");
            assert_eq!(m.offset, part.folded, "no hole and no repetition in partition {}", m.partition);
            part.folded = m.offset.next();
            part.outputs.push(output(m.partition, m.offset, m.value.unwrap_or_default()));
        });
        match polled {
            Ok(event) => self.events.extend(event),
            Err(LogError::Retriable(_)) => {}
            Err(LogError::Fenced(_)) => self.begin_anew(),
            Err(error) => panic!("polling: {error}"),
        }
    }

    /// A fenced member is over, with all that it held; under the same name a new one begins.
    fn begin_anew(&mut self) {
        self.told.fenced += 1;
        self.parts.clear();
        self.events.clear();
        self.open = None;
        self.log = (self.open_log)();
    }

    /// Begins a transaction of all that is folded, with the offsets of all partitions.
    fn seal(&mut self) {
        if self.parts.values().all(|p| p.outputs.is_empty()) {
            return;
        }
        let mut before = BTreeMap::new();
        let mut transaction =
            Transaction { generation: self.generation, outputs: Vec::new(), offsets: Vec::new() };
        for (partition, part) in &mut self.parts {
            before.insert(*partition, part.committed);
            transaction.outputs.append(&mut part.outputs);
            let committed = Committed { offset: part.folded, metadata: String::new() };
            transaction.offsets.push((*partition, committed));
        }
        let transaction = Arc::new(transaction);
        self.log.commit(Arc::clone(&transaction));
        self.open = Some(Open { transaction, before });
    }

    /// Looks for the end of the open transaction.
    fn look(&mut self, wait_ms: u64) {
        match self.log.commit_result(wait_ms) {
            None => {}
            Some(CommitResult::Committed) => self.committed(),
            Some(CommitResult::Unresolved(why)) => {
                self.told.unresolved.push(why);
                self.resolve();
            }
        }
    }

    fn committed(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.told.committed += 1;
        for (partition, committed) in &open.transaction.offsets {
            if let Some(part) = self.parts.get_mut(partition) {
                part.committed = committed.offset;
            }
        }
    }

    /// The architecture's rule: the end of this commit = done; the end of the one before = again; else = not ours.
    fn resolve(&mut self) {
        while let Err(error) = self.log.renew_producer() {
            match error {
                LogError::Retriable(_) => {}
                LogError::Fenced(_) => return self.begin_anew(),
                error => panic!("renewing: {error}"),
            }
        }
        let Some(open) = self.open.take() else { return };
        let mut again = Transaction { generation: self.generation, outputs: Vec::new(), offsets: Vec::new() };
        let mut before = BTreeMap::new();
        for (partition, committed) in &open.transaction.offsets {
            let Some(stable) = self.stable(*partition) else { return };
            let Some(part) = self.parts.get_mut(partition) else { continue };
            if stable == committed.offset {
                part.committed = stable;
            } else if Some(&stable) == open.before.get(partition) {
                before.insert(*partition, stable);
                again.offsets.push((*partition, committed.clone()));
                let ours = |o: &&Output| o.partition == Some(*partition);
                again.outputs.extend(open.transaction.outputs.iter().filter(ours).cloned());
            } else {
                // Somebody else has gone on with it: its state here is worth nothing.
                self.parts.remove(partition);
            }
        }
        if !again.offsets.is_empty() {
            let transaction = Arc::new(again);
            self.log.commit(Arc::clone(&transaction));
            self.open = Some(Open { transaction, before });
        }
    }

    /// Waits until nothing is on its way and nothing unsealed is left.
    fn settle(&mut self) {
        while !self.is_idle() {
            match self.open {
                Some(_) => self.look(100),
                None => self.seal(),
            }
        }
    }

    fn answer(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::Assigned { generation, partitions } => {
                self.told.assigned += partitions.len();
                self.generation = generation;
                let mut from = Vec::new();
                for partition in partitions {
                    let Some(place) = self.stable(partition) else { return };
                    from.push((partition, place));
                    self.parts
                        .insert(partition, Part { folded: place, committed: place, outputs: Vec::new() });
                }
                self.log.assign(&from).expect("assigning");
            }
            GroupEvent::Revoked { generation, partitions } => {
                self.told.revoked += partitions.len();
                self.generation = generation;
                self.settle();
                self.drop_parts(&partitions);
            }
            GroupEvent::Lost { partitions } => {
                self.told.lost += partitions.len();
                for partition in &partitions {
                    self.parts.remove(partition);
                }
                while self.open.is_some() {
                    self.look(100);
                }
                self.drop_parts(&partitions);
            }
        }
    }

    fn drop_parts(&mut self, partitions: &[u32]) {
        for partition in partitions {
            self.parts.remove(partition);
        }
        self.log.unassign(partitions).expect("giving up");
    }

    /// The stable offset; an open transaction that stays is a dead predecessor's, and is ended. `None`: we were fenced.
    fn stable(&mut self, partition: u32) -> Option<LogOffset> {
        for round in 0..STABLE_ROUNDS {
            let first = |(first, _)| Some(first);
            let stable = match self.log.stable_offset(partition) {
                Ok(None) => self.log.bounds(Topic::Log, partition).map(first),
                Ok(Some(committed)) => Ok(Some(committed.offset)),
                Err(error) => Err(error),
            };
            match stable {
                Ok(offset) => return offset,
                Err(LogError::Retriable(_)) => self.end_predecessors(round),
                Err(LogError::Fenced(_)) => {
                    self.begin_anew();
                    return None;
                }
                Err(error) => panic!("the stable offset of {partition}: {error}"),
            }
        }
        panic!("the offset of partition {partition} stays unstable: a transaction is open that nobody ends")
    }

    /// After a first wait.
    fn end_predecessors(&mut self, round: usize) {
        for id in self.predecessors.iter().filter(|_| round > 0) {
            // While the brokers are away this fails, and is tried again in the next round.
            let _ = self.log.end_transaction_of(id);
        }
    }
}

/// The one output of one message.
fn output(partition: u32, offset: LogOffset, value: &[u8]) -> Output {
    Output {
        topic: Topic::Checkpoint,
        partition: Some(partition),
        key: offset.0.to_string().into_bytes(),
        value: Some(value.to_vec()),
        headers: Vec::new(),
        time_ms: None,
    }
}
