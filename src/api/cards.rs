//! One card, from the memory of the worker that meters it.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{Api, problem::Problem};
use crate::model::CardId;
use crate::worker::CardAnswer;

pub(super) async fn card(State(api): State<Api>, Path(iccid): Path<String>) -> Result<Json<Value>, Problem> {
    let card = CardId::parse(&iccid).map_err(|e| Problem::BadRequest(format!("{iccid:?}: {e}")))?;
    let clock = if api.clock_supplied { "supplied" } else { "log" };
    match api.workers.card(card).await? {
        CardAnswer::Known(answer) => {
            Ok(Json(json!({ "source": "memory", "clock": clock, "answer": answer })))
        }
        CardAnswer::Unknown { .. } => {
            Err(Problem::NotFound(format!("card {card} has never been registered")))
        }
        CardAnswer::NotReady { partition, why } => {
            Err(Problem::NotReady(format!("partition {partition} of card {card} cannot answer: {why}")))
        }
        CardAnswer::Elsewhere { partition } => Err(Problem::NotReady(format!(
            "partition {partition} of card {card} is held by another instance"
        ))),
    }
}
