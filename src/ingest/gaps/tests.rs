//! Gaps: tables by hand, and a property against plain sets that share nothing with the series.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::limits::GAPS_PER_SERIES_MAX;

const MIN: i64 = 60_000;
const NODE: &str = "pgw-1";
/// Behind all that is numbered here, whose number is its time: none is from the future.
const START_MS: i64 = (1 << 33) * 1_000;

fn watch() -> Watch {
    Watch { pace: Pace { after_ms: 10 * MIN, window: 1_000_000 }, ..Watch::default() }
}

struct Run {
    gaps: Gaps,
    now_ms: i64,
}

impl Run {
    fn new(watch: Watch) -> Self {
        Self { gaps: Gaps::new([("f".to_owned(), watch)]), now_ms: START_MS }
    }

    /// Numbers of records, each made when its number says.
    fn see(&mut self, numbers: impl IntoIterator<Item = u64>) -> &mut Self {
        for number in numbers {
            let at = i64::try_from(number).ok();
            self.gaps.number("f", Seen { kind: Kind::Records, node: NODE, number, at }, self.now_ms);
        }
        self
    }

    fn files(&mut self, numbers: impl IntoIterator<Item = u64>) -> &mut Self {
        for number in numbers {
            self.gaps.number("f", Seen { kind: Kind::Files, node: "", number, at: None }, self.now_ms);
        }
        self
    }

    fn wait(&mut self, minutes: i64) -> &mut Self {
        self.now_ms += minutes * MIN;
        self.gaps.tick(self.now_ms);
        self
    }

    /// What was told, as `+first-last` and `-first-last reason`.
    fn told(&mut self) -> Vec<String> {
        let text = |told: Told| match told.change {
            Change::Opened => format!("+{}-{}", told.first, told.last),
            Change::Closed(reason) => format!("-{}-{} {}", told.first, told.last, reason.name()),
        };
        self.gaps.take().into_iter().map(text).collect()
    }
}

#[test]
fn a_number_that_comes_late_within_the_while_is_no_gap() {
    let mut run = Run::new(watch());
    run.see([10, 11, 13]).wait(9);
    assert_eq!(run.told(), [""; 0]);
    run.see([12, 14]).wait(60);
    assert_eq!(run.told(), [""; 0]);
}

#[test]
fn a_gap_is_opened_once_and_closed_once_it_is_filled() {
    let mut run = Run::new(watch());
    run.see([10, 14]).wait(10).wait(60).see([14, 10, 15]);
    assert_eq!(run.told(), ["+11-13"]);
    run.see([12, 11]);
    assert_eq!(run.told(), [""; 0], "13 is missing still");
    run.see([13, 13]).wait(60);
    assert_eq!(run.told(), ["-11-13 filled"]);
}

#[test]
fn numbers_that_went_on_by_the_window_open_a_gap_before_its_time() {
    let pace = Pace { after_ms: 10 * MIN, window: 100 };
    let mut run = Run::new(Watch { pace, ..watch() });
    run.see([1, 3]).see(4..=101);
    assert_eq!(run.told(), [""; 0]);
    run.see([102]);
    assert_eq!(run.told(), ["+2-2"]);
}

#[test]
fn numbers_wrap_and_a_gap_may_lie_over_the_edge() {
    let files = Numbers { first: 1, last: 9_999 };
    let mut run = Run::new(Watch { files, ..watch() });
    run.files([9_997, 9_998, 9_999, 1, 2]).wait(60);
    assert_eq!(run.told(), [""; 0]);
    let mut run = Run::new(Watch { files, ..watch() });
    run.files([9_997, 3]).wait(10).files([9_999, 2, 1]);
    assert_eq!(run.told(), ["+9998-2"]);
    run.files([9_998]);
    assert_eq!(run.told(), ["-9998-2 filled"]);
}

#[test]
fn the_same_numbers_of_a_later_lap_are_another_gap() {
    let files = Numbers { first: 0, last: 9 };
    let mut run = Run::new(Watch { files, ..watch() });
    run.files([0, 2]).wait(10);
    let first = run.gaps.take();
    run.files([3, 4, 5, 6, 7, 8, 9, 0]);
    run.files([2]).wait(10);
    let second = run.gaps.take();
    assert_eq!((first[0].first, second[0].first), (1, 1));
    assert_ne!(first[0].name(), second[0].name());
}

#[test]
fn a_file_sent_again_is_no_gap_and_no_beginning() {
    let mut run = Run::new(watch());
    run.see(1_000..=1_100).see(1_000..=1_100).see(200..=300).see([1_101]).wait(60);
    assert_eq!(run.told(), [""; 0]);
    run.files(500..=520).files(300..=320).files([521]).wait(60);
    assert_eq!(run.told(), [""; 0], "files say no time: only a beginning is one");
}

#[test]
fn a_gateway_that_counts_anew_is_believed_once_others_follow() {
    let mut run = Run::new(watch());
    run.see(5_000..=5_010);
    let mut anew = |numbers: std::ops::RangeInclusive<u64>, at: i64| {
        for number in numbers {
            let seen = Seen { kind: Kind::Records, node: NODE, number, at: Some(at) };
            run.gaps.number("f", seen, run.now_ms);
        }
    };
    anew(1..=20, 6_000);
    anew(23..=24, 6_001);
    run.wait(10);
    assert_eq!(run.told(), ["+21-22"]);
}

#[test]
fn a_file_sent_again_whose_records_begin_in_one_second_is_no_beginning() {
    let mut run = Run::new(watch());
    let mut midnight = |numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            let seen = Seen { kind: Kind::Records, node: NODE, number, at: Some(86_400) };
            run.gaps.number("f", seen, run.now_ms);
        }
    };
    midnight(1_000..=1_100);
    midnight(1_000..=1_050);
    midnight(1_101..=1_110);
    run.wait(60);
    assert_eq!(run.told(), [""; 0]);
}

#[test]
fn a_record_from_the_future_does_not_make_all_that_follow_old() {
    let mut run = Run::new(watch());
    run.see(5_000..=5_010);
    let ahead = Some(START_MS / 1_000 + 100 * 365 * 86_400);
    let seen = Seen { kind: Kind::Records, node: NODE, number: 5_011, at: ahead };
    run.gaps.number("f", seen, run.now_ms);
    for number in (1..=20).chain([23]) {
        let seen = Seen { kind: Kind::Records, node: NODE, number, at: Some(6_000) };
        run.gaps.number("f", seen, run.now_ms);
    }
    run.wait(10);
    assert_eq!(run.told(), ["+21-22"]);
}

#[test]
fn a_number_that_is_missing_of_a_lap_long_gone_is_the_next_of_this_one() {
    let files = Numbers { first: 1, last: 99 };
    let mut run = Run::new(Watch { files, ..watch() });
    run.files((1..=99).filter(|n| *n != 50)).wait(10);
    assert_eq!(run.told(), ["+50-50"]);
    // Of the next lap 49 is missing: 50 is not the one that was missing before.
    run.files((1..=60).filter(|n| *n != 49)).wait(10);
    assert_eq!(run.told(), ["+49-49"]);
}

#[test]
fn what_was_missing_comes_late_though_numbers_have_begun_anew_since() {
    let mut run = Run::new(watch());
    run.files((1..=60).filter(|n| *n != 40)).wait(10);
    assert_eq!(run.told(), ["+40-40"]);
    run.files(1..=20).files([40]).files(21..=30).wait(60);
    assert_eq!(run.told(), ["-40-40 filled"], "it is none of the numbers that are given now");
}

#[test]
fn a_number_far_off_alone_is_no_gap() {
    let mut run = Run::new(watch());
    run.see([1, 2, 4_000_000_000, 3, 4]).wait(60);
    assert_eq!(run.told(), [""; 0]);
}

#[test]
fn more_gaps_than_are_kept_give_the_oldest_up_aloud() {
    let mut run = Run::new(watch());
    let most = GAPS_PER_SERIES_MAX as u64;
    run.see((0..=most + 1).map(|n| 2 * n));
    assert_eq!(run.told(), ["+1-1", "-1-1 given-up"]);
}

#[test]
fn what_is_known_survives_a_restart_and_is_told_under_the_same_name() {
    let mut run = Run::new(watch());
    run.see([10, 12]).wait(10);
    let before = run.gaps.take();
    let kept = serde_json::to_vec(run.gaps.known("f").unwrap()).unwrap();
    let mut again = Run::new(watch());
    again.gaps.restore("f", serde_json::from_slice(&kept).unwrap());
    again.now_ms = run.now_ms;
    again.wait(60);
    assert_eq!(again.told(), [""; 0], "it is open already");
    again.see([11]);
    let after = again.gaps.take();
    assert_eq!(after.iter().map(Told::name).collect::<Vec<_>>(), [before[0].name()]);
    assert_eq!(after[0].change, Change::Closed(Reason::Filled));
}

#[test]
fn what_a_header_says_was_lost_is_told_once_and_given_up_when_it_is_old() {
    let mut run = Run::new(watch());
    let lost = |number, now_ms| Lost {
        node: "10.0.0.1".to_owned(),
        number,
        opened: 7,
        count: 3,
        noticed_ms: now_ms,
    };
    for number in [42, 42, 43] {
        run.gaps.lost("f", lost(number, run.now_ms));
    }
    let names = |told: Vec<Told>| -> Vec<(String, u64)> {
        told.into_iter().map(|told| (told.name(), told.missing)).collect()
    };
    let both = ["f/lost/10.0.0.1/7/42", "f/lost/10.0.0.1/7/43"].map(|name| (name.to_owned(), 3));
    assert_eq!(names(run.gaps.take()), both);
    assert_eq!(
        (names(run.gaps.standing()[0].open.clone()), run.gaps.standing()[0].opened),
        (both.to_vec(), 2)
    );
    let kept = serde_json::to_vec(run.gaps.known("f").unwrap()).unwrap();
    let mut again = Run::new(watch());
    again.gaps.restore("f", serde_json::from_slice(&kept).unwrap());
    again.gaps.lost("f", lost(42, again.now_ms));
    assert_eq!(again.gaps.take(), [], "read again");
    again.wait(9 * 24 * 60);
    let told = again.gaps.take();
    assert!(told.iter().all(|told| told.change == Change::Closed(Reason::GivenUp)), "{told:?}");
    assert_eq!((names(told), again.gaps.standing()[0].open.len()), (both.to_vec(), 0));
}

#[test]
fn silence_is_learnt_from_the_greatest_distance() {
    let mut run = Run::new(watch());
    let hear = |run: &mut Run, minutes: i64| {
        run.wait(minutes);
        run.gaps.arrival("f", run.now_ms);
    };
    for hour in 0..=24 {
        hear(&mut run, 60);
        hear(&mut run, 0);
        let learnt = run.gaps.standing()[0].allowed_ms;
        assert_eq!(learnt.is_some(), hour == 24, "{hour}: many arrivals, but not over a day");
    }
    run.wait(179);
    assert_eq!(run.gaps.take(), []);
    let since_ms = run.now_ms - 179 * MIN;
    run.wait(1).wait(600);
    let told = run.gaps.take();
    assert_eq!((told.len(), told[0].first), (1, since_ms as u64));
    assert_eq!(run.gaps.standing()[0].silent_since_ms, Some(since_ms));
    hear(&mut run, 1);
    let closed = run.gaps.take();
    assert_eq!((closed.len(), closed[0].name()), (1, told[0].name()));
    // What was allowed counts as a distance, so the bound is three times as wide.
    run.wait(539);
    assert_eq!(run.gaps.take(), []);
    run.wait(1);
    assert_eq!(run.gaps.take().len(), 1);
}

#[test]
fn silence_as_configured_needs_no_learning() {
    let mut run = Run::new(Watch { silence_ms: Some(30 * MIN), ..watch() });
    run.wait(100);
    assert_eq!(run.gaps.take(), [], "nothing has come yet: since when is not known");
    run.gaps.arrival("f", run.now_ms);
    run.wait(29);
    assert_eq!(run.gaps.take(), []);
    run.wait(1);
    assert_eq!(run.gaps.take().len(), 1);
}

#[test]
fn a_feed_of_which_no_partition_is_left_is_learnt_anew() {
    let mut run = Run::new(Watch { silence_ms: Some(30 * MIN), ..watch() });
    run.gaps.begin("f", 3, None, 0);
    assert!(run.gaps.message("f", (3, 0), 0));
    run.gaps.end("f", 3);
    run.wait(600);
    assert_eq!(run.gaps.take(), []);
}

#[test]
fn what_is_kept_of_a_partition_is_bounded_and_leaves_out_who_was_heard_of_least_lately() {
    let mut run = Run::new(Watch { keyed: true, ..watch() });
    run.gaps.begin("f", 0, None, 0);
    for node in 0..200 {
        run.now_ms += 1;
        for number in [1, 3] {
            let seen = Seen { kind: Kind::Records, node: &format!("gateway-{node:03}"), number, at: Some(1) };
            run.gaps.number_in("f", 0, seen, run.now_ms);
        }
    }
    let text = run.gaps.kept("f", 0).unwrap().text();
    assert!((2_000..=crate::limits::GAPS_KEPT_BYTES_MAX).contains(&text.len()), "{}", text.len());
    assert!(text.contains("gateway-199") && !text.contains("gateway-000"), "{text}");
    let mut again = Run::new(Watch { keyed: true, ..watch() });
    again.gaps.begin("f", 0, Kept::parse(&text), run.now_ms);
    let seen = Seen { kind: Kind::Records, node: "gateway-199", number: 4, at: Some(2) };
    again.gaps.number_in("f", 0, seen, run.now_ms);
    again.now_ms = run.now_ms;
    again.wait(10);
    assert_eq!(again.told().iter().filter(|told| **told == "+2-2").count(), again.gaps.standing()[0].series);
    assert_eq!(Kept::parse(&text.replacen("\"v\":1", "\"v\":2", 1)), None, "another form is not guessed at");
}

#[test]
fn a_node_that_loses_much_does_not_have_the_others_forgotten() {
    let mut run = Run::new(Watch { keyed: true, ..watch() });
    run.gaps.begin("f", 0, None, 0);
    let see = |run: &mut Run, node, number| {
        run.now_ms += 1;
        let seen = Seen { kind: Kind::Records, node, number, at: Some(1) };
        run.gaps.number_in("f", 0, seen, run.now_ms);
    };
    see(&mut run, "quiet", 1);
    see(&mut run, "quiet", 3);
    for n in 0..60 {
        see(&mut run, "leaky", 2 * n);
    }
    let text = run.gaps.kept("f", 0).unwrap().text();
    assert!(text.len() <= crate::limits::GAPS_KEPT_BYTES_MAX, "{}", text.len());
    let mut again = Run::new(Watch { keyed: true, ..watch() });
    again.gaps.begin("f", 0, Kept::parse(&text), run.now_ms);
    again.now_ms = run.now_ms;
    again.wait(20);
    let told = again.told();
    assert!(told.contains(&"+2-2".to_owned()), "of the quiet one: {told:?}");
    assert!(told.contains(&"+117-117".to_owned()), "the newest of the leaky one: {told:?}");
    assert!((15..61).contains(&told.len()), "and of its gaps as many as fit: {}", told.len());
}

#[test]
fn of_two_rhythms_the_one_that_heard_last_is_believed_and_a_silence_that_is_over_is_ended() {
    let silent = Watch { silence_ms: Some(30 * MIN), ..watch() };
    let mut old = Run::new(silent);
    old.gaps.begin("f", 0, None, 0);
    old.gaps.message("f", (0, 0), 0);
    old.wait(40);
    let opened = old.gaps.take();
    let mut run = Run::new(silent);
    run.gaps.begin("f", 1, None, 0);
    run.gaps.message("f", (1, 0), 35 * MIN);
    run.gaps.begin("f", 0, old.gaps.kept("f", 0), 41 * MIN);
    let told = run.gaps.take();
    assert_eq!(
        (told.len(), told[0].name(), told[0].change),
        (1, opened[0].name(), Change::Closed(Reason::Resumed))
    );
    assert_eq!(run.gaps.standing()[0].silent_since_ms, None);
}

/// Numbers between the first that came and the greatest, in the order of a disturbed transport.
fn transport() -> impl Strategy<Value = (u64, Vec<(u64, u8)>)> {
    // From near the wrap, each with what becomes of it: 0 lost, 1 twice, 2 late, else once.
    let from = prop_oneof![Just(u64::from(u32::MAX) - 40), 1..1_000_u64];
    (from, proptest::collection::vec(0..8_u8, 1..120)).prop_map(|(from, fates)| {
        (from, fates.into_iter().enumerate().map(|(n, fate)| (from + n as u64, fate)).collect())
    })
}

proptest! {
    #[test]
    fn what_is_open_is_what_has_not_come((from, fates) in transport()) {
        let wrapped = |n: u64| n % (1 << 32);
        let mut sent = vec![from - 1];
        let mut late = Vec::new();
        for (n, fate) in &fates {
            match fate {
                0 => {}
                1 => sent.extend([*n, *n]),
                2 => late.push(*n),
                _ => sent.push(*n),
            }
            if n % 7 == 0 {
                sent.append(&mut late);
            }
        }
        sent.append(&mut late);
        let mut run = Run::new(watch());
        for n in &sent {
            let seen = Seen { kind: Kind::Records, node: NODE, number: wrapped(*n), at: Some(*n as i64) };
            run.gaps.number("f", seen, run.now_ms);
        }
        run.wait(10);
        let came: BTreeSet<u64> = sent.iter().copied().collect();
        let missing: BTreeSet<u64> =
            (from..*came.last().unwrap()).filter(|n| !came.contains(n)).map(wrapped).collect();
        let opened = run.gaps.take();
        let range = |told: &Told| (0..=(told.last + (1 << 32) - told.first) % (1 << 32)).map(|n| wrapped(told.first + n)).collect::<Vec<_>>();
        let told: Vec<u64> = opened.iter().flat_map(range).collect();
        prop_assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), missing.clone());
        prop_assert_eq!(told.len(), missing.len(), "no number is in two gaps");
        let open: u64 = run.gaps.standing()[0].open.iter().map(|told| told.missing).sum();
        prop_assert_eq!(open, missing.len() as u64);

        // Everything comes after all: each gap that was opened is closed, once, as filled.
        for (n, _) in fates.iter().filter(|(n, _)| missing.contains(&wrapped(*n))).rev() {
            let seen = Seen { kind: Kind::Records, node: NODE, number: wrapped(*n), at: Some(*n as i64) };
            run.gaps.number("f", seen, run.now_ms);
        }
        run.wait(600);
        let mut ends: BTreeMap<String, i32> = BTreeMap::new();
        for told in run.gaps.take() {
            prop_assert_eq!(told.change, Change::Closed(Reason::Filled));
            *ends.entry(told.name()).or_default() += 1;
        }
        prop_assert!(ends.values().all(|count| *count == 1));
        prop_assert_eq!(ends.keys().cloned().collect::<Vec<_>>(), {
            let mut names: Vec<String> = opened.iter().map(Told::name).collect();
            names.sort();
            names
        });
        prop_assert!(run.gaps.standing()[0].open.is_empty());
    }
}
