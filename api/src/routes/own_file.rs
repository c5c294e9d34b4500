//! `GET /v1/files/{id}`: a file with where each of its representations stands. Starts nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;

use crate::App;
use crate::asking::untrashed;
use crate::error::ApiError;
use crate::extract::Segment;
use crate::wire::own_file::OwnFile;

pub(crate) async fn get(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<Response, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    let state = untrashed(app.deps.store.file(id).await?.ok_or(ApiError::NotFound)?)?;
    let file = OwnFile::new(&app.deps.presets, &state, &app.deps.links);
    Ok(([(CACHE_CONTROL, "private, no-cache")], Json(file)).into_response())
}
