//! `quarantine`: records that were set aside, through a running instance.

use std::path::Path;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::args::{IntoArg, QuarantineCommand, QuarantineListArgs, QuarantinePostArgs};
use super::card::{list, page, query_text, text};
use super::exit::{Exit, Failed};
use super::remote::{Ask, fetch};
use crate::limits::PAGE_ROWS_MAX;
use crate::stdout::say;

pub(super) fn run(command: &QuarantineCommand, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    match command {
        QuarantineCommand::List(args) => show(args, from, json),
        QuarantineCommand::Post(args) => post(args, from, json),
    }
}

/// As many pages as it takes.
fn show(args: &QuarantineListArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let mut left = args.limit as usize;
    let mut path = format!("/v1/quarantine?limit={}", PAGE_ROWS_MAX.min(left));
    for (name, value) in [("card", &args.card), ("outcome", &args.outcome)] {
        if let Some(value) = value {
            path = format!("{path}&{name}={}", query_text(value));
        }
    }
    let mut path = Some(path);
    while let Some(next) = path.filter(|_| left > 0) {
        let page = page(&next, &args.instance, from)?;
        for record in list(&page, "records").take(left) {
            left -= 1;
            print(record, json);
        }
        path = page["next"].as_str().map(str::to_owned);
    }
    Ok(Exit::Done)
}

fn print(record: &Value, json: bool) {
    if json {
        return say!("{record}");
    }
    let (id, outcome, seen) = (text(&record["id"]), text(&record["outcome"]), text(&record["seen"]));
    let card = record["card"].as_str().unwrap_or("-");
    say!("{id}  {seen}  {outcome}  {card}  {}", text(&record["reason"]));
    say!("    {}", record["record"]);
}

/// One after the other: each is told, and one that is refused ends the others no more than it must.
fn post(args: &QuarantinePostArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let mut exit = Exit::Done;
    for id in &args.ids {
        match post_one(id, args, from, json) {
            Ok(one) => exit = worse(exit, one),
            Err(failed) if matches!(failed.exit, Exit::Failed | Exit::BadData) => {
                eprintln!("tidegauge: {id}: {:#}", failed.error);
                exit = worse(exit, failed.exit);
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(exit)
}

/// What is refused stays so however often it is asked; what was not answered may yet be.
fn worse(one: Exit, other: Exit) -> Exit {
    [Exit::Failed, Exit::BadData, Exit::Unanswered]
        .into_iter()
        .find(|exit| [one, other].contains(exit))
        .unwrap_or(one)
}

fn post_one(id: &str, args: &QuarantinePostArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let mut body = json!({"into": if args.into == IntoArg::Open { "open" } else { "original" }});
    if let Some(card) = &args.card {
        body["card"] = card.as_str().into();
    }
    if args.dry_run {
        body["dry_run"] = true.into();
    }
    let path = format!("/v1/quarantine/{}/post", query_text(id));
    let wait = (args.wait > 0 && !args.dry_run).then(|| ("prefer", format!("wait={}", args.wait)));
    let ask = Ask { body: Some(body), headers: wait.into_iter().collect(), ..Ask::new(Method::POST, &path) };
    let (status, answer) = fetch(ask, &args.instance, from)?;
    if json {
        say!("{answer}");
    } else if args.dry_run {
        say!("{id}: would give {}", answer["command"]);
        list(&answer, "matches").for_each(|found| say!("    the log holds {found}"));
    } else {
        say!("{}", posted(id, &answer));
    }
    Ok(if status == StatusCode::ACCEPTED && args.wait > 0 { Exit::Unanswered } else { Exit::Done })
}

/// What became of a posting.
fn posted(id: &str, answer: &Value) -> String {
    let earlier = &answer["earlier"];
    let Some(before) = earlier["outcome"].as_str() else {
        return format!("{id}: {}", answer["outcome"].as_str().unwrap_or("taken, not answered yet"));
    };
    let at = text(&earlier["at"]);
    let reason = earlier["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    match answer["outcome"].as_str() {
        Some(_) => format!("{id}: was {before} at {at} already, nothing was done again{reason}"),
        None => format!("{id}: taken, not answered again; the same was {before} at {at}{reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_answer_is_told_with_its_reason() {
        let earlier = |outcome: &str| json!({"outcome": outcome, "reason": "no such card", "at": "2026-08-01T00:00:00Z"});
        for (answer, told) in [
            (json!({"outcome": "applied"}), "q: applied"),
            (json!({}), "q: taken, not answered yet"),
            (
                json!({"earlier": earlier("refused")}),
                "q: taken, not answered again; the same was refused at 2026-08-01T00:00:00Z: no such card",
            ),
            (
                json!({"outcome": "applied", "earlier": {"outcome": "applied", "at": "2026-08-01T00:00:00Z"}}),
                "q: was applied at 2026-08-01T00:00:00Z already, nothing was done again",
            ),
        ] {
            assert_eq!(posted("q", &answer), told);
        }
    }

    #[test]
    fn a_refusal_is_not_hidden_by_an_answer_that_has_not_come() {
        for (one, other, both) in [
            (Exit::Failed, Exit::Unanswered, Exit::Failed),
            (Exit::Unanswered, Exit::Failed, Exit::Failed),
            (Exit::Unanswered, Exit::BadData, Exit::BadData),
            (Exit::Done, Exit::Unanswered, Exit::Unanswered),
            (Exit::Done, Exit::Done, Exit::Done),
        ] {
            assert_eq!(worse(one, other), both);
        }
    }
}
