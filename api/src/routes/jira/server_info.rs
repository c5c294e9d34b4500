//! `GET /rest/api/{v}/serverInfo`: what clients ask first to learn what they talk to. Public, as Jira's is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::json;
use crate::App;
use crate::extract::JiraPath;
use crate::wire::jira;

pub(crate) async fn get(State(app): State<Arc<App>>, path: JiraPath) -> Response {
    json(&jira::server(&app.deps.links.jira(path.version)))
}
