//! Orders of the operations team to the workers here.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, problem::Problem};
use crate::model::LogOffset;

/// The body of a skip.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Skip {
    offset: u64,
    reason: String,
}

const NO_PARTITION: &str =
    "partition: the number of one is expected in the path, as GET /v1/partitions has it";

pub(super) async fn skip(
    State(api): State<Api>,
    partition: Result<Path<u32>, PathRejection>,
    skip: Result<Json<Skip>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let no_number = |_| Problem::BadRequest(NO_PARTITION.to_owned());
    let Path(partition) = partition.map_err(no_number)?;
    let Json(skip) = skip.map_err(Problem::from)?;
    if !api.workers.has(partition) {
        return Err(Problem::NotFound(format!("the log has no partition {partition}")));
    }
    let done = api.workers.skip(partition, LogOffset(skip.offset), skip.reason).await?;
    done.map_err(|refused| Problem::Conflict(refused.to_string()))?;
    Ok(Json(json!({ "skipped": { "partition": partition, "offset": skip.offset } })))
}

pub(super) async fn drain(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    api.workers.drain().await?.map_err(|refused| Problem::Conflict(refused.to_string()))?;
    Ok(Json(json!({ "drained": api.board.partitions().len() })))
}
