//! Topics → tables through a real log and a real ClickHouse: what is read again changes nothing.

use std::sync::Arc;

use tidegauge::codec::event;
use tidegauge::codec::pack::PackWriter;
use tidegauge::codec::quarantine::{Entry, output as quarantined};
use tidegauge::log::file::{FileReader, Store};
use tidegauge::log::{IngestPolled, LogError, Message, Output, PollBudget, Topic, TopicPartition};
use tidegauge::model::{
    Cdr, Event, EventBody, FeedName, LogOffset, Mode, Origin, Outcome, PackageData, PackageKind, Payment,
    Position, Record, Slices,
};
use tidegauge::rollup::history::{ALL_TOPICS, History, HistoryOptions, HistorySource};
use tidegauge::rollup::rows::{Activation, Alert, Lifecycle, Quarantine, UsageRecord};
use tidegauge::rollup::{Client, Writer};

use crate::place::{Place, skipped};
use crate::sample::{alert, card};

const AT: i64 = 1_785_547_815;
const ORIGIN: Origin<'_> = Origin { source: "usage.cdr", partition: 2, offset: 41, received_ms: 5 };

fn event(card_no: u64, id: &str, at: i64, body: EventBody) -> Output {
    let (card, iccid) = (card(card_no), card(card_no).to_string());
    let event = Event { card, iccid, id: id.to_owned(), at, log_time: at, cause: None, body };
    event::output(&event, "test", None)
}

fn queued() -> EventBody {
    let reference = "p-9".to_owned();
    EventBody::PackageQueued(PackageData {
        order: "o-1".to_owned(),
        payment: Payment { provider: "wechat".to_owned(), reference, paid_at: AT },
        kind: PackageKind::Base,
        mode: Mode::Renewal,
        quota: None,
        burnt: 0,
        effective_at: None,
        expires_at: Some(AT + 9),
        cycle: None,
    })
}

fn refused(reason: &str) -> EventBody {
    EventBody::CommandRefused { command: "c-1".to_owned(), reason: reason.to_owned() }
}

fn cdr(card_no: u64, id: &str) -> Cdr<'_> {
    Cdr {
        card: card(card_no),
        feed: FeedName::new("pgw"),
        id,
        start: AT,
        end: AT + 60,
        up: 1,
        down: 2,
        slices: Slices::default(),
        number: None,
        origin: ORIGIN,
    }
}

/// Two alerts, a package, a command answered twice under one id (the second time a month later), a late record that
/// came twice, a dead letter that is no text, and a pack with a repeat.
fn outputs() -> Vec<Output> {
    let position = Position { partition: 0, offset: LogOffset(7), index: 0 };
    let late = Entry::of(Record::Cdr(cdr(1, "late")), Outcome::Late, "its day is closed", position);
    let late = late.expect("somebody sent it");
    let dead = Entry::unreadable(b"\xff\x00", "no JSON", ORIGIN);
    let mut pack = PackWriter::new();
    for id in ["a", "b", "a"] {
        assert!(pack.push(&Record::Cdr(cdr(2, id))));
    }
    let log = Output {
        topic: Topic::Log,
        partition: Some(1),
        key: Vec::new(),
        value: Some(pack.finish()),
        headers: Vec::new(),
        time_ms: None,
    };
    vec![
        event(1, "1/burnt-50/1", AT, EventBody::AlertFired(alert("burnt-50"))),
        event(1, "1/burnt-80/1", AT, EventBody::AlertFired(alert("burnt-80"))),
        event(1, "1/o-1/queued", AT, queued()),
        event(1, "1/c-1", AT, refused("first")),
        event(1, "1/c-1", AT + 40 * 86_400, refused("again")),
        quarantined(&late, None),
        quarantined(&late, None),
        quarantined(&dead, None),
        log,
    ]
}

/// A reader whose commits are lost, as by a crash right before them.
struct Forgetful(FileReader);

impl HistorySource for Forgetful {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        HistorySource::poll(&mut self.0, budget, each)
    }

    fn commit(&mut self, _: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        Ok(())
    }
}

/// Keeps the history until it has taken at least so many messages; how many it took. Its first three sources are of no
/// use: one that cannot be opened, one that breaks for good, one that panics.
async fn keep(source: impl HistorySource + Send + 'static, client: &Client, messages: u64) -> u64 {
    let runtime = tokio::runtime::Handle::current();
    let mut sources = [Opened::Broken, Opened::Panicking, Opened::Good(source)].into_iter();
    let mut first = true;
    let open = move || {
        if std::mem::take(&mut first) {
            return Err(LogError::Retriable("not yet".to_owned()));
        }
        sources.next().ok_or_else(|| LogError::Fatal("a good source was opened again".to_owned()))
    };
    let history = History::start(HistoryOptions { open, writer: Writer::new(client.clone()), runtime });
    let history = history.expect("a thread");
    let all = async {
        while history.messages() < messages {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let taken = tokio::time::timeout(std::time::Duration::from_mins(1), all).await;
    assert!(taken.is_ok(), "of {messages} messages the history has taken {}", history.messages());
    let taken = history.messages();
    tokio::task::block_in_place(|| history.stop()).expect("it had not ended");
    taken
}

async fn all<R: clickhouse::RowOwned + clickhouse::RowRead>(client: &Client, table: &str) -> Vec<R> {
    client.rows(&format!("SELECT * FROM {table}_now ORDER BY ALL")).await.expect("the view answers")
}

/// A source as it was opened.
enum Opened<S> {
    /// Its group has dropped it.
    Broken,
    Panicking,
    Good(S),
}

impl<S: HistorySource> HistorySource for Opened<S> {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        match self {
            Self::Broken => Err(LogError::Fenced("another member runs under this name".to_owned())),
            Self::Panicking => panic!("planted"),
            Self::Good(source) => source.poll(budget, each),
        }
    }

    fn commit(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        match self {
            Self::Broken | Self::Panicking => unreachable!("it has handed nothing over"),
            Self::Good(source) => source.commit(next),
        }
    }
}

/// Everything that the views show, in a form to compare.
async fn shown(client: &Client) -> String {
    let alerts = all::<Alert>(client, "alerts").await;
    let activations = all::<Activation>(client, "activations").await;
    let lifecycle = all::<Lifecycle>(client, "lifecycle").await;
    let quarantine = all::<Quarantine>(client, "quarantine").await;
    let usage = all::<UsageRecord>(client, "usage_records").await;
    assert_eq!(alerts.iter().map(|row| &*row.rule).collect::<Vec<_>>(), ["burnt-50", "burnt-80"]);
    assert_eq!(
        activations.iter().map(|row| (&*row.order_id, row.quota)).collect::<Vec<_>>(),
        [("o-1", None)]
    );
    assert_eq!(lifecycle.iter().map(|row| &*row.reason).collect::<Vec<_>>(), ["again"], "a row an id");
    let records: Vec<_> = quarantine.iter().map(|row| (&*row.outcome, row.record.0.len())).collect();
    assert_eq!(records[0], ("rejected", 2));
    assert_eq!((records[1].0, records.len()), ("late", 2), "a record that came twice is shown once");
    let places: Vec<_> = usage.iter().map(|row| (&*row.id, row.log_index)).collect();
    assert_eq!(places, [("a", 0), ("b", 1)]);
    format!("{alerts:?}{activations:?}{lifecycle:?}{quarantine:?}{usage:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_again_after_a_crash_changes_nothing() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.migrated().await;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), 2, Arc::new(|| AT * 1_000)).unwrap();
    store.append(outputs(), &[]).unwrap();
    let messages = outputs().len() as u64;
    let reader = || FileReader::new(Arc::clone(&store), "history", &ALL_TOPICS).unwrap();

    assert_eq!(keep(Forgetful(reader()), &client, messages).await, messages);
    let first = shown(&client).await;
    assert_eq!(keep(reader(), &client, messages).await, messages);
    assert_eq!(shown(&client).await, first);

    // This time the offsets were committed: only what is new is read.
    store.append(vec![event(9, "9/c", AT, refused("new"))], &[]).unwrap();
    assert_eq!(keep(reader(), &client, 1).await, 1);
}
