//! One card, from the memory of the worker that meters it, here or in another instance.

use super::{Api, forward, problem::Problem, shape};
use crate::model::CardId;
use crate::shell::NoAnswer;
use crate::worker::CardAnswer;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

pub(super) async fn card(
    State(api): State<Api>,
    Path(iccid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let card = CardId::parse(&iccid).map_err(|e| Problem::BadRequest(format!("{iccid:?}: {e}")))?;
    let answer = match api.workers.card(card).await {
        Err(NoAnswer::NotHere(partition)) => CardAnswer::Elsewhere { partition },
        answer => answer?,
    };
    match answer {
        CardAnswer::Known(answer) => {
            let clock = if api.clock_supplied { "supplied" } else { "log" };
            Ok(Json(shape::card(&answer, clock)).into_response())
        }
        CardAnswer::Unknown { .. } => {
            Err(Problem::NotFound(format!("card {card} has never been registered")))
        }
        CardAnswer::NotReady { partition, why } => {
            Err(Problem::NotReady(format!("partition {partition} of card {card} cannot answer: {why}")))
        }
        CardAnswer::Elsewhere { partition } => {
            forward::ask(&api, partition, &format!("/v1/cards/{card}"), &headers).await
        }
    }
}
