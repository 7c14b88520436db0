//! Commands written into the file log by this process; and topics that it follows for itself.

use std::sync::Arc;
use std::time::Duration;

use super::{FileLogError, Store};
use crate::log::{
    Appended, CommandLog, CommandPlace, LogError, Message, Output, Places, PollBudget, Tail, Topic,
    TopicPartition,
};
use crate::model::{LogOffset, partition_of_key};

/// Writes to `card.commands`.
pub struct FileCommands {
    store: Arc<Store>,
    /// Held while a command is written, so that its place is known.
    writing: tokio::sync::Mutex<()>,
}

impl FileCommands {
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, writing: tokio::sync::Mutex::new(()) }
    }
}

impl CommandLog for FileCommands {
    fn append<'a>(&'a self, card: &'a str, json: &'a [u8], time_ms: i64) -> Appended<'a> {
        Box::pin(async move {
            let _writing = self.writing.lock().await;
            let store = Arc::clone(&self.store);
            let partition = partition_of_key(card.as_bytes(), store.partitions());
            let output = Output {
                topic: Topic::Commands,
                partition: Some(partition),
                key: card.as_bytes().to_vec(),
                value: Some(json.to_vec()),
                headers: Vec::new(),
                time_ms: Some(time_ms),
            };
            let appended = tokio::task::spawn_blocking(move || {
                store.append(vec![output], &[])?;
                Ok::<_, FileLogError>(store.end(Topic::Commands, partition))
            });
            // What a disk failed to acknowledge may be there when it is read again.
            let unknown = |error: String| LogError::Retriable(error);
            let end =
                appended.await.map_err(|e| unknown(e.to_string()))?.map_err(|e| unknown(e.to_string()))?;
            Ok(CommandPlace { partition, offset: LogOffset(end.0.saturating_sub(1)) })
        })
    }
}

/// Topics followed for this process.
pub struct FileTail {
    store: Arc<Store>,
    places: Places,
}

impl FileTail {
    /// From their ends on.
    #[must_use]
    pub fn from_end(store: Arc<Store>, topics: &[Topic]) -> Self {
        let all =
            topics.iter().flat_map(|topic| (0..store.partitions()).map(|partition| (*topic, partition)));
        let places =
            all.map(|(topic, partition)| (TopicPartition { topic, partition }, store.end(topic, partition)));
        let places = places.collect();
        Self { store, places }
    }

    /// From where another tail had come to.
    #[must_use]
    pub fn from_places(store: Arc<Store>, places: Places) -> Self {
        Self { store, places }
    }

    fn read(&mut self, each: &mut dyn FnMut(Message<'_>)) -> Result<usize, LogError> {
        let budget = PollBudget { messages: 1_000, bytes: usize::MAX, wait_ms: 0 };
        let mut count = 0;
        for (at, place) in &mut self.places {
            *place = self.store.read((at.topic, at.partition), *place, budget, &mut |message| {
                count += 1;
                each(message);
                true
            })?;
        }
        Ok(count)
    }
}

impl Tail for FileTail {
    fn places(&self) -> Places {
        self.places.clone()
    }

    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        let seen = self.store.appends();
        if self.read(each)? == 0 {
            self.store.wait(seen, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            self.read(each)?;
        }
        // What was there then was read then, or it began at the end.
        Ok(true)
    }
}
