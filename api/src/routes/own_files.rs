//! `GET /v1/files`: the newest files first, page by page, or those of a source.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::domain::file::FileState;
use shared::domain::ids::Tenant;
use shared::event::identity;

use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::Params;
use crate::wire::own_file::OwnFile;
use crate::{App, paging};

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    limit: Option<String>,
    cursor: Option<String>,
    /// `s3://bucket/key`.
    source: Option<String>,
    /// The producer's own name.
    source_id: Option<String>,
    /// Whose file; default: the bucket's, or that of uploads through the API.
    tenant: Option<String>,
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
    if query.source.is_some() || query.source_id.is_some() {
        let mut found = find(&app, &caller, &query).await?;
        found.retain(|state| state.file.trashed_at.is_none());
        return Ok(answer(&app, &caller, &found, None).await);
    }
    let page = paging::Page::parse(query.limit.as_deref(), query.cursor.as_deref())?;
    let mut states = app.deps.store.recent(page.after, page.wanted()).await?;
    let next_cursor = page.cut(&mut states, |state| state.file.id);
    Ok(answer(&app, &caller, &states, next_cursor).await)
}

/// What the caller may see of these; a page may come out short, or empty with a cursor.
async fn answer(app: &App, caller: &Caller, states: &[FileState], next_cursor: Option<String>) -> Response {
    let mut files = Vec::with_capacity(states.len());
    for state in states.iter().filter(|state| caller.sees(state)) {
        let eta_ms = app.pace.eta_ms(state).await;
        files.push(OwnFile::new(&app.deps.presets, state, &app.deps.links, eta_ms));
    }
    ([(CACHE_CONTROL, "private, no-cache")], Json(Page { files, next_cursor })).into_response()
}

/// The files whose source this is, or the one that its producer calls so.
async fn find(app: &App, caller: &Caller, query: &Query) -> Result<Vec<FileState>, ApiError> {
    let tenant = query.tenant.as_deref().map(str::parse::<Tenant>).transpose();
    let tenant = tenant.map_err(|invalid| ApiError::BadRequest(invalid.to_string()))?;
    let store = &app.deps.store;
    match (&query.source, &query.source_id) {
        (Some(source), None) => {
            let place = source.strip_prefix("s3://").and_then(|place| place.split_once('/'));
            let (bucket, key) =
                place.ok_or_else(|| ApiError::BadRequest("source is written s3://bucket/key".to_owned()))?;
            let of_bucket = || app.deps.buckets.get(bucket).map(|bucket| bucket.tenant.clone());
            let tenant = tenant.or_else(of_bucket).unwrap_or_else(|| caller.tenant(&app.deps.config.tenant).clone());
            Ok(store.files_by_source(&tenant, bucket, key, paging::LIMIT_MAX).await?)
        }
        (None, Some(source_id)) => {
            let tenant = tenant.unwrap_or_else(|| caller.tenant(&app.deps.config.tenant).clone());
            let found = store.file_by_identity(&tenant, &identity::of_source_id(source_id)).await?;
            Ok(found.into_iter().collect())
        }
        _ => Err(ApiError::BadRequest("ask for source or for source_id, not for both".to_owned())),
    }
}
