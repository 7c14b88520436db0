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
            Ok(Exit::Done) => {}
            Ok(other) => exit = other,
            Err(failed) if failed.exit == Exit::Failed => {
                eprintln!("tidegauge: {id}: {:#}", failed.error);
                exit = Exit::Failed;
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(exit)
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
        say!("{id}: {}", answer["outcome"].as_str().unwrap_or("taken, not answered yet"));
    }
    Ok(if status == StatusCode::ACCEPTED && args.wait > 0 { Exit::Unanswered } else { Exit::Done })
}
