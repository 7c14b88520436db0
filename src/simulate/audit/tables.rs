//! The rows of ClickHouse, held against the cards: to the byte, of every day and every cycle.

use super::fold::Fold;
use super::line::{Line, Source, Terms};
use super::zone::Zone;
use crate::model::{CardId, Day};
use crate::simulate::Finding;
use crate::simulate::clickhouse::Tables;

/// Holds the tables against one partition's cards; answers how many rows they account for.
pub(super) fn judge(fold: &Fold, tables: &Tables, out: &mut Vec<Finding>) -> (usize, usize) {
    let (mut months, mut days) = (0, 0);
    for (card, line) in &fold.lines {
        let Some((catalogue, zone)) = fold.catalogue.as_ref().zip(fold.zone(&line.carrier)) else { continue };
        let Some(carrier) = catalogue.carriers.iter().find(|c| c.name == line.carrier) else { continue };
        let terms = Terms { catalogue, carrier, zone, now: fold.now, heard: &fold.heard };
        for cycle in line.cycles.keys() {
            months += 1;
            judge_month(*card, line, *cycle, terms, tables, out);
        }
        for day in line.days() {
            days += 1;
            judge_day(*card, line, day, zone, tables, out);
        }
    }
    (months, days)
}

fn judge_month(
    card: CardId,
    line: &Line,
    cycle: Day,
    terms: Terms<'_>,
    tables: &Tables,
    out: &mut Vec<Finding>,
) {
    let Some((_, row)) = tables.months.get(&(card, cycle)) else {
        return out.push(Finding::new(
            "tables",
            format!(
                "card_month has no row of {card} {cycle}; its cycles are {:?}, its days {:?}",
                line.cycles,
                line.days()
            ),
        ));
    };
    let (used, settled) = line.used_of_cycle(terms.zone, cycle);
    let burnt = line.burnt_in(terms, cycle).min(used);
    let of = line.of_cycle(terms.zone, cycle);
    let [settling, estimate, modem] = columns(line, |source| of.get(source).copied().unwrap_or_default());
    let closed = line.cycles.get(&cycle).is_some_and(|c| c.closed);
    let revision = line.restated.get(&cycle).map_or(0, |restated| restated.revision);
    let ended = (closed, line.unsettled(terms.zone, cycle), revision);
    let want = (used, settled, used - settled, burnt, used - burnt, ended);
    let ended = (row.closed, row.unsettled_days, row.revision);
    let have = (row.used, row.settled, row.provisional, row.burnt, row.overage, ended);
    let by = (
        (row.settling_up, row.settling_down),
        (row.estimate_up, row.estimate_down),
        (row.modem_up, row.modem_down),
    );
    if want != have || (settling, estimate, modem) != by {
        let what = format!(
            "card_month {card} {cycle}: {have:?} {by:?}, should be {want:?} {settling:?} {estimate:?} {modem:?}"
        );
        out.push(Finding::new("tables", what));
    }
    let (quota, remaining) =
        line.left_at_close.get(&cycle).copied().unwrap_or_else(|| line.left_of(terms, cycle));
    let (want, have) = ((quota, remaining.unwrap_or(0)), (row.quota, row.remaining));
    if want != have {
        out.push(Finding::new(
            "tables",
            format!("card_month {card} {cycle}: quota and remaining {have:?}, should be {want:?}"),
        ));
    }
}

fn judge_day(card: CardId, line: &Line, day: Day, zone: &Zone, tables: &Tables, out: &mut Vec<Finding>) {
    let Some((_, row)) = tables.days.get(&(card, day)) else {
        return out.push(Finding::new("tables", format!("card_day has no row of {card} {day}")));
    };
    let of = line.of_day(day);
    let [settling, estimate, modem] = columns(line, |source| of.get(source).copied().unwrap_or_default());
    let (closed, complete) = (day <= line.closed_through, line.is_complete(day));
    let cycle = zone.cycle(day).map_or(day, |(first, _)| first);
    let want = (line.used_of_day(day).1, complete, closed && !complete, closed, cycle);
    let have = (row.used, row.complete, row.unsettled, row.closed, row.cycle);
    let by = (
        (row.settling_up, row.settling_down),
        (row.estimate_up, row.estimate_down),
        (row.modem_up, row.modem_down),
    );
    if want != have || (settling, estimate, modem) != by {
        let what = format!(
            "card_day {card} {day}: {have:?} {by:?}, should be {want:?} {settling:?} {estimate:?} {modem:?}"
        );
        out.push(Finding::new("tables", what));
    }
}

/// Settling feed, the greater of the other estimating feeds, the modem.
fn columns(line: &Line, of: impl Fn(&Source) -> (u64, u64)) -> [(u64, u64); 3] {
    let mut columns = [of(&Source::Settling), (0, 0), (0, 0)];
    for (place, feed) in line.estimates().iter().enumerate() {
        let (at, told) = (if feed == "modem" { 2 } else { 1 }, of(&Source::Estimate(place)));
        if told.0 + told.1 > columns[at].0 + columns[at].1 {
            columns[at] = told;
        }
    }
    columns
}
