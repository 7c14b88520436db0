//! One card, from the memory of the worker that meters it, here or in another instance; from ClickHouse, marked as such,
//! while nobody has it in memory.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

use super::names::Named;
use super::{Api, forward, problem::Problem, shape};
use crate::model::CardId;
use crate::shell::NoAnswer;
use crate::worker::{Answer, CardAnswer};

/// Who answers for a card.
pub(super) enum Found {
    Here(Box<Answer>),
    /// It has never been registered, or was forgotten.
    Unknown,
    /// Nobody just now, and why.
    Away(String),
    /// Another instance has.
    Passed(Response),
}

impl Api {
    /// Asks whoever meters the card; `rest` of the path and query goes to another instance.
    pub(super) async fn find(&self, card: CardId, rest: &str, headers: &HeaderMap) -> Result<Found, Problem> {
        let answer = match self.workers.card(card).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotHere(partition)) => CardAnswer::Elsewhere { partition },
            Err(why) => return Ok(Found::Away(why.to_string())),
        };
        Ok(match answer {
            CardAnswer::Known(answer) => Found::Here(answer),
            CardAnswer::Unknown { .. } => Found::Unknown,
            CardAnswer::NotReady { partition, why } => {
                Found::Away(format!("partition {partition} of card {card} cannot answer: {why}"))
            }
            CardAnswer::Elsewhere { partition } => {
                match forward::ask(self, partition, &format!("/v1/cards/{card}{rest}"), headers).await {
                    Err(Problem::NotReady(why)) => Found::Away(why),
                    answer => Found::Passed(answer?),
                }
            }
        })
    }
}

pub(super) async fn card(
    State(api): State<Api>,
    Named(name): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let card = api.card_of(&name)?;
    match api.find(card, "", &headers).await? {
        Found::Passed(answer) => Ok(answer),
        Found::Here(answer) => Ok(Json(shape::card(&answer, api.clock())).into_response()),
        Found::Unknown => Err(Problem::NotFound(format!("card {card} has never been registered"))),
        Found::Away(why) => last_known(&api, card, why).await,
    }
}

/// What ClickHouse was told last of a card that nobody has in memory.
async fn last_known(api: &Api, card: CardId, why: String) -> Result<Response, Problem> {
    let Some(archive) = &api.archive else { return Err(Problem::NotReady(why)) };
    match archive.newest_month(card).await {
        Ok(Some(month)) => Ok(Json(shape::last_known(card, month, api.clock(), &why)).into_response()),
        Ok(None) => Err(Problem::NotReady(why)),
        Err(failure) => Err(Problem::NotReady(format!("{why}; nor does ClickHouse: {failure}"))),
    }
}
