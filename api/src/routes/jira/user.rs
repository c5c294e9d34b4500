//! `GET /rest/api/{v}/myself` and `/rest/api/{v}/user`: the account that authors of attachments link to.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::domain::principal::Principal;

use super::json;
use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::{JiraPath, Params};
use crate::wire::jira::{self, OPERATOR_ACCOUNT};

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    #[serde(rename = "accountId")]
    account_id: Option<String>,
}

/// Nobody in particular has no account.
pub(crate) async fn myself(State(app): State<Arc<App>>, caller: Caller, path: JiraPath) -> Result<Response, ApiError> {
    if *caller.0 == Principal::Anonymous {
        return Err(ApiError::Unauthorized);
    }
    let account = caller.0.user().unwrap_or(OPERATOR_ACCOUNT);
    Ok(json(&jira::user(account, &app.deps.links.jira(path.version))))
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: JiraPath,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    match query.account_id.as_deref() {
        None => Err(ApiError::BadRequest("accountId is missing".to_owned())),
        Some(account) if account == OPERATOR_ACCOUNT || caller.0.user() == Some(account) => {
            Ok(json(&jira::user(account, &app.deps.links.jira(path.version))))
        }
        Some(_) => Err(ApiError::UserMissing),
    }
}
