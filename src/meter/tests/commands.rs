//! Commands (`docs/rules.md` S, C9): each has one answer and one effect.

use super::*;
use crate::meter::CardState;
use crate::model::{CardName, DirectoryEntry};

fn suspend() -> CommandBody {
    CommandBody::Suspend { reason: Some("lost".to_owned()) }
}

#[test]
fn a_registration_says_who_holds_what_since_when() {
    let mut bench = Bench::new();
    bench.command_at(NEW_YEAR + 60, NEW_YEAR, card(1), "r", registration(&[imsi(1)]));
    assert_eq!(bench.kinds(), ["card.registered", "command.applied"]);
    let entry = |name, valid_from, valid_to| DirectoryEntry { name, card: card(1), valid_from, valid_to };
    let held = |n, from, to| entry(CardName::Number(imsi(n)), from, to);
    assert_eq!(
        bench.effects.directory,
        [entry(CardName::Iccid(card(1)), NEW_YEAR, None), held(1, NEW_YEAR, None)]
    );
    bench.effects.clear();
    bench.command(NEW_YEAR + DAY, card(1), "again", registration(&[imsi(2)]));
    assert_eq!(
        bench.effects.directory,
        [held(1, NEW_YEAR, Some(NEW_YEAR + DAY)), held(2, NEW_YEAR + DAY, None)]
    );
}

#[test]
fn a_repeated_command_is_a_duplicate_and_another_under_its_id_a_conflict() {
    let mut bench = Bench::with_card();
    for time in [10, 20, 30] {
        bench.command_at(NEW_YEAR + time, NEW_YEAR, card(1), "x", suspend());
    }
    bench.command_at(NEW_YEAR + 40, NEW_YEAR, card(1), "x", CommandBody::Resume);
    assert_eq!(bench.kinds(), ["card.suspended", "command.applied"]);
    let outcomes = [(Outcome::Counted, 2), (Outcome::Duplicate, 2), (Outcome::Conflict, 1)];
    assert_eq!(bench.outcomes(Input::Command), outcomes);
    assert_eq!(bench.view().state, CardState::Suspended);
}

#[test]
fn a_card_that_is_not_known_is_answered_too() {
    let mut bench = Bench::new();
    bench.command(NEW_YEAR, card(9), "x", suspend());
    bench.command(NEW_YEAR, card(9), "x", suspend());
    assert_eq!(bench.refusals(), ["no such card: register it first"; 2]);
    assert_eq!(bench.effects.events[0].id, bench.effects.events[1].id);
    assert_eq!(bench.outcomes(Input::Command), [(Outcome::Unknown, 2)]);
    assert_eq!(bench.effects.quarantined.len(), 2);
}

#[test]
fn a_command_of_another_card_than_its_record_is_rejected() {
    let mut bench = Bench::with_card();
    let command = CardCommand {
        id: "x".to_owned(),
        card: card(1),
        iccid: card(1).to_string(),
        at: NEW_YEAR,
        body: suspend(),
    };
    let json = serde_json::to_vec(&command).unwrap();
    bench.fold(NEW_YEAR, &[Record::Command { card: card(2), json: &json, origin: ORIGIN }]);
    assert_eq!(bench.outcomes(Input::Command), [(Outcome::Counted, 1), (Outcome::Rejected, 1)]);
    assert_ne!(bench.view().state, CardState::Suspended);
}

#[test]
fn states_follow_commands_and_cancelled_is_final() {
    let mut bench = Bench::with_card();
    for (id, body, state) in [
        ("1", suspend(), CardState::Suspended),
        ("2", CommandBody::Resume, CardState::Active),
        ("3", CommandBody::Resume, CardState::Active),
        ("4", CommandBody::Cancel { reason: None }, CardState::Cancelled),
        ("5", CommandBody::Resume, CardState::Cancelled),
        ("6", registration(&[]), CardState::Cancelled),
    ] {
        bench.command(NEW_YEAR + 60, card(1), id, body);
        assert_eq!(bench.view().state, state, "{id}");
    }
    let answers = ["command.applied", "command.refused"];
    let said: Vec<_> = bench.kinds().into_iter().filter(|kind| !answers.contains(kind)).collect();
    assert_eq!(said, ["card.suspended", "card.resumed", "card.cancelled"]);
    assert_eq!(bench.refusals().len(), 3);
    assert_eq!(bench.meter.cards().cancelled, 1);
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let register = |carrier: &str, plan: &str, numbers: &[Number]| {
        CommandBody::Register(Box::new(Register {
            channel: "own".to_owned(),
            carrier: carrier.to_owned(),
            plan: plan.to_owned(),
            numbers: numbers.to_vec(),
            recipients: None,
            opening: None,
        }))
    };
    let late = NEW_YEAR + 100 * DAY;
    for (at, card_number, body, reason) in [
        (late, 2, register("south", "basic", &[]), "carrier \"south\" is not in the catalogue"),
        (late, 2, register("north", "gold", &[]), "plan \"gold\" is not in the catalogue"),
        (late, 2, register("north", "basic", &[imsi(1), imsi(2)]), "two numbers of one kind"),
        (late - 90 * DAY - 1, 1, suspend(), "its `at` is more than 90 days ago"),
        (late + 601, 1, suspend(), "its `at` is more than 10 minutes after log time"),
        (
            late,
            1,
            CommandBody::Unsupported { name: "card.confirm".to_owned() },
            "\"card.confirm\" is not done by this version",
        ),
    ] {
        let mut bench = Bench::with_card();
        bench.command_at(late, at, card(card_number), "x", body);
        assert_eq!(bench.refusals(), [reason]);
        assert_eq!(bench.meter.card(card(2)), None);
    }
}

#[test]
fn a_catalogue_is_taken_once_and_only_if_it_can_follow() {
    let mut bench = Bench::with_card();
    let other = Catalogue { late_horizon_days: 9, ..catalogue() };
    let renamed = Catalogue { version: 2, deployment: "other".to_owned(), ..catalogue() };
    let without = Catalogue { version: 2, carriers: vec![], ..catalogue() };
    for (catalogue, conflicts) in [(catalogue(), 0), (other, 1), (renamed, 2), (without, 3)] {
        bench.catalogue(NEW_YEAR, &catalogue);
        assert_eq!(bench.effects.catalogue_conflicts.len(), conflicts);
        assert_eq!(bench.meter.catalogue().unwrap().version, 1);
    }
    bench.catalogue(NEW_YEAR, &Catalogue { version: 3, ..catalogue() });
    bench.catalogue(NEW_YEAR, &Catalogue { version: 2, ..catalogue() });
    assert_eq!(bench.meter.catalogue().unwrap().version, 3);
}

#[test]
fn only_a_settling_feed_declares_and_only_days_that_are_over() {
    let mut bench = Bench::with_card();
    bench.complete(NEW_YEAR + DAY, "gw1", JANUARY);
    bench.complete(NEW_YEAR + DAY, "settle", JANUARY + 1);
    assert_eq!(bench.outcomes(Input::Command), [(Outcome::Counted, 1), (Outcome::Rejected, 2)]);
    bench.complete(NEW_YEAR + DAY, "settle", JANUARY);
    assert_eq!(bench.outcomes(Input::Command), [(Outcome::Counted, 2), (Outcome::Rejected, 2)]);
}
