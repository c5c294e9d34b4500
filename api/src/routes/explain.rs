//! `GET /v1/files/{id}/explain`: the life of one file in order, with reasons.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};
use shared::domain::explain::explain;
use shared::domain::moment::rfc3339;

use crate::App;
use crate::error::ApiError;
use crate::extract::Segment;

pub(crate) async fn get(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<Response, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    let life = app.deps.store.life(id).await?.ok_or(ApiError::NotFound)?;
    let events: Vec<Value> = explain(&life)
        .into_iter()
        .map(|told| json!({ "at": rfc3339(told.at), "kind": told.kind, "detail": told.detail }))
        .collect();
    Ok(([(CACHE_CONTROL, "private, no-cache")], Json(json!({ "events": events }))).into_response())
}
