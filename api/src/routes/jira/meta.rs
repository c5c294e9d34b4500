//! `GET /rest/api/{v}/attachment/meta`: whether there are attachments, and how long they may be.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::json;
use crate::App;
use crate::extract::JiraPath;

pub(crate) async fn get(State(app): State<Arc<App>>, _: JiraPath) -> Response {
    let (enabled, limit) = (app.deps.jira.attachments_enabled, app.deps.config.upload_bytes_max);
    json(&serde_json::json!({ "enabled": enabled, "uploadLimit": limit }))
}
