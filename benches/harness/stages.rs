//! The four stages.

use std::time::Duration;

use hashbrown::HashMap;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tidegauge::codec::json::{Scratch, cdr};
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::ingest::{Clock, Ingest, IngestOutcome, Options as IngestOptions, PlainDirectory, Source};
use tidegauge::log::kafka::{KafkaIngestLog, KafkaReader, KafkaWorkerLog};
use tidegauge::log::{LogError, PollBudget, Topic};
use tidegauge::model::{CardId, CardName, Cdr, FeedName, Input, Origin, Record, Slices, partition_of};
use tidegauge::rollup::{RowBatch, RowSink};
use tidegauge::shell::Clocks;
use tidegauge::worker::{New, Settings, StateName, Worker};

use crate::broker::{PARTITIONS, client};
use crate::load::DEPLOYMENT;
use crate::stage::{Options, Took, Watch};

/// As the product has it.
const BUDGET: PollBudget = PollBudget { messages: 2_000, bytes: 4 << 20, wait_ms: 50 };

pub(crate) fn ingest(options: &Options) -> anyhow::Result<Took> {
    let log = KafkaIngestLog::open(client(&options.brokers, &options.prefix, "harness-ingest", "i"))?;
    let mut set = IngestOptions::new(DEPLOYMENT, Clock::Log);
    set.wait_ms = 5;
    let mut ingest = Ingest::new(log, PlainDirectory::default(), set);
    let clocks = Clocks::start();
    let mut watch = None;
    loop {
        let report = match ingest.step(clocks.steady_ms()) {
            Err(LogError::Retriable(_)) => continue,
            report => report?,
        };
        if report.directory_ready && watch.is_none() {
            watch = Some(Watch::start());
        }
        let logged = ingest.ledger().records(Source::Cdr, IngestOutcome::Logged)
            + ingest.ledger().records(Source::Commands, IngestOutcome::Logged);
        if let Some(watch) = &watch
            && logged >= options.goal
            && report.idle
        {
            return Ok(watch.took(logged));
        }
    }
}

pub(crate) fn ingest_floor(options: &Options) -> anyhow::Result<Took> {
    let mut reader =
        KafkaReader::open(client(&options.brokers, &options.prefix, "floor-ingest", "f"), &[Topic::Cdr])?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .create()?;
    // A topic that nobody reads here.
    let topic = format!("{}{}", options.prefix, Topic::DeadLetter.name());
    let (mut packs, mut scratch): (Vec<PackWriter>, _) =
        ((0..PARTITIONS).map(|_| PackWriter::new()).collect(), Scratch::default());
    let watch = Watch::start();
    let mut records = 0;
    while records < options.goal {
        reader.poll(BUDGET, &mut |message| {
            let read = cdr(message.value.unwrap_or_default(), &mut scratch).expect("the harness wrote it");
            let CardName::Iccid(card) = read.card else { unreachable!("the harness names cards") };
            let partition = partition_of(card, PARTITIONS);
            let origin = Origin {
                source: "usage.cdr",
                partition: message.partition,
                offset: message.offset.0,
                received_ms: message.time_ms,
            };
            let record = Record::Cdr(Cdr {
                card,
                feed: FeedName::new(&read.feed),
                id: &read.id,
                start: read.start,
                end: read.end,
                up: read.up,
                down: read.down,
                slices: Slices::default(),
                number: None,
                origin,
            });
            let pack = &mut packs[partition as usize];
            if !pack.push(&record) {
                send(&producer, &topic, partition, &pack.finish());
                assert!(pack.push(&record), "an empty pack takes a record");
            }
            records += 1;
        })?;
        for (partition, pack) in packs.iter_mut().enumerate().filter(|(_, pack)| !pack.is_empty()) {
            send(&producer, &topic, partition as u32, &pack.finish());
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_mins(1))?;
    Ok(watch.took(records))
}

fn send(producer: &BaseProducer, topic: &str, partition: u32, pack: &[u8]) {
    while producer.send(BaseRecord::<(), [u8]>::to(topic).payload(pack).partition(partition as i32)).is_err()
    {
        producer.poll(Duration::from_millis(1));
    }
}

/// ClickHouse is not what is measured.
struct Nowhere(std::collections::VecDeque<(u32, u64)>);

impl RowSink for Nowhere {
    fn submit(&mut self, batch: RowBatch) -> bool {
        self.0.push_back((batch.partition, batch.id));
        true
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        self.0.pop_front()
    }
}

pub(crate) fn meter(options: &Options) -> anyhow::Result<Took> {
    let log = KafkaWorkerLog::open(client(&options.brokers, &options.prefix, "harness", "w"))?;
    let mut settings = Settings::new(DEPLOYMENT, "w", PARTITIONS);
    settings.new = New::Allowed;
    let mut worker = Worker::new(log, Nowhere(std::collections::VecDeque::new()), settings);
    let clocks = Clocks::start();
    let (mut watch, mut records) = (None, 0);
    loop {
        let report = worker.step(clocks.now(), 50, &mut ())?;
        if watch.is_none() {
            // Each is read as soon as it is restored: the others' restores, of nothing, are in the figure.
            let running = worker.status(clocks.now()).iter().any(|s| s.state == StateName::Running);
            watch = running.then(Watch::start);
        }
        records += Input::ALL.into_iter().map(|input| report.ledger.folded(input)).sum::<u64>();
        if let Some(watch) = &watch
            && records >= options.goal
        {
            return Ok(watch.took(records));
        }
    }
}

pub(crate) fn meter_floor(options: &Options) -> anyhow::Result<Took> {
    let mut reader =
        KafkaReader::open(client(&options.brokers, &options.prefix, "floor-meter", "f"), &[Topic::Log])?;
    let mut totals: HashMap<CardId, u64> = HashMap::new();
    let watch = Watch::start();
    let mut records = 0;
    while records < options.goal {
        reader.poll(PollBudget { messages: 256, ..BUDGET }, &mut |message| {
            let pack = Pack::read(message.value.unwrap_or_default()).expect("ingest wrote it");
            for record in pack.records() {
                if let Ok(Record::Cdr(cdr)) = record {
                    *totals.entry(cdr.card).or_default() += cdr.up + cdr.down;
                    records += 1;
                }
            }
        })?;
    }
    Ok(watch.took(records))
}
