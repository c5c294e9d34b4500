//! `/2.0/files/{id}/trash`: what is in the trash, its way back and its end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use shared::domain::file::FileState;
use shared::domain::ids::FileId;
use shared::domain::principal::Action;
use shared::ports::file_store::Change;

use super::file::expected_revision;
use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::{BoxFileId, Params};
use crate::wire::box_file::{self, Fields, View};

/// What the routes read of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    fields: Option<String>,
}

async fn trashed(app: &App, id: FileId, caller: &Caller, action: Action) -> Result<FileState, ApiError> {
    let state = caller.opens(app.deps.store.file(id).await?, action)?;
    if state.file.trashed_at.is_some() { Ok(state) } else { Err(ApiError::NotTrashed) }
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let state = trashed(&app, id, &caller, Action::Read).await?;
    let file = box_file::file(&View::new(&app, &state, None), &Fields::parse(query.fields.as_deref()));
    Ok(Json(file).into_response())
}

/// For good.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let state = trashed(&app, id, &caller, Action::Delete).await?;
    app.change(id, Change::Purge, expected_revision(&headers, &state)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /2.0/files/{id}`: back to where it was. A body may follow, but a file comes back under its own name only.
pub(crate) async fn restore(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let state = trashed(&app, id, &caller, Action::Write).await?;
    match app.change(id, Change::Restore, None).await {
        Err(ApiError::NameInUse(_)) => {
            return Err(app.name_in_use(&caller, state.file.parent.as_deref(), &state.file.name).await);
        }
        restored => restored?,
    }
    let state = app.file(id).await?;
    let file = box_file::file(&View::new(&app, &state, None), &Fields::parse(query.fields.as_deref()));
    Ok((StatusCode::CREATED, Json(file)).into_response())
}
