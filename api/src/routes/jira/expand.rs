//! `GET /rest/api/{v}/attachment/{id}/expand/{human|raw}`: the content of an archive, which we do not look into.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use shared::domain::principal::Action;

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::JiraPath;

/// Jira answers 409 to every attachment that is no archive of a kind that it reads.
pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, path: JiraPath) -> Result<Response, ApiError> {
    let file = app.attachment(&path.id, &caller, Action::Read).await?;
    Err(ApiError::NotAnArchive(file.file.id.to_string()))
}
