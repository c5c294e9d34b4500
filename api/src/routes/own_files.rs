//! `GET /v1/files`: the newest files first, page by page.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::error::ApiError;
use crate::extract::Params;
use crate::wire::own_file::OwnFile;

/// Files on one page of the list when the client does not say.
const LIMIT_DEFAULT: u32 = 20;
/// Most files on one page of the list.
const LIMIT_MAX: u32 = 100;

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Page {
    files: Vec<OwnFile>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

pub(crate) async fn get(State(app): State<Arc<App>>, Params(query): Params<Query>) -> Result<Response, ApiError> {
    let limit = limit(query.limit.as_deref())?;
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| ApiError::BadRequest("cursor is not one that a list gave out".to_owned()))?;
    // One more than asked for tells whether there is a next page.
    let mut states = app.deps.store.recent(before, limit + 1).await?;
    let has_more = states.len() > limit as usize;
    states.truncate(limit as usize);
    let next_cursor = states.last().filter(|_| has_more).map(|state| state.file.id.to_string());
    let files = states.iter().map(|state| OwnFile::new(&app.deps.presets, state, &app.deps.links)).collect();
    Ok(([(CACHE_CONTROL, "private, no-cache")], Json(Page { files, next_cursor })).into_response())
}

fn limit(text: Option<&str>) -> Result<u32, ApiError> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| ApiError::BadRequest(format!("limit is not a number from 1 to {LIMIT_MAX}")))
}
