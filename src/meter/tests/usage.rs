//! Counting (`docs/rules.md` C, R): outcomes, days, cycles.

use super::*;
use crate::model::Slice;

/// Used by day.
fn used(bench: &Bench) -> Vec<(Day, u64)> {
    bench.days().iter().map(|day| (day.day, day.used)).collect()
}

#[test]
fn a_cdr_counts_once_and_activates_its_card() {
    let mut bench = Bench::with_card();
    let record = Record::Cdr(cdr("a", NEW_YEAR + 10, 100, 1_000));
    bench.fold(NEW_YEAR + HOUR, &[record, record]);
    bench.fold(NEW_YEAR + DAY, &[record]);
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 1), (Outcome::Duplicate, 2)]);
    assert_eq!(bench.kinds(), ["card.activated"]);
    let view = bench.view();
    assert_eq!((view.used, view.settled, view.provisional), (1_100, 0, 1_100));
    assert_eq!((view.days[0].settling_up, view.days[0].settling_down), (100, 1_000));
    assert_eq!(view.iccid, format!("{}7", card(1)));
    assert!(bench.effects.quarantined.is_empty());
}

#[test]
fn each_way_to_be_wrong_has_its_outcome_and_changes_nothing() {
    let now = NEW_YEAR + 12 * DAY;
    let start = now - HOUR;
    let good = cdr("a", start, 1, 2);
    let slices = [Slice { end: start + 1, up: 1, down: 1 }];
    let mut packed = Vec::new();
    for (outcome, wrong) in [
        (Outcome::Conflict, Cdr { up: 2, ..good }),
        (Outcome::Conflict, Cdr { end: start + 61, ..good }),
        (Outcome::Late, cdr("late", NEW_YEAR + 4 * DAY - 1, 1, 1)),
        (Outcome::Flood, Cdr { end: now, ..cdr("long", now - 7 * DAY - 1, 1, 1) }),
        (Outcome::Rejected, cdr("future", now + 541, 1, 1)),
        (Outcome::Rejected, cdr("huge", start, (1 << 48) + 1, 1)),
        (Outcome::Rejected, Cdr { slices: Slices::pack(&slices, &mut packed), ..cdr("sum", start, 1, 2) }),
        (Outcome::Rejected, by("nobody", cdr("feed", start, 1, 1))),
        (Outcome::Unknown, Cdr { card: card(2), ..cdr("card", start, 1, 1) }),
        (Outcome::Unknown, Cdr { number: Some(imsi(9)), ..cdr("number", start, 1, 1) }),
    ] {
        let mut bench = Bench::with_card();
        bench.fold(now, &[Record::Cdr(good)]);
        let before = bench.view();
        bench.fold(now, &[Record::Cdr(wrong)]);
        assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 1), (outcome, 1)], "{wrong:?}");
        assert_eq!(bench.meter.ledger().bytes(Input::Cdr, outcome), wrong.up + wrong.down);
        let kept = &bench.effects.quarantined[..];
        assert_eq!(kept.len(), 1, "{wrong:?}");
        assert_eq!((kept[0].outcome, kept[0].source_offset), (outcome, 77));
        assert_eq!(CardView { as_of_offset: LogOffset(2), ..bench.view() }, before);
    }
}

#[test]
fn the_last_open_second_and_the_last_tolerated_one_count() {
    // Day 5 (the 4th of January) is open until the 13th, 00:00; an end 600 s ahead of log time is tolerated.
    let now = NEW_YEAR + 12 * DAY - 1;
    let mut bench = Bench::with_card();
    bench.fold(
        now,
        &[
            Record::Cdr(cdr("old", NEW_YEAR + 3 * DAY, 1, 0)),
            Record::Cdr(cdr("new", now + 540, 2, 0)),
            Record::Cdr(Cdr { end: now, ..cdr("long", now - 7 * DAY, 4, 0) }),
        ],
    );
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 3)]);
    assert_eq!(bench.view().used, 7);
}

#[test]
fn a_cdr_over_the_end_of_a_cycle_is_split_between_both() {
    let mut bench = Bench::with_card();
    let february = NEW_YEAR + 31 * DAY;
    // 40 s in January and 20 s in February: two thirds of 100 and of 10, floored.
    bench.fold(february + HOUR, &[Record::Cdr(cdr("a", february - 40, 100, 10))]);
    assert_eq!(used(&bench), [(FEBRUARY - 1, 66 + 6), (FEBRUARY, 34 + 4)]);
    let months: Vec<_> = bench.rows_since(0).0.iter().map(|row| (row.cycle, row.used)).collect();
    assert_eq!(months, [(JANUARY, 72), (FEBRUARY, 38)]);
    assert_eq!(bench.view().used, 38);
}

#[test]
fn a_carrier_may_date_by_start_or_by_end() {
    for (rule, days) in [(SplitRule::Start, [(JANUARY, 110)]), (SplitRule::End, [(JANUARY + 1, 110)])] {
        let mut bench = Bench::new();
        let rules = Catalogue { version: 2, carriers: vec![carrier("north", rule)], ..catalogue() };
        bench.catalogue(NEW_YEAR, &rules);
        bench.register(NEW_YEAR, card(1), &[]);
        bench.fold(NEW_YEAR + 2 * DAY, &[Record::Cdr(cdr("a", NEW_YEAR + DAY - 40, 100, 10))]);
        assert_eq!(used(&bench), days, "{rule:?}");
    }
}

#[test]
fn slices_are_dated_each_by_its_own_end() {
    let midnight = NEW_YEAR + DAY;
    let mut packed = Vec::new();
    let slices = [
        Slice { end: midnight - 20, up: 5, down: 0 },
        Slice { end: midnight + 20, up: 7, down: 1 },
        Slice { end: midnight + 20, up: 100, down: 0 },
    ];
    let record = Cdr {
        end: midnight + 20,
        slices: Slices::pack(&slices, &mut packed),
        ..cdr("a", midnight - 40, 112, 1)
    };
    let mut bench = Bench::with_card();
    bench.fold(midnight + HOUR, &[Record::Cdr(record), Record::Cdr(record)]);
    // The second slice lies half on either day: 3 + 4 up, 0 + 1 down; the third is a moment of the second day.
    assert_eq!(used(&bench), [(JANUARY, 5 + 3), (JANUARY + 1, 4 + 1 + 100)]);
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 1), (Outcome::Duplicate, 1)]);
}

#[test]
fn used_is_the_greatest_until_the_day_is_complete() {
    let mut bench = Bench::with_card();
    let start = NEW_YEAR + HOUR;
    bench.fold(
        NEW_YEAR + DAY + HOUR,
        &[
            Record::Cdr(cdr("a", start, 0, 700)),
            Record::Cdr(by("gw1", cdr("a", start, 0, 900))),
            Record::Cdr(by("gw2", cdr("a", start, 0, 800))),
        ],
    );
    assert_eq!((bench.view().used, bench.view().provisional), (900, 900));
    bench.complete(NEW_YEAR + DAY + 2 * HOUR, "settle", JANUARY);
    bench.tick(NEW_YEAR + DAY + 2 * HOUR + 1, None);
    let view = bench.view();
    assert_eq!((view.used, view.settled, view.provisional), (700, 700, 0));
    assert!(view.days[0].complete);
    assert_eq!(view.days[0].estimate_down, 900);
    // A late settling record still counts, in full.
    bench.fold(NEW_YEAR + 2 * DAY, &[Record::Cdr(cdr("b", start, 0, 50))]);
    assert_eq!((bench.view().used, bench.view().settled), (750, 750));
}

#[test]
fn a_third_estimating_feed_is_rejected() {
    let mut bench = Bench::with_card();
    let start = NEW_YEAR + HOUR;
    for feed in ["gw1", "gw2", "gw3", "gw2"] {
        let record = Cdr { end: start + i64::from(feed.as_bytes()[2]), ..cdr(feed, start, 1, 1) };
        bench.fold(NEW_YEAR + DAY, &[Record::Cdr(by(feed, record))]);
    }
    let outcomes = [(Outcome::Counted, 2), (Outcome::Duplicate, 1), (Outcome::Rejected, 1)];
    assert_eq!(bench.outcomes(Input::Cdr), outcomes);
}

#[test]
fn a_card_day_takes_1024_records_and_floods_after() {
    let mut bench = Bench::with_card();
    let ids: Vec<String> = (0..1_025).map(|n| n.to_string()).collect();
    let records: Vec<_> = ids.iter().map(|id| Record::Cdr(cdr(id, NEW_YEAR + HOUR, 0, 1))).collect();
    bench.fold(NEW_YEAR + DAY, &records);
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 1_024), (Outcome::Flood, 1)]);
    assert_eq!(bench.view().used, 1_024);
}

#[test]
fn a_number_counts_while_the_card_holds_it() {
    let mut bench = Bench::new();
    bench.register(NEW_YEAR, card(1), &[imsi(1)]);
    bench.register(NEW_YEAR + DAY, card(1), &[imsi(2)]);
    for (id, start, number) in [
        ("a", NEW_YEAR + DAY - 1, 1),
        ("b", NEW_YEAR + DAY, 1),
        ("c", NEW_YEAR + DAY - 1, 2),
        ("d", NEW_YEAR + DAY, 2),
    ] {
        let record = Cdr { number: Some(imsi(number)), ..cdr(id, start, 1, 0) };
        bench.fold(NEW_YEAR + 2 * DAY, &[Record::Cdr(record)]);
    }
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 2), (Outcome::Unknown, 2)]);
}

#[test]
fn readings_spread_over_their_interval() {
    let mut bench = Bench::with_card();
    let midnight = NEW_YEAR + DAY;
    bench.fold(
        midnight + 2 * HOUR,
        &[
            reading(midnight - HOUR, 1_000, 5_000),
            reading(midnight + 2 * HOUR, 1_300, 5_030),
            reading(midnight + 2 * HOUR, 1_300, 5_030),
            reading(midnight, 1_100, 5_010),
        ],
    );
    // One hour of three lies before midnight.
    assert_eq!(used(&bench), [(JANUARY, 100 + 10), (JANUARY + 1, 200 + 20)]);
    assert_eq!(bench.days()[1].modem_up, 200);
    let outcomes = [(Outcome::Counted, 2), (Outcome::Duplicate, 1), (Outcome::Late, 1)];
    assert_eq!(bench.outcomes(Input::Reading), outcomes);
    assert_eq!(bench.meter.ledger().bytes(Input::Reading, Outcome::Counted), 330);
}

#[test]
fn a_reading_after_a_long_silence_falls_on_open_days_only() {
    let mut bench = Bench::with_card();
    bench.fold(NEW_YEAR + HOUR, &[reading(NEW_YEAR, 0, 0)]);
    // On the 20th, 00:00, the 12th is the first open day: eight days of equal shares.
    bench.fold(NEW_YEAR + 19 * DAY, &[reading(NEW_YEAR + 19 * DAY, 0, 800)]);
    let expected: Vec<_> = (11..19).map(|day| (JANUARY + day, 100)).collect();
    assert_eq!(used(&bench), expected);
}

#[test]
fn a_modem_and_its_carrier_are_not_added() {
    let mut bench = Bench::with_card();
    bench.fold(
        NEW_YEAR + HOUR,
        &[reading(NEW_YEAR, 0, 0), reading(NEW_YEAR + HOUR, 0, 800), Record::Cdr(cdr("a", NEW_YEAR, 0, 500))],
    );
    assert_eq!(bench.view().used, 800);
    bench.fold(NEW_YEAR + 2 * HOUR, &[Record::Cdr(cdr("b", NEW_YEAR + 1, 0, 400))]);
    assert_eq!(bench.view().used, 900);
}

#[test]
fn the_cycles_of_a_card_hold_2_60_bytes_of_all_sources_and_no_more() {
    let mut bench = Bench::with_card();
    let now = NEW_YEAR + 2 * DAY;
    bench.fold(now, &[reading(now - 1, 0, 0), reading(now, 0, 1)]);
    // 2^49 a record, 1,024 records a day, two days: 2^60, but for the byte of the modem.
    let ids: Vec<String> = (0..1_024).map(|n| n.to_string()).collect();
    for day in [NEW_YEAR, NEW_YEAR + DAY] {
        let most = |id| Record::Cdr(cdr(id, day, 1 << 48, 1 << 48));
        let records: Vec<_> = ids.iter().skip(usize::from(day > NEW_YEAR)).map(|id| most(id)).collect();
        bench.fold(now, &records);
    }
    let more = cdr("0", NEW_YEAR + DAY, 1 << 48, 1 << 48);
    bench.fold(now, &[Record::Cdr(more), Record::Cdr(Cdr { up: more.up - 1, ..more })]);
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 2_048), (Outcome::Rejected, 1)]);
    bench.fold(now, &[Record::Cdr(cdr("1 more", NEW_YEAR + DAY, 1, 0)), reading(now + 1, 0, 2)]);
    assert_eq!(bench.outcomes(Input::Cdr), [(Outcome::Counted, 2_048), (Outcome::Rejected, 2)]);
    assert_eq!(bench.outcomes(Input::Reading), [(Outcome::Counted, 2), (Outcome::Rejected, 1)]);
}

#[test]
fn a_record_has_64_slices_at_most() {
    let slices: Vec<Slice> = (1..=65).map(|n| Slice { end: NEW_YEAR + n, up: 1, down: 0 }).collect();
    for (count, outcome) in [(64, Outcome::Counted), (65, Outcome::Rejected)] {
        let mut bench = Bench::with_card();
        let mut packed = Vec::new();
        let slices = Slices::pack(&slices[..count], &mut packed);
        bench.fold(NEW_YEAR + DAY, &[Record::Cdr(Cdr { slices, ..cdr("a", NEW_YEAR, count as u64, 0) })]);
        assert_eq!(bench.outcomes(Input::Cdr), [(outcome, 1)], "{count}");
    }
}
