//! Real cards: catalogues in the checkpoint, rows on their way to ClickHouse, and how the log learns what arrived.

use super::*;
use crate::codec::canonical;
use crate::limits::UNFLUSHED_S_MAX;
use crate::model::{
    Calendar, CardCommand, Carrier, Catalogue, CommandBody, CounterRules, CreditsPolicy, Feed, FeedRole,
    OffsetFrom, Plan, Register, RulesPolicy, SplitRule,
};

/// 2026-08-01 in days since 1970.
const AUGUST: i32 = 20_666;

fn catalogue(version: u32) -> Catalogue {
    let calendar = Calendar {
        offsets: vec![OffsetFrom { from: AUGUST - 400, offset_s: 0 }],
        cycle_starts: vec![AUGUST - 31, AUGUST, AUGUST + 31, AUGUST + 61],
    };
    Catalogue {
        version,
        deployment: "test".to_owned(),
        carriers: vec![Carrier {
            name: "north".to_owned(),
            settling_feed: Some("settle".to_owned()),
            split: SplitRule::Split,
            calendar,
            settling_days_first: 0,
            settling_days_last: 0,
        }],
        feeds: vec![Feed { name: "settle".to_owned(), role: FeedRole::Settling, stale_after_minutes: None }],
        plans: vec![Plan { name: "basic".to_owned(), rules: vec![], suspend_on_exhaustion: false }],
        default_rules: vec![],
        late_horizon_days: Catalogue::LATE_HORIZON_DAYS,
        own_channels: vec!["shop".to_owned()],
        counters: CounterRules::default(),
        rules_policy: RulesPolicy::Free,
        credits_policy: CreditsPolicy::All,
    }
}

pub(super) fn card(number: u64) -> CardId {
    CardId::parse(&format!("89860012345678{number:05}")).expect("an ICCID")
}

impl Kit {
    pub(super) fn records(&self, records: &[Record<'_>]) -> u64 {
        self.records_of(0, records)
    }

    fn records_of(&self, partition: u32, records: &[Record<'_>]) -> u64 {
        let mut pack = PackWriter::new();
        assert!(records.iter().all(|record| pack.push(record)));
        self.broker_mut().append(Topic::Log, partition, b"", Some(pack.finish()))
    }

    fn apply(&self, version: u32) -> u64 {
        self.records(&[Record::Catalogue { json: &canonical::to_vec(&catalogue(version)) }])
    }

    fn register(&self, card: CardId) -> u64 {
        self.register_in(0, card)
    }

    fn register_in(&self, partition: u32, card: CardId) -> u64 {
        let body = CommandBody::Register(Box::new(Register {
            channel: "shop".to_owned(),
            carrier: "north".to_owned(),
            plan: "basic".to_owned(),
            numbers: vec![],
            recipients: None,
            opening: None,
        }));
        let at = self.now.clock_ms / 1_000;
        let command = CardCommand { id: format!("r-{card}"), card, iccid: card.to_string(), at, body };
        let origin =
            Origin { source: "card.commands", partition: 0, offset: 0, received_ms: self.now.clock_ms };
        self.records_of(partition, &[Record::Command { card, json: &canonical::to_vec(&command), origin }])
    }

    /// 30 bytes on the 31st of July.
    fn usage(&self, card: CardId, id: &str) -> u64 {
        let Record::Cdr(cdr) = unknown_card(id) else { unreachable!("a CDR") };
        self.records(&[Record::Cdr(Cdr { card, feed: FeedName::new("settle"), ..cdr })])
    }

    fn view(&self, id: CardId) -> crate::meter::CardView {
        match self.worker.card(id) {
            CardAnswer::Known(answer) => answer.view,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn with_card(change: impl FnOnce(&mut Settings)) -> Kit {
    let mut first = settings(1);
    change(&mut first);
    let mut kit = Kit::with(first);
    kit.apply(1);
    kit.register(card(1));
    kit.settle();
    kit
}

fn fast(settings: &mut Settings) {
    // About what the registrations of this test are in work: each is told by two events.
    settings.pace = Pace { records: 5_000, seconds: 100_000, bytes_per_s: 1, ..Pace::default() };
}

#[test]
fn a_card_is_the_same_after_a_restart_as_before() {
    let mut kit = with_card(|_| ());
    kit.usage(card(1), "a");
    kit.usage(card(1), "b");
    kit.usage(card(1), "a");
    kit.settle();
    let before = kit.view(card(1));
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.view(card(1)), before);
}

#[test]
fn chunks_of_different_catalogues_are_restored_each_under_its_own() {
    let mut kit = with_card(fast);
    for number in 2..200 {
        if number == 60 || number == 120 {
            kit.apply(number as u32);
        }
        kit.register(card(number));
        kit.step(40);
    }
    kit.settle();
    let versions: Vec<u64> = [1, 60, 120].into_iter().filter(|v| kit.holds_catalogue(*v)).collect();
    assert_eq!(versions, [1, 60, 120]);
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
    assert_eq!((kit.status(0).catalogue_version, kit.status(0).cards.registered), (120, 199));
}

impl Kit {
    /// Whether compaction would leave a record of this catalogue.
    fn holds_catalogue(&self, version: u64) -> bool {
        let key = format!("catalogue/{version}").into_bytes();
        let broker = self.broker();
        let last = broker.messages(Topic::Checkpoint, 0).iter().rfind(|m| m.key == key);
        last.is_some_and(|m| m.value.is_some())
    }
}

#[test]
fn a_catalogue_that_no_chunk_needs_is_deleted() {
    let mut kit = with_card(fast);
    kit.apply(2);
    kit.ask(|reply| Request::Drain { reply });
    assert!(!kit.holds_catalogue(1) && kit.holds_catalogue(2));
    let kit = kit.restarted(|_| ());
    assert_eq!((kit.state(0), kit.status(0).catalogue_version), (StateName::Running, 2));
}

#[test]
fn a_restore_that_begins_late_still_meets_the_catalogue() {
    let mut kit = with_card(fast);
    kit.ask(|reply| Request::Drain { reply });
    kit.ask(|reply| Request::GoOn { reply });
    let place: u64 = kit.broker().offsets[&0].metadata.parse().expect("a place");
    let broker = kit.broker();
    let catalogue = broker.messages(Topic::Checkpoint, 0).iter().rposition(|m| m.key == b"catalogue/1");
    assert!(catalogue.expect("a catalogue") as u64 >= place && place > 0);
}

#[test]
fn what_clickhouse_has_lacked_for_forty_days_stops_the_partition_until_it_is_there() {
    let mut kit = with_card(|_| ());
    let rounds = |kit: &mut Kit| {
        for _ in 0..4 {
            kit.step(1_100);
            kit.settle();
        }
    };
    rounds(&mut kit);
    kit.worker.sink_mut().shut = true;
    kit.usage(card(1), "a");
    kit.settle();
    kit.step(UNFLUSHED_S_MAX * 1_000 - 60_000);
    rounds(&mut kit);
    assert_eq!((kit.state(0), kit.status(0).dirty_cards), (StateName::Running, 1));
    kit.step(120_000);
    rounds(&mut kit);
    let halted = kit.status(0).halted;
    assert!(halted.contains("ClickHouse lacks changes since 2026-08-01T00:00:"), "{halted}");
    kit.worker.sink_mut().shut = false;
    rounds(&mut kit);
    assert_eq!((kit.state(0), kit.status(0).dirty_cards), (StateName::Running, 0));
}

#[test]
fn rows_go_out_once_and_their_acknowledgement_into_the_log() {
    let mut kit = with_card(|_| ());
    let at = kit.usage(card(1), "a");
    for _ in 0..4 {
        kit.step(1_100);
        kit.settle();
    }
    let batch = kit.worker.sink_mut().taken.last().expect("a batch").clone();
    let month = batch.rows.rows.months.first().expect("a month");
    assert_eq!((month.card, month.used, batch.last_part), (card(1), 30, true));
    assert!(batch.through >= LogOffset(at) && batch.rows.version.as_u64() >= at);
    assert_eq!(kit.status(0).dirty_cards, 0);
    assert!(kit.status(0).flushed_through >= Some(LogOffset(at)));
    let batches = kit.worker.sink_mut().taken.len();
    let mut kit = kit.restarted(|_| ());
    kit.step(1_100);
    kit.settle();
    assert_eq!((kit.worker.sink_mut().taken.len(), kit.status(0).dirty_cards), (0, 0), "{batches} before");
}

#[test]
fn what_was_not_acknowledged_is_dirty_after_a_restart() {
    let mut kit = with_card(|_| ());
    kit.worker.sink_mut().shut = true;
    kit.usage(card(1), "a");
    kit.settle();
    let mut kit = kit.restarted(|_| ());
    kit.step(1_100);
    kit.settle();
    let taken = &kit.worker.sink_mut().taken;
    assert_eq!(taken.iter().map(|b| b.rows.rows.months.len()).sum::<usize>(), 1);
}

#[test]
fn a_busy_sink_holds_rows_up_and_nothing_else() {
    let mut kit = with_card(|_| ());
    kit.worker.sink_mut().shut = true;
    kit.settle();
    let sent = kit.worker.sink_mut().taken.len();
    for id in 0..50 {
        kit.usage(card(1), &format!("u{id}"));
        kit.step(100);
    }
    kit.settle();
    assert_eq!((kit.worker.sink_mut().taken.len(), kit.status(0).dirty_cards), (sent, 1));
    assert_eq!(kit.broker().committed(0), Some(kit.broker().messages(Topic::Log, 0).len() as u64));
    kit.worker.sink_mut().shut = false;
    kit.step(1_100);
    kit.settle();
    let last = kit.worker.sink_mut().taken.last().expect("a batch").clone();
    assert_eq!(last.rows.rows.months.iter().map(|m| m.used).max(), Some(50 * 30));
}

#[test]
fn with_a_supplied_clock_the_tick_bears_the_partitions_own_time() {
    let mut kit = with_card(|settings| settings.clock = Clock::Supplied);
    let log_time = kit.status(0).log_time;
    for _ in 0..3 {
        kit.step(5_000);
        kit.settle();
    }
    let ticks = kit.broker().calls.iter().filter(|c| *c == "tick 0").count();
    assert!(ticks >= 1, "what is flushed is said");
    assert_eq!((kit.status(0).log_time, kit.status(0).dirty_cards), (log_time, 0));
}

#[test]
fn events_are_counted_and_their_latency_taken_when_they_are_committed() {
    let mut kit = Kit::running(1);
    kit.apply(1);
    kit.register(card(1));
    kit.broker_mut().answers.push_back(Answer::Silence);
    let mut waiting = 0;
    for _ in 0..10 {
        waiting += kit.step(10).events.len();
    }
    assert_eq!(waiting, 0);
    kit.broker_mut().answers.clear();
    let report = kit.step(10);
    assert_eq!(report.events.get("card.registered"), Some(&1));
    assert_eq!(report.commits[0].latency_ms, [110]);
}

/// (fault, what it does to flushed_through after a change that the sink was never asked to take)
#[test]
fn planted_faults_of_the_rows_do_what_they_are_named_for() {
    let mut kit = with_card(|settings| settings.faults.flushed_through_ahead = true);
    kit.worker.sink_mut().shut = true;
    let at = kit.usage(card(1), "a");
    kit.settle();
    kit.step(1_100);
    kit.settle();
    let kit = kit.restarted(|settings| settings.faults = Faults::default());
    assert!(kit.status(0).flushed_through >= Some(LogOffset(at)), "a lie in the log");

    let mut kit = with_card(|settings| settings.faults.forget_dirty_on_restore = true);
    kit.worker.sink_mut().shut = true;
    kit.usage(card(1), "a");
    kit.settle();
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.status(0).dirty_cards, 0);
}

/// After a long outage all partitions have rows, and the sink room for some.
#[test]
fn rows_beyond_what_a_seal_may_hold_wait_and_are_the_first_in_the_next() {
    let mut narrow = settings(3);
    narrow.seal.rows = 1;
    let mut kit = Kit::with(narrow);
    kit.worker.sink_mut().shut = true;
    for partition in 0..3 {
        kit.records_of(partition, &[Record::Catalogue { json: &canonical::to_vec(&catalogue(1)) }]);
        let Record::Cdr(cdr) = unknown_card("a") else { unreachable!("a CDR") };
        let card = card(partition.into());
        kit.register_in(partition, card);
        kit.records_of(partition, &[Record::Cdr(Cdr { card, feed: FeedName::new("settle"), ..cdr })]);
    }
    kit.seconds(10);
    kit.worker.sink_mut().shut = false;
    let mut turns: Vec<Vec<u32>> = Vec::new();
    for _ in 0..40 {
        kit.step(50);
        let taken = std::mem::take(&mut kit.worker.sink_mut().taken);
        turns.extend((!taken.is_empty()).then(|| taken.iter().map(|batch| batch.partition).collect()));
    }
    assert_eq!(turns, [[0], [1], [2]]);
    assert_eq!((0..3).map(|partition| kit.status(partition).dirty_cards).sum::<usize>(), 0);
}
