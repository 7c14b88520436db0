//! `card`: one card through a running instance, for the eye, or as JSON where that is asked for.

use std::fmt::Write as _;
use std::path::Path;

use hyper::Method;
use serde_json::Value;

use super::args::{CardArgs, CardCommand, CardEventsArgs, CardUsageArgs, InstanceArgs};
use super::exit::{Exit, Failed};
use super::follow::follow;
use super::remote::{Ask, fetch, tell};
use super::shown;
use crate::limits::PAGE_ROWS_MAX;
use crate::stdout::say;

pub(super) fn run(args: &CardArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    match &args.command {
        Some(CardCommand::Usage(args)) => usage(args, from, json),
        Some(CardCommand::Events(args)) if args.follow => follow_events(args, from, json),
        Some(CardCommand::Events(args)) => events(args, from, json),
        Some(CardCommand::Show(args)) => show(&args.iccid, &args.instance, from, json),
        None => show(args.iccid.as_deref().unwrap_or_default(), &args.instance, from, json),
    }
}

fn show(card: &str, instance: &InstanceArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let path = format!("/v1/cards/{}", query_text(card));
    tell(Ask::new(Method::GET, &path), instance, from, json, shown::card)
}

/// All pages as one.
fn usage(args: &CardUsageArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let mut path = format!("/v1/cards/{}/usage?limit={PAGE_ROWS_MAX}", query_text(&args.iccid));
    for (name, day) in [("from", &args.from), ("to", &args.to)] {
        if let Some(day) = day {
            write!(path, "&{name}={}", query_text(day)).map_err(anyhow::Error::from)?;
        }
    }
    let mut whole = page(&path, &args.instance, from)?;
    while let Some(next) = whole["next"].as_str().map(str::to_owned) {
        let mut more = page(&next, &args.instance, from)?;
        append(&mut whole, &mut more, "days");
        whole["next"] = more["next"].take();
    }
    if json {
        say!("{whole:#}");
    } else {
        say!("{}", shown::usage(&whole));
    }
    Ok(Exit::Done)
}

pub(super) fn page(path: &str, instance: &InstanceArgs, from: Option<&Path>) -> Result<Value, Failed> {
    Ok(fetch(Ask::new(Method::GET, path), instance, from)?.1)
}

fn append(whole: &mut Value, more: &mut Value, list: &str) {
    if let (Some(whole), Some(more)) = (whole[list].as_array_mut(), more[list].as_array_mut()) {
        whole.append(more);
    }
}

fn events_path(args: &CardEventsArgs, limit: Option<usize>) -> String {
    let of_card =
        args.iccid.as_ref().map(|iccid| format!("/cards/{}", query_text(iccid))).unwrap_or_default();
    let limit = limit.map(|limit| format!("limit={limit}"));
    let kind = args.kind.as_ref().map(|kind| format!("type={}", query_text(kind)));
    let query: Vec<String> = limit.into_iter().chain(kind).collect();
    format!("/v1{of_card}/events?{}", query.join("&"))
}

/// The newest, as many pages as it takes.
fn events(args: &CardEventsArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let mut path = Some(events_path(args, Some(PAGE_ROWS_MAX.min(args.limit as usize))));
    let mut left = args.limit as usize;
    while let Some(next) = path.filter(|_| left > 0) {
        let page = page(&next, &args.instance, from)?;
        for event in list(&page, "events").take(left) {
            left -= 1;
            print_event(event, json);
        }
        path = page["next"].as_str().map(str::to_owned);
    }
    Ok(Exit::Done)
}

fn follow_events(args: &CardEventsArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    follow(&events_path(args, None), &args.instance, from, |said| {
        let data: Value = serde_json::from_str(&said.data).unwrap_or_default();
        if said.kind == "gap" {
            eprintln!("tidegauge: events are missing here: {}", text(&data["why"]));
        } else {
            print_event(&data, json);
        }
    })?;
    Ok(Exit::Done)
}

/// One line an event: JSON, or in words.
fn print_event(event: &Value, json: bool) {
    if json {
        return say!("{event}");
    }
    say!("{}", shown::event(event));
}

/// A text as a query may hold it.
pub(super) fn query_text(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // A string takes whatever is written.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

pub(super) fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer[name].as_array().into_iter().flatten()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_one_value_of_a_query() {
        assert_eq!(query_text("2026-08-01"), "2026-08-01");
        assert_eq!(query_text("a&b=é +"), "a%26b%3D%C3%A9%20%2B");
    }
}
