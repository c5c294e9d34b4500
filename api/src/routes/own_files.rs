//! `GET /v1/files`: the newest files first, page by page; or the one that a producer knows by its source.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::domain::file::FileState;
use shared::domain::ids::Tenant;
use shared::event::identity::of_source_id;

use crate::App;
use crate::auth::access::Caller;
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
    source: Option<String>,
    source_id: Option<String>,
    tenant: Option<Tenant>,
}

#[derive(Debug, Serialize)]
struct Page {
    files: Vec<OwnFile>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    if let Some(identity) = identity(&query)? {
        let tenant = query.tenant.as_ref().unwrap_or_else(|| caller.tenant(&app.deps.config.tenant));
        let found = app.deps.store.file_by_identity(tenant, &identity).await?;
        let files: Vec<_> = found.into_iter().collect();
        return Ok(answer(&app, &caller, &files, None));
    }
    let limit = limit(query.limit.as_deref())?;
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| ApiError::BadRequest("cursor is not one that a list gave out".to_owned()))?;
    // One more than asked for tells whether there is a next page.
    let mut states = app.deps.store.recent(before, limit + 1).await?;
    let has_more = states.len() > limit as usize;
    states.truncate(limit as usize);
    let next_cursor = states.last().filter(|_| has_more).map(|state| state.file.id.to_string());
    Ok(answer(&app, &caller, &states, next_cursor))
}

/// What the caller may see of these; a page may come out short, or empty with a cursor.
fn answer(app: &App, caller: &Caller, states: &[FileState], next_cursor: Option<String>) -> Response {
    let shown = states.iter().filter(|state| caller.sees(state));
    let files = shown.map(|state| OwnFile::new(&app.deps.presets, state, &app.deps.links)).collect();
    ([(CACHE_CONTROL, "private, no-cache")], Json(Page { files, next_cursor })).into_response()
}

/// The identity of the one file that is asked for, if one is.
fn identity(query: &Query) -> Result<Option<String>, ApiError> {
    let place = |source: &str| source.strip_prefix("s3://").and_then(|place| place.split_once('/')).is_some();
    match (&query.source, &query.source_id) {
        (None, None) => Ok(None),
        (None, Some(id)) => Ok(Some(of_source_id(id))),
        (Some(source), None) if place(source) => Ok(Some(source.clone())),
        (Some(_), None) => Err(ApiError::BadRequest("source is not s3://BUCKET/KEY".to_owned())),
        (Some(_), Some(_)) => Err(ApiError::BadRequest("source and source_id cannot both be asked for".to_owned())),
    }
}

fn limit(text: Option<&str>) -> Result<u32, ApiError> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| ApiError::BadRequest(format!("limit is not a number from 1 to {LIMIT_MAX}")))
}
