//! Commands written into the file log by this process, and the lifecycle events that answer them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use crate::log::{AnswerSource, Appended, CommandLog, CommandPlace, LogError, Output, PollBudget, Topic};
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
                Ok::<_, LogError>(store.end(Topic::Commands, partition))
            });
            let end = appended.await.map_err(|e| LogError::Fatal(e.to_string()))??;
            Ok(CommandPlace { partition, offset: LogOffset(end.0.saturating_sub(1)) })
        })
    }
}

/// Reads `card.lifecycle` from its end on.
pub struct FileAnswers {
    store: Arc<Store>,
    places: BTreeMap<u32, LogOffset>,
}

impl FileAnswers {
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        let places = (0..store.partitions()).map(|p| (p, store.end(Topic::Lifecycle, p))).collect();
        Self { store, places }
    }

    fn read(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<usize, LogError> {
        let budget = PollBudget { messages: 1_000, bytes: usize::MAX, wait_ms: 0 };
        let mut count = 0;
        for (partition, place) in &mut self.places {
            *place = self.store.read((Topic::Lifecycle, *partition), *place, budget, &mut |message| {
                count += 1;
                message.value.into_iter().for_each(&mut *each);
                true
            })?;
        }
        Ok(count)
    }
}

impl AnswerSource for FileAnswers {
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(&[u8])) -> Result<(), LogError> {
        let seen = self.store.appends();
        if self.read(each)? == 0 {
            self.store.wait(seen, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            self.read(each)?;
        }
        Ok(())
    }
}
