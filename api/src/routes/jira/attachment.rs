//! `GET` and `DELETE /rest/api/{v}/attachment/{id}`: an attachment's metadata, and its end.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use shared::domain::principal::Action;
use shared::ports::file_store::Change;
use shared::ports::state_store::StoreError;

use super::json;
use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::JiraPath;
use crate::wire::jira::{self, IdAs};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, path: JiraPath) -> Result<Response, ApiError> {
    let file = app.attachment(&path.id, &caller, Action::Read).await?;
    Ok(json(&jira::attachment(&file, IdAs::Number, &app.deps.links.jira(path.version))))
}

/// Jira has no trash, but ours keeps what was deleted by mistake: an operator, or a Box client, brings it back.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: JiraPath,
) -> Result<StatusCode, ApiError> {
    let file = app.attachment(&path.id, &caller, Action::Delete).await?;
    match app.deps.files.change(file.file.id, &Change::Trash, None).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        // Somebody else was faster.
        Err(StoreError::NotFound | StoreError::Refused(_)) => {
            Err(ApiError::AttachmentMissing(file.file.id.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}
