//! `POST /rest/api/{v}/issue/{key}/attachments`: one file or several, each of them a file of its own.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use shared::domain::file::Condition;

use super::{issue, json};
use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::JiraPath;
use crate::upload::{Target, check_length, linger, linger_unread, receive_files};
use crate::wire::jira::{self, IdAs};

/// A header that no form of another site's page can send; `nocheck` is the word of old servers.
const ATLASSIAN_TOKEN: HeaderName = HeaderName::from_static("x-atlassian-token");
const NO_CHECK: [&str; 2] = ["no-check", "nocheck"];

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: JiraPath,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let key = match checked(&app, &parts.headers, &path.id) {
        Ok(key) => key,
        Err(refusal) => {
            linger_unread(&parts.headers, body);
            return Err(refusal);
        }
    };
    let received = match receive_files(&parts.headers, &mut body, &app.deps.config).await {
        Ok(received) => received,
        Err(error) => {
            linger(body);
            return Err(error);
        }
    };
    let links = app.deps.links.jira(path.version);
    let tenant = caller.tenant(&app.deps.config.tenant);
    let mut attachments = Vec::with_capacity(received.len());
    for file in received {
        // Attachments of an issue may have the same name.
        let access = caller.new_access(None, app.deps.config.default_access().as_ref());
        let target = Target::new_file(tenant, file.name, Some(key.clone()), access, Condition::Always);
        let id = app.take_in(target, &file.spooled, file.content_type).await?.file_id;
        let state = app.deps.store.file(id).await?.ok_or(ApiError::NotFound)?;
        attachments.push(jira::attachment(&state, IdAs::Text, &links));
    }
    // 200, not 201: contract 0.17.
    Ok(json(&Value::Array(attachments)))
}

/// What can be refused before the first byte of the body is read.
fn checked(app: &App, headers: &HeaderMap, id: &str) -> Result<String, ApiError> {
    app.attachments_enabled()?;
    let key = issue::key(id)?;
    let token = headers.get(ATLASSIAN_TOKEN).and_then(|value| value.to_str().ok()).unwrap_or("").trim();
    if !NO_CHECK.iter().any(|word| token.eq_ignore_ascii_case(word)) {
        return Err(ApiError::XsrfCheckFailed);
    }
    check_length(headers, &app.deps.config)?;
    Ok(key)
}
