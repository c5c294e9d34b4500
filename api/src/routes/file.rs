//! `GET /2.0/files/{id}`: a file with its representations when they are asked for. Starts nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use serde::Deserialize;
use shared::domain::ids::FileId;
use shared::domain::principal::Action;

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::{Params, Segment};
use crate::wire::box_file::{self, Fields, View};

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    fields: Option<String>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segment(id): Segment,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let hints = box_file::hints(&headers)?;
    let state = app.file(parse(&id)?, &caller, Action::Read).await?;
    let view = View { state: &state, presets: &app.deps.presets, hints: hints.as_ref(), links: &app.deps.links };
    let file = box_file::file(&view, &Fields::parse(query.fields.as_deref()));
    Ok(([(CACHE_CONTROL, "private, no-cache")], Json(file)).into_response())
}

/// Box answers 405 to what is not an id at all: contract section 2.1.
fn parse(id: &str) -> Result<FileId, ApiError> {
    let is_decimal = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    id.parse().map_err(|_| if is_decimal { ApiError::NotFound } else { ApiError::MethodNotAllowed })
}
