//! Rollups of `run`: to the server of the configuration, or nowhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::kafka;
use crate::config::{ClickHouse, Config};
use crate::limits::ARCHIVE_ANSWER_MS;
use crate::log::Topic;
use crate::log::kafka::KafkaReader;
use crate::rollup::history::{ALL_TOPICS, EVENT_TOPICS, History, HistoryOptions};
use crate::rollup::{Archive, ChannelSink, Client, Flusher, RowBatch, RowSink, Server, Timeouts, Writer};

/// How long rows under way may delay the end: what is not written is dirty and comes again.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A handle; clones share the flusher.
#[derive(Clone)]
pub(super) struct Rollups(Option<Arc<Flusher>>);

/// The client of the configuration's server, if it names one.
pub(super) fn client(config: &Config) -> Option<Client> {
    let said = config.clickhouse.as_ref()?;
    Some(Client::new(&server(said), Timeouts::default()))
}

/// The way to the past, for questions: a person does not wait for as long as an insert.
pub(super) fn archive(config: &Config) -> Option<Archive> {
    let answer = Duration::from_millis(ARCHIVE_ANSWER_MS);
    let timeouts =
        Timeouts { connect: answer.min(Timeouts::default().connect), answer, ..Timeouts::default() };
    Some(Archive::new(Client::new(&server(config.clickhouse.as_ref()?), timeouts)))
}

fn server(said: &ClickHouse) -> Server {
    Server {
        url: said.url.clone(),
        database: said.database.clone(),
        user: said.user.clone(),
        password: said.password.clone(),
    }
}

impl Rollups {
    /// Starts the flusher. A server that is away or has other tables is told until that is mended, gets no row before,
    /// and does not hold metering up.
    pub(super) fn start(config: &Config) -> Self {
        let Some(client) = client(config) else {
            tracing::warn!(
                "clickhouse.url is not set: rollups are off, and what is metered meanwhile is not sent later"
            );
            return Self(None);
        };
        let writer = Writer::new(client).after_check();
        let checked = writer.clone();
        // Told at once, not when the first rows come.
        tokio::spawn(async move { checked.checked().await });
        let flusher = Flusher::start(writer, &tokio::runtime::Handle::current());
        Self(Some(Arc::new(flusher)))
    }

    /// Starts the history, if there is a server: what happened, and which records there were.
    pub(super) fn start_history(config: &Config) -> std::io::Result<Option<History>> {
        let (Some(client), Some(said)) = (client(config), &config.clickhouse) else { return Ok(None) };
        let topics: &[Topic] = if said.usage_records { &ALL_TOPICS } else { &EVENT_TOPICS };
        let member = kafka::member(config, &format!("{}-history", config.kafka.group), "history");
        let open = move || KafkaReader::open(member.clone(), topics);
        let runtime = tokio::runtime::Handle::current();
        let writer = Writer::new(client).after_check();
        History::start(HistoryOptions { open, writer, runtime }).map(Some)
    }

    pub(super) fn sink(&self) -> Sink {
        match &self.0 {
            Some(flusher) => Sink::Server(flusher.sink()),
            None => Sink::Nowhere(VecDeque::new()),
        }
    }

    /// Lets rows under way arrive.
    pub(super) async fn stop(self) {
        if let Some(flusher) = self.0.and_then(Arc::into_inner)
            && !flusher.stop(STOP_WITHIN).await
        {
            tracing::warn!("rows were still under way: they are sent again after the start");
        }
    }
}

/// Where a worker's rows go.
pub(super) enum Sink {
    Server(ChannelSink),
    /// Acknowledged at once: without a server there is nothing to keep closed days for.
    Nowhere(VecDeque<(u32, u64)>),
}

impl RowSink for Sink {
    fn submit(&mut self, batch: RowBatch) -> bool {
        match self {
            Self::Server(sink) => sink.submit(batch),
            Self::Nowhere(acks) => {
                acks.push_back((batch.partition, batch.id));
                true
            }
        }
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        match self {
            Self::Server(sink) => sink.acked(),
            Self::Nowhere(acks) => acks.pop_front(),
        }
    }
}
