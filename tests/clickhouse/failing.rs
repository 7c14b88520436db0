//! Inserts that fail in every way a server, a proxy or a wire has: none loses its rows, each is told by its code.

use std::time::Duration;

use tidegauge::meter::Rows;
use tidegauge::model::LogOffset;
use tidegauge::rollup::rows::CardDay;
use tidegauge::rollup::{
    Client, Flusher, RowBatch, RowSink as _, Server, Timeouts, Verdict, VersionedRows, Writer,
};

use crate::sample::{AUGUST, day, version};
use crate::scripted::{Answer, Scripted};

/// Short, so that a server that never answers costs little.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    send: Duration::from_secs(5),
    answer: Duration::from_millis(300),
};

fn client(url: &str) -> Client {
    let text = |text: &str| text.to_owned();
    let server = Server { url: text(url), database: text("d"), user: text("default"), password: text("") };
    Client::new(&server, TIMEOUTS)
}

fn rows() -> Vec<CardDay> {
    (0..100).map(|n| CardDay::new(day(n, AUGUST, n), version(1))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_code_and_verdict() {
    let cases = [
        (Answer::Exception(500, 159), "159", Verdict::Retry),
        (Answer::Exception(500, 241), "241", Verdict::Retry),
        (Answer::Exception(500, 252), "252", Verdict::Retry),
        (Answer::Exception(500, 319), "319", Verdict::Retry),
        (Answer::Exception(404, 60), "60", Verdict::Keep),
        (Answer::Exception(403, 497), "497", Verdict::Keep),
        (Answer::Exception(500, 243), "243", Verdict::Keep),
        (Answer::Page(502), "http_502", Verdict::Retry),
        (Answer::Page(503), "http_503", Verdict::Retry),
        (Answer::Page(404), "http_404", Verdict::Keep),
        (Answer::CutError(241), "241", Verdict::Retry),
        (Answer::CutSuccess, "network", Verdict::Retry),
        (Answer::Silence, "network", Verdict::Retry),
        (Answer::CutBody, "network", Verdict::Retry),
        (Answer::Never, "timeout", Verdict::Retry),
    ];
    for (answer, code, verdict) in cases {
        let server = Scripted::start(&[answer]).await;
        let failure = client(&server.url).insert(&rows()).await.unwrap_err();
        assert_eq!((&*failure.code, failure.verdict), (code, verdict), "{answer:?}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_a_matter_of_time() {
    let failure = client("http://127.0.0.1:9").insert(&rows()).await.unwrap_err();
    assert_eq!((&*failure.code, failure.verdict), ("network", Verdict::Retry));
    assert!(failure.text.contains("refused"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rows_are_sent_until_they_are_taken() {
    let script = [
        Answer::Exception(500, 241),
        Answer::Silence,
        Answer::Exception(404, 60),
        Answer::CutBody,
        Answer::Never,
        Answer::Page(502),
    ];
    let server = Scripted::start(&script).await;
    let writer = Writer::new(client(&server.url)).with_keep_retry(Duration::from_millis(10));
    writer.write(&rows()).await;
    let (stats, bodies) = (writer.stats(), server.bodies());
    assert_eq!((stats.errors(), stats.inserts(), stats.rows(), server.left()), (6, 1, 100, 0));
    assert_eq!(bodies.len(), 6, "all but the one cut off came whole");
    assert!(bodies.iter().all(|body| *body == bodies[0]) && !bodies[0].is_empty());
    assert!(stats.failing().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_somebody_is_shown_until_it_is_mended() {
    let server = Scripted::start(&[Answer::Exception(404, 60)]).await;
    let writer = Writer::new(client(&server.url)).with_keep_retry(Duration::from_hours(1));
    let stats = writer.stats();
    let writing = tokio::spawn(async move { writer.write(&rows()).await });
    while stats.errors() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let failing = stats.failing();
    assert_eq!((failing.len(), failing[0].0, &*failing[0].1.code), (1, "card_day", "60"));
    assert!(failing[0].1.to_string().contains("tidegauge migrate"));
    assert!(!writing.is_finished(), "the rows are kept");
    writing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_acknowledged_only_when_its_rows_are_there() {
    let server = Scripted::start(&[Answer::Exception(404, 60)]).await;
    let writer = Writer::new(client(&server.url)).with_keep_retry(Duration::from_millis(50));
    let flusher = Flusher::start(writer, &tokio::runtime::Handle::current());
    let mut sink = flusher.sink();
    let rows = Rows { months: Vec::new(), days: vec![day(1, AUGUST, 1)] };
    let rows = VersionedRows { version: version(1), rows };
    assert!(sink.submit(RowBatch { partition: 5, through: LogOffset(1), last_part: true, rows, id: 7 }));
    let acked = loop {
        match sink.acked() {
            Some(acked) => break acked,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    assert_eq!((acked, flusher.stats().inserts(), flusher.stats().errors()), ((5, 7), 1, 1));
}
