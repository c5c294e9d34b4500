//! `GET /rest/api/{v}/myself` and `/rest/api/{v}/user`: the account that authors of attachments link to.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::json;
use crate::App;
use crate::error::ApiError;
use crate::extract::{JiraPath, Params};
use crate::wire::jira::{self, OPERATOR_ACCOUNT};

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    #[serde(rename = "accountId")]
    account_id: Option<String>,
}

pub(crate) async fn myself(State(app): State<Arc<App>>, path: JiraPath) -> Response {
    json(&jira::user(&app.deps.links.jira(path.version)))
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    path: JiraPath,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    match query.account_id.as_deref() {
        None => Err(ApiError::BadRequest("accountId is missing".to_owned())),
        Some(OPERATOR_ACCOUNT) => Ok(json(&jira::user(&app.deps.links.jira(path.version)))),
        Some(_) => Err(ApiError::UserMissing),
    }
}
