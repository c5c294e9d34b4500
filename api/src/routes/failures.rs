//! `GET /v1/failures`: what ended as `error`, grouped by format, code and decoder, the largest groups first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::domain::ledger::FailureGroup;
use shared::domain::moment::rfc3339;

use crate::App;
use crate::error::ApiError;
use crate::extract::Params;

/// Most groups of one answer: formats times codes are not many more.
const GROUPS_MAX: u32 = 200;

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    limit: Option<u32>,
}

pub(crate) async fn get(State(app): State<Arc<App>>, Params(query): Params<Query>) -> Result<Json<Value>, ApiError> {
    let limit = query.limit.unwrap_or(GROUPS_MAX);
    if !(1..=GROUPS_MAX).contains(&limit) {
        return Err(ApiError::BadRequest(format!("limit is not a number from 1 to {GROUPS_MAX}")));
    }
    let groups = app.deps.store.failures(limit).await?;
    Ok(Json(json!({ "failures": groups.iter().map(group).collect::<Vec<_>>() })))
}

fn group(group: &FailureGroup) -> Value {
    json!({
        "format": group.format.map(|format| format.name()),
        "decoder": group.format.map(|format| format.decoder()),
        "code": group.code.name(),
        "representations": group.representations,
        "versions": group.versions,
        "first_at": rfc3339(group.first_at),
        "last_at": rfc3339(group.last_at),
        "example": { "version_id": group.example.to_string(), "reason": group.reason },
    })
}
