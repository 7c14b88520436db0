//! The days and cycles of one card: open ones from the memory of the worker that meters it, past ones from ClickHouse.
//!
//! Invariant: no day is missing between the two. Memory is asked first: it keeps a closed day until ClickHouse has
//! acknowledged it. Where both know a day, the row of the later log time counts, and each row says where it is from.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cards::Found;
use super::cursor::Question;
use super::names::Named;
use super::{Api, problem::Problem, shape};
use crate::codec::time;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, USAGE_DAYS_MAX};
use crate::model::{CardId, Day};
use crate::rollup::Row;
use crate::worker::Answer;

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn usage(
    State(api): State<Api>,
    Named(name): Named,
    asked: Result<Query<Asked>, QueryRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked?;
    let card = api.card_of(&name)?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let (memory, away) = match api.find(card, &format!("/usage{query}"), &headers).await? {
        Found::Passed(answer) => return Ok(answer),
        Found::Here(answer) => (Some(answer), None),
        Found::Unknown => (None, None),
        Found::Away(why) => (None, Some(why)),
    };
    let running = running_cycle(&api, card, memory.as_deref(), away.as_deref()).await?;
    let page = Page::of(card, &asked, running)?;
    let (days, cycles) = rows(&api, card, memory.as_deref(), &page).await?;
    Ok(Json(page.answer(&api, memory.as_deref(), away, days, &cycles)).into_response())
}

/// First and last day of the running cycle, or of the newest that ClickHouse knows of.
async fn running_cycle(
    api: &Api,
    card: CardId,
    memory: Option<&Answer>,
    away: Option<&str>,
) -> Result<(Day, Day), Problem> {
    if let Some(answer) = memory {
        return Ok((answer.view.cycle, answer.view.cycle_last));
    }
    let newest = match &api.archive {
        Some(archive) => archive.newest_month(card).await?,
        None => None,
    };
    let nobody = || match away {
        Some(why) => Problem::NotReady(why.to_owned()),
        None => Problem::NotFound(format!("card {card} has never been registered")),
    };
    let newest = newest.ok_or_else(nobody)?;
    Ok((number(&newest, "cycle") as Day, number(&newest, "cycle_last") as Day))
}

/// One page of the days from one to another.
#[derive(Debug)]
struct Page {
    card: CardId,
    from: Day,
    to: Day,
    limit: usize,
    question: Question,
    /// The day after which this page begins.
    after: Option<Day>,
}

impl Page {
    fn of(card: CardId, asked: &Asked, (first, last): (Day, Day)) -> Result<Self, Problem> {
        let from = day("from", asked.from.as_deref())?.unwrap_or(first);
        let to = day("to", asked.to.as_deref())?.unwrap_or(last.max(from));
        let span = to.saturating_sub(from).saturating_add(1);
        let (from_text, to_text) = (time::day_text(from), time::day_text(to));
        if span < 1 {
            return Err(Problem::BadRequest(format!("from: {from_text} is after to, {to_text}")));
        }
        if span > USAGE_DAYS_MAX {
            return Err(Problem::BadRequest(format!(
                "from {from_text} to {to_text}: {span} days, at most {USAGE_DAYS_MAX} are answered at once"
            )));
        }
        let question = Question::of(&["usage", &card.to_string(), &from_text, &to_text]);
        let place = asked.cursor.as_deref().map(|cursor| question.place(cursor)).transpose()?;
        let after = place.map(|place| place.parse().map_err(|_| Problem::Cursor)).transpose()?;
        Ok(Self { card, from, to, limit: limit(asked.limit)?, question, after })
    }

    /// The days that are left.
    fn days(&self) -> (Day, Day) {
        (self.after.map_or(self.from, |day| day.saturating_add(1)), self.to)
    }

    /// The answer; of the days there may be one more than the page holds, which says that there are others.
    fn answer(
        &self,
        api: &Api,
        memory: Option<&Answer>,
        away: Option<String>,
        mut days: Vec<Row>,
        cycles: &[Row],
    ) -> Value {
        let more = days.len() > self.limit;
        days.truncate(self.limit);
        let (from, to) = (time::day_text(self.from), time::day_text(self.to));
        let last = days.last().filter(|_| more).map(|day| number(day, "day"));
        let cursor = last.map(|day| self.question.after(day));
        let next = cursor.map(|cursor| {
            let (card, limit) = (self.card, self.limit);
            format!("/v1/cards/{card}/usage?from={from}&to={to}&limit={limit}&cursor={cursor}")
        });
        let mut answer = json!({
            "card": self.card, "unit": "bytes", "from": from, "to": to, "days": days, "cycles": cycles,
            "memory": memory.map(|answer| shape::as_of(answer, api.clock())),
            "clickhouse": api.archive.is_some(), "next": next,
        });
        if let Some(why) = away {
            answer["why"] = why.into();
        }
        shape::dress(&mut answer);
        answer
    }
}

pub(super) fn limit(said: Option<usize>) -> Result<usize, Problem> {
    match said {
        None => Ok(PAGE_ROWS_DEFAULT),
        Some(limit @ 1..=PAGE_ROWS_MAX) => Ok(limit),
        Some(limit) => Err(Problem::BadRequest(format!("limit: {limit} is not within 1..={PAGE_ROWS_MAX}"))),
    }
}

fn day(name: &str, text: Option<&str>) -> Result<Option<Day>, Problem> {
    let read = |text: &str| {
        let wrong = || Problem::BadRequest(format!("{name}: {text:?} is no date like 2026-08-31"));
        time::parse_day(text).ok_or_else(wrong)
    };
    text.map(read).transpose()
}

/// Days of the page (and one more, if there are more) and, on the first page, the cycles that they are of.
async fn rows(
    api: &Api,
    card: CardId,
    memory: Option<&Answer>,
    page: &Page,
) -> Result<(Vec<Row>, Vec<Row>), Problem> {
    let (wanted, first_page) = (page.days(), page.after.is_none());
    let mut days = Rows::new("day");
    let mut cycles = Rows::new("cycle");
    if let Some(answer) = memory {
        days.add("memory", answer.view.days.iter().filter(|day| within(day.day, wanted)).filter_map(row));
        let touches = |first: Day, last: Day| first <= page.to && last >= page.from;
        let months = answer.view.months.iter().filter(|m| first_page && touches(m.cycle, m.cycle_last));
        cycles.add("memory", months.filter_map(row));
    }
    if let Some(archive) = &api.archive {
        days.add("clickhouse", archive.days(card, wanted, page.limit.saturating_add(1)).await?);
        if first_page {
            cycles.add("clickhouse", archive.months(card, (page.from, page.to)).await?);
        }
    }
    Ok((days.in_order(), cycles.in_order()))
}

fn within(day: Day, (from, to): (Day, Day)) -> bool {
    (from..=to).contains(&day)
}

/// A row of memory as one of ClickHouse.
fn row<R: Serialize>(row: &R) -> Option<Row> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(row) else { return None };
    fields.remove("card");
    Some(fields)
}

/// Rows of one kind from both sources, one a day or cycle.
struct Rows {
    key: &'static str,
    rows: BTreeMap<i64, Row>,
}

impl Rows {
    fn new(key: &'static str) -> Self {
        Self { key, rows: BTreeMap::new() }
    }

    /// Adds the rows of a source; of two of one key the later stays, and of two of one time the first.
    fn add(&mut self, source: &str, rows: impl IntoIterator<Item = Row>) {
        for mut row in rows {
            row.insert("source".to_owned(), source.into());
            let held = self.rows.get(&number(&row, self.key)).map(|held| number(held, "as_of"));
            if held.is_none_or(|held| held < number(&row, "as_of")) {
                self.rows.insert(number(&row, self.key), row);
            }
        }
    }

    fn in_order(self) -> Vec<Row> {
        self.rows.into_values().collect()
    }
}

fn number(row: &Row, name: &str) -> i64 {
    row.get(name).and_then(Value::as_i64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: (Day, Day) = (20_666, 20_696);

    fn page(from: &str, to: &str, cursor: Option<String>) -> Result<Page, Problem> {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let card = CardId::parse("8986001234567890123").expect("an ICCID");
        Page::of(card, &Asked { from: said(from), to: said(to), limit: None, cursor }, RUNNING)
    }

    #[test]
    fn unless_said_it_is_the_running_cycle() {
        let days = |from, to| page(from, to, None).expect("a page").days();
        assert_eq!(days("", ""), RUNNING);
        assert_eq!(days("2026-08-03", ""), (20_668, 20_696));
        assert_eq!(days("2026-09-03", ""), (20_699, 20_699));
        assert_eq!(days("2026-07-01", "2026-08-01"), (20_635, 20_666));
    }

    #[test]
    fn a_range_that_cannot_be_meant_is_refused_in_words() {
        for (from, to, says) in [
            ("2026-08-02", "2026-08-01", "is after to"),
            ("2025-01-01", "2026-08-01", "at most 400"),
            ("2026-8-1", "", "from: \"2026-8-1\" is no date"),
            ("", "yesterday", "to: \"yesterday\""),
        ] {
            match page(from, to, None) {
                Err(Problem::BadRequest(detail)) => assert!(detail.contains(says), "{detail}"),
                other => panic!("{from} {to}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_page_goes_on_after_the_last_day_of_the_one_before() {
        let first = page("", "", None).expect("a page");
        let next = page("", "", Some(first.question.after(20_670))).expect("a page");
        assert_eq!(next.days(), (20_671, 20_696));
        assert!(matches!(page("2026-08-02", "", Some(first.question.after(20_670))), Err(Problem::Cursor)));
    }

    #[test]
    fn of_two_rows_of_a_day_the_later_counts_and_of_one_time_that_of_memory() {
        let row = |day: i64, as_of: i64| {
            let Value::Object(row) = json!({"day": day, "as_of": as_of}) else { unreachable!() };
            row
        };
        let mut rows = Rows::new("day");
        rows.add("memory", [row(2, 50), row(3, 50)]);
        rows.add("clickhouse", [row(1, 40), row(2, 50), row(3, 51)]);
        let told: Vec<_> = rows.in_order().iter().map(|row| row["source"].clone()).collect();
        assert_eq!(told, ["clickhouse", "memory", "clickhouse"]);
    }
}
