//! What time brings (`docs/rules.md` C6, T): days and cycles close, flushed ones go.

use super::*;

fn closed(bench: &Bench) -> Vec<(UnixTime, EventBody)> {
    let events = bench.effects.events.iter().filter(|event| event.body.kind() == "cycle.closed");
    events.map(|event| (event.at, event.body.clone())).collect()
}

#[test]
fn a_cycle_closes_with_its_last_open_day() {
    let mut bench = Bench::with_card();
    bench.fold(
        NEW_YEAR + 2 * DAY,
        &[
            Record::Cdr(cdr("a", NEW_YEAR + HOUR, 0, 700)),
            Record::Cdr(by("gw1", cdr("a", NEW_YEAR + HOUR, 0, 900))),
            Record::Cdr(cdr("b", NEW_YEAR + DAY + HOUR, 0, 30)),
        ],
    );
    bench.complete(NEW_YEAR + 2 * DAY, "settle", JANUARY);
    // January ends on the 1st of February, and takes records until the 9th.
    let due = NEW_YEAR + 39 * DAY;
    bench.tick(due - 1, None);
    assert!(closed(&bench).is_empty());
    bench.tick(due + 5, None);
    let body = EventBody::CycleClosed {
        cycle: JANUARY,
        used: 730,
        settled: 700,
        estimate: 900,
        overage: 730,
        unsettled_days: 1,
        revision: 0,
    };
    assert_eq!(closed(&bench), [(due, body)]);
    let days: Vec<_> =
        bench.days().iter().map(|day| (day.used, day.closed, day.complete, day.unsettled)).collect();
    assert_eq!(days, [(700, true, true, false), (30, true, false, true)]);
}

#[test]
fn a_declaration_after_the_close_changes_nothing() {
    let mut bench = Bench::with_card();
    bench.fold(
        NEW_YEAR + DAY,
        &[
            Record::Cdr(cdr("a", NEW_YEAR + HOUR, 0, 700)),
            Record::Cdr(by("gw1", cdr("a", NEW_YEAR + HOUR, 0, 900))),
        ],
    );
    bench.tick(NEW_YEAR + 9 * DAY, None);
    bench.complete(NEW_YEAR + 9 * DAY + 1, "settle", JANUARY);
    bench.tick(NEW_YEAR + 9 * DAY + 2, None);
    let day = &bench.days()[0];
    assert_eq!((day.used, day.complete, day.unsettled), (900, false, true));
}

#[test]
fn a_declaration_in_time_counts_though_the_card_is_touched_late() {
    // 300 cards of one shard: a second's sweep and timers reach 256.
    let shard = crate::model::shard_of(card(1));
    let cards: Vec<CardId> = (0..100_000u32)
        .map(|n| CardId::parse(&format!("89860099999999{n:05}")).unwrap())
        .filter(|card| crate::model::shard_of(*card) == shard)
        .take(300)
        .collect();
    let mut bench = Bench::new();
    for card in &cards {
        bench.register(NEW_YEAR, *card, &[]);
    }
    for card in &cards {
        let record = Cdr { card: *card, ..cdr("a", NEW_YEAR + HOUR, 0, 700) };
        let estimate = Cdr { card: *card, ..by("gw1", cdr("a", NEW_YEAR + HOUR, 0, 900)) };
        bench.fold(NEW_YEAR + 2 * HOUR, &[Record::Cdr(record), Record::Cdr(estimate)]);
    }
    // Declared in the last open second; the day is due to close in the next, for all cards at once.
    bench.complete(NEW_YEAR + 9 * DAY - 1, "settle", JANUARY);
    for second in 0..3 {
        bench.tick(NEW_YEAR + 9 * DAY + second, None);
    }
    for card in &cards {
        let mut rows = Rows::default();
        bench.meter.rows(&[*card], LogOffset(0), &mut rows);
        let day = &rows.days[0];
        assert_eq!((day.used, day.complete, day.closed), (700, true, true), "{card}");
    }
}

#[test]
fn closed_days_stay_until_a_tick_shows_them_flushed() {
    let mut bench = Bench::with_card();
    bench.fold(NEW_YEAR + DAY, &[Record::Cdr(cdr("a", NEW_YEAR + HOUR, 0, 7))]);
    bench.fold(NEW_YEAR + 2 * DAY, &[Record::Cdr(cdr("b", NEW_YEAR + DAY + HOUR, 0, 9))]);
    bench.tick(NEW_YEAR + 9 * DAY, None);
    let closed_at = bench.view().changed_at;
    bench.tick(NEW_YEAR + 9 * DAY + 1, Some(closed_at.0 - 1));
    // The next close looks again: the first day was not flushed yet.
    bench.tick(NEW_YEAR + 10 * DAY, None);
    assert_eq!(bench.days().len(), 2);
    let closed_at = bench.view().changed_at;
    bench.tick(NEW_YEAR + 10 * DAY + 1, Some(closed_at.0));
    bench.complete(NEW_YEAR + 10 * DAY + 2, "settle", JANUARY + 5);
    bench.tick(NEW_YEAR + 10 * DAY + 3, None);
    assert_eq!(bench.days(), []);
    assert_eq!(bench.view().used, 16);
}

#[test]
fn rows_are_those_that_changed() {
    let mut bench = Bench::with_card();
    bench.fold(NEW_YEAR + DAY, &[Record::Cdr(cdr("a", NEW_YEAR + HOUR, 0, 7))]);
    let first = bench.view().changed_at;
    bench.fold(NEW_YEAR + 2 * DAY, &[Record::Cdr(cdr("b", NEW_YEAR + DAY + HOUR, 0, 9))]);
    let (months, days) = bench.rows_since(first.0);
    assert_eq!(months.iter().map(|row| row.used).collect::<Vec<_>>(), [16]);
    assert_eq!(days.iter().map(|row| (row.day, row.used)).collect::<Vec<_>>(), [(JANUARY + 1, 9)]);
    assert_eq!(bench.rows_since(first.0 + 1), (vec![], vec![]));
    assert_eq!(bench.meter.dirty_after(first), [card(1)]);
    assert_eq!(bench.meter.dirty_after(LogOffset(first.0 + 1)), []);
}

#[test]
fn a_card_is_dirty_once_between_two_flushes() {
    let mut bench = Bench::with_card();
    for (id, offset_since, dirty) in [("a", 1, 1), ("b", 1, 1), ("c", 3, 2), ("d", 3, 2)] {
        bench.effects.dirty_since = LogOffset(offset_since);
        bench.fold(NEW_YEAR + DAY, &[Record::Cdr(cdr(id, NEW_YEAR + HOUR, 0, 1))]);
        assert_eq!(bench.effects.dirty.len(), dirty, "{id}");
    }
}

#[test]
fn a_query_shows_what_is_due_though_it_has_not_fired() {
    let mut bench = Bench::with_card();
    bench.fold(NEW_YEAR + DAY, &[Record::Cdr(cdr("a", NEW_YEAR + HOUR, 0, 7))]);
    // One message carries time over the close; its records see the card after what was due.
    bench.fold(NEW_YEAR + 9 * DAY, &[Record::Cdr(cdr("late", NEW_YEAR + HOUR, 0, 7))]);
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 1), (Outcome::Late, 1)]);
    assert!(bench.view().days[0].closed);
}
