//! Invariant 7: a chunk and the log after it give the next chunk, byte for byte.

use super::*;
use crate::meter::{Faults, RestoreError};
use crate::model::{Mode, PackageKind, PackageSpec, Payment, Per, Validity};

/// Seeded, so that a failure shows again (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ word >> 31) % below
    }
}

/// Two months of a few cards: usage, readings, commands, declarations, ticks.
fn busy(bench: &mut Bench, seed: u64) {
    let mut dice = Dice(seed);
    let mut time = NEW_YEAR;
    for step in 0..1_500u64 {
        time += dice.roll(2 * HOUR as u64 - 1) as i64;
        act(bench, &mut dice, time, step);
    }
}

fn act(bench: &mut Bench, dice: &mut Dice, time: UnixTime, step: u64) {
    let card = card(dice.roll(40) as u32);
    let id = format!("{}", dice.roll(1_000));
    let start = time - dice.roll(9 * DAY as u64) as i64;
    let record = Cdr { card, end: start + dice.roll(DAY as u64) as i64, ..cdr(&id, start, step, 10 * step) };
    match dice.roll(20) {
        0 => bench.register(time, card, &[imsi(dice.roll(50))]),
        1 => bench.command(time, card, &id, CommandBody::Suspend { reason: None }),
        2 => bench.command(time, card, &id, CommandBody::Resume),
        3 => bench.complete(time, "settle", ((time - DAY) / DAY) as Day),
        4 => bench.tick(time, Some(bench.offset.saturating_sub(dice.roll(300)))),
        5 => bench.command(time, card, &id, recharge(&id, dice)),
        6 => bench.fold(time, &[reading(time - dice.roll(99) as i64, step * 100, step * 1_000)]),
        7..10 => bench.fold(time, &[Record::Cdr(by("gw1", record))]),
        _ => bench.fold(time, &[Record::Cdr(record)]),
    }
}

fn recharge(order: &str, dice: &mut Dice) -> CommandBody {
    let modes = [Mode::Immediate, Mode::Renewal, Mode::NextCycle];
    let validities = [Validity::Days(3), Validity::Months(1), Validity::Cycles(2)];
    CommandBody::Recharge {
        order: order.to_owned(),
        channel: "own".to_owned(),
        payment: Payment { provider: "p".to_owned(), reference: order.to_owned(), paid_at: NEW_YEAR },
        package: PackageSpec {
            kind: if dice.roll(2) == 0 { PackageKind::Base } else { PackageKind::Booster },
            quota: Some(1_000 + dice.roll(100_000)),
            validity: validities[dice.roll(3) as usize],
            per: if dice.roll(2) == 0 { Per::Validity } else { Per::Cycle },
            priority: 1,
            pays_overage: false,
        },
        mode: modes[dice.roll(3) as usize],
    }
}

/// A meter from these chunks, and the log from the oldest on.
fn restored(bench: &Bench, chunks: &[Vec<u8>]) -> Meter {
    let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let mut meter = Meter::restore(5, bench.meter.head().catalogues, &chunks).unwrap();
    let from = meter.replay_from();
    for (offset, time, bytes) in bench.log.iter().filter(|(offset, ..)| *offset >= from) {
        meter.fold(*offset, *time, &Pack::read(bytes).unwrap(), &mut Effects::default()).unwrap();
    }
    meter
}

#[test]
fn a_chunk_and_the_log_give_the_next_chunk_byte_for_byte() {
    for seed in 0..4 {
        let mut bench = Bench::new();
        let mut at = bench.chunks();
        let mut dice = Dice(seed ^ 0x00C0_FFEE);
        let mut time = NEW_YEAR;
        for step in 0..1_500 {
            time += dice.roll(2 * HOUR as u64 - 1) as i64;
            act(&mut bench, &mut dice, time, step);
            // Shards are written here and there: each at its own offset.
            let shard = dice.roll(crate::limits::SHARDS as u64) as usize;
            at[shard] = bench.chunk(shard);
        }
        assert!(bench.effects.events.iter().any(|event| event.body.kind() == "cycle.closed"));
        let meter = restored(&bench, &at);
        for (shard, bytes) in bench.chunks().iter().enumerate() {
            let mut again = Vec::new();
            meter.encode_shard(shard, &mut again);
            assert!(*bytes == again, "seed {seed}: shard {shard} differs after its replay");
        }
        assert_eq!(meter.ledger(), bench.meter.ledger());
        assert_eq!(meter.cards(), bench.meter.cards());
        assert_eq!(meter.log_time(), bench.meter.log_time());
    }
}

#[test]
fn the_same_log_gives_the_same_effects() {
    let run = || {
        let mut bench = Bench::new();
        busy(&mut bench, 7);
        (bench.effects.events, bench.effects.quarantined, bench.effects.directory, bench.effects.dirty)
    };
    assert!(run() == run());
}

#[test]
fn event_ids_are_unique() {
    let mut bench = Bench::new();
    busy(&mut bench, 11);
    let answers_of_none = |id: &str| id.contains("/command/") || id.contains("/recharge.refused/");
    let mut ids: Vec<&str> = bench
        .effects
        .events
        .iter()
        .map(|event| event.id.as_str())
        .filter(|id| !answers_of_none(id))
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn what_cannot_be_restored_is_named() {
    let mut bench = Bench::with_card();
    bench.fold(NEW_YEAR + DAY, &[Record::Cdr(cdr("a", NEW_YEAR, 1, 1))]);
    let good = bench.chunks();
    let try_restore = |chunks: &[Vec<u8>], catalogues| {
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        Meter::restore(5, catalogues, &chunks).map(|_| ())
    };
    let catalogues = bench.meter.head().catalogues;
    assert!(try_restore(&good, catalogues.clone()).is_ok());
    assert!(matches!(try_restore(&good, vec![]), Err(RestoreError::Catalogue { version: 1 })));
    assert!(matches!(try_restore(&good[1..], catalogues.clone()), Err(RestoreError::Count { found: 255 })));
    for (change, at) in [(9u8, 0usize), (9, 4), (9, 8)] {
        let mut broken = good.clone();
        broken[0][at] = change;
        assert!(try_restore(&broken, catalogues.clone()).is_err(), "byte {at}");
    }
    let mut longer = good.clone();
    longer[3].push(0);
    assert!(matches!(try_restore(&longer, catalogues), Err(RestoreError::Leftover { bytes: 1 })));
}

#[test]
fn planted_faults_show() {
    let record = Record::Cdr(cdr("a", NEW_YEAR + HOUR, 0, 5));
    let mut bench = Bench::new();
    bench.meter = std::mem::replace(&mut bench.meter, Meter::new(5))
        .with_faults(Faults { no_dedupe: true, ..Faults::default() });
    bench.register(NEW_YEAR, card(1), &[]);
    bench.fold(NEW_YEAR + DAY, &[record, record]);
    assert_eq!(bench.view().used, 10);
}

#[test]
fn timers_in_the_wrong_order_show() {
    // January closes in the second in which the card is suspended: first what was due, then the command.
    let order = |faults| {
        let mut bench = Bench::new();
        bench.meter = std::mem::replace(&mut bench.meter, Meter::new(5)).with_faults(faults);
        bench.register(NEW_YEAR, card(1), &[]);
        bench.fold(NEW_YEAR + 31 * DAY, &[Record::Cdr(cdr("b", NEW_YEAR + 30 * DAY, 0, 5))]);
        bench.effects.clear();
        bench.command(NEW_YEAR + 39 * DAY, card(1), "x", CommandBody::Suspend { reason: None });
        bench.kinds()
    };
    let right = ["cycle.closed", "card.suspended", "command.applied"];
    assert_eq!(order(Faults::default()), right);
    let wrong = ["card.suspended", "command.applied", "cycle.closed"];
    assert_eq!(order(Faults { timers_unordered: true, ..Faults::default() }), wrong);
}
