//! `/2.0/files/{id}`: a file with its representations when they are asked for, another name or folder for it, and its
//! way to the trash. Starts nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use shared::domain::file::FileState;
use shared::domain::ids::FileId;
use shared::domain::principal::Action;
use shared::ports::file_store::Change;

use crate::App;
use crate::auth::access::Caller;
use crate::content::conditional::names_revision;
use crate::error::ApiError;
use crate::extract::{BoxFileId, JsonBody, Params};
use crate::upload::name;
use crate::wire::box_file::{self, Fields, FolderReference, View};

/// What the routes read of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    fields: Option<String>,
}

/// What can be changed of a file; clients send more, which is left alone.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Changes {
    name: Option<String>,
    parent: Option<FolderReference>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let state = app.open(id, &caller, Action::Read).await?;
    let hints = box_file::hints(&headers)?;
    if names_revision(&headers, &IF_NONE_MATCH, state.file.revision) == Some(true) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let file = box_file::file(&View::new(&app, &state, hints.as_ref()), &Fields::parse(query.fields.as_deref()));
    Ok(([(CACHE_CONTROL, "private, no-cache")], Json(file)).into_response())
}

pub(crate) async fn put(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    Params(query): Params<Query>,
    headers: HeaderMap,
    changes: Result<JsonBody<Changes>, ApiError>,
) -> Result<Response, ApiError> {
    let state = app.open(id, &caller, Action::Write).await?;
    let JsonBody(changes) = changes?;
    let revision = expected_revision(&headers, &state)?;
    let parent = changes.parent.map(|parent| parent.id()).transpose()?.flatten();
    changes.name.as_deref().map_or(Ok(()), name::check)?;
    if changes.name.is_some() || parent.is_some() {
        let folder = parent.clone().or(state.file.parent);
        let name = changes.name.clone().unwrap_or(state.file.name);
        let change = Change::Place { name: changes.name, parent };
        match app.deps.files.change(id, &change, revision).await.map_err(ApiError::from) {
            Err(ApiError::NameInUse(_)) => return Err(app.name_in_use(&caller, folder.as_deref(), &name).await),
            changed => changed?,
        }
    }
    let state = app.file(id).await?;
    let file = box_file::file(&View::new(&app, &state, None), &Fields::parse(query.fields.as_deref()));
    Ok(Json(file).into_response())
}

/// Into the trash. Afterwards the file answers 404 `trashed`: contract section 4.5.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let state = app.open(id, &caller, Action::Delete).await?;
    let revision = expected_revision(&headers, &state)?;
    app.change(id, Change::Trash, revision).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The revision that `If-Match` wants, if it names the one that the file shows.
pub(super) fn expected_revision(headers: &HeaderMap, state: &FileState) -> Result<Option<u32>, ApiError> {
    match names_revision(headers, &IF_MATCH, state.file.revision) {
        None => Ok(None),
        Some(true) => Ok(Some(state.file.revision)),
        Some(false) => Err(ApiError::PreconditionFailed),
    }
}

impl App {
    /// Changes a file and tells the log.
    pub(crate) async fn change(&self, id: FileId, change: Change, revision: Option<u32>) -> Result<(), ApiError> {
        self.deps.files.change(id, &change, revision).await?;
        tracing::info!(file.id = %id, "file {id} was changed: {change:?}");
        Ok(())
    }
}
