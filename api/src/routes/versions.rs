//! `/2.0/files/{id}/versions`: the versions before the current one, their way to the trash and back, and to the front.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::IF_MATCH;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::domain::file::FileState;
use shared::domain::ids::FileVersionId;
use shared::ports::file_store::Change;

use crate::App;
use crate::content::conditional::names_revision;
use crate::error::ApiError;
use crate::extract::{BoxFileId, BoxVersionPath, JsonBody, Paging, Params};
use crate::wire::box_file::{self, Fields, View};

/// Versions that are looked at; Box keeps at most 100.
const VERSIONS_MAX: u32 = 1000;

/// What the routes read of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    fields: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
}

/// `POST …/versions/current`.
#[derive(Debug, Deserialize)]
pub(crate) struct Promotion {
    id: String,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    BoxFileId(id): BoxFileId,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let paging = Paging::parse(query.limit.as_deref(), query.offset.as_deref())?;
    let current = app.file(id).await?.version.id;
    let mut versions = app.deps.files.versions(id, None, VERSIONS_MAX).await?;
    versions.retain(|state| state.version.id != current && state.version.trashed_at.is_none());
    let fields = Fields::parse(query.fields.as_deref());
    let page = versions.iter().skip(paging.offset as usize).take(paging.limit as usize);
    let entries: Vec<Value> = page.map(|state| box_file::version(&View::new(&app, state, None), &fields)).collect();
    Ok(Json(json!({
        "total_count": versions.len(),
        "entries": entries,
        "limit": paging.limit,
        "offset": paging.offset,
        "order": [{ "by": "id", "direction": "DESC" }],
    }))
    .into_response())
}

/// One version, current or not, with its representations when they are asked for: contract section 2.1.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    BoxVersionPath { file, version }: BoxVersionPath,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let hints = box_file::hints(&headers)?;
    let state = app.version(file, version).await?;
    let fields = Fields::parse(query.fields.as_deref());
    Ok(Json(box_file::version(&View::new(&app, &state, hints.as_ref()), &fields)).into_response())
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    BoxVersionPath { file, version }: BoxVersionPath,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let state = app.version(file, version).await?;
    // A version's own tag is its id, a file's its revision: clients send either.
    let is_named = names_revision(&headers, &IF_MATCH, state.file.revision);
    if is_named == Some(false) {
        return Err(ApiError::PreconditionFailed);
    }
    app.change(file, Change::TrashVersion(version), is_named.map(|_| state.file.revision)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Out of the trash again: `{"trashed_at": null}`.
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    BoxVersionPath { file, version }: BoxVersionPath,
    JsonBody(body): JsonBody<Value>,
) -> Result<Response, ApiError> {
    if !body.get("trashed_at").is_some_and(Value::is_null) {
        return Err(ApiError::BadRequest("a version takes \"trashed_at\": null and nothing else".to_owned()));
    }
    app.file(file).await?;
    app.change(file, Change::RestoreVersion(version), None).await?;
    let state = app.version(file, version).await?;
    Ok(Json(box_file::version(&View::new(&app, &state, None), &Fields::parse(None))).into_response())
}

/// Makes a copy of an older version the current one.
pub(crate) async fn promote(
    State(app): State<Arc<App>>,
    BoxFileId(file): BoxFileId,
    JsonBody(Promotion { id }): JsonBody<Promotion>,
) -> Result<Response, ApiError> {
    let version: FileVersionId = id.parse().map_err(|_| ApiError::NotFound)?;
    let FileState { file: owner, version: old, .. } = app.version(file, version).await?;
    app.promote(&owner, &old).await?;
    let state = app.file(file).await?;
    Ok((StatusCode::CREATED, Json(box_file::version(&View::new(&app, &state, None), &Fields::parse(None))))
        .into_response())
}
