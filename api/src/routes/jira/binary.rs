//! `GET /file/{uuid}/binary`: the bytes behind a link that Jira's clients are led to, for whoever holds it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method};
use serde::Deserialize;

use crate::App;
use crate::error::ApiError;
use crate::extract::{MediaPath, Params};
use crate::routes::media;

/// What the link says; its path is for people and apps.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    file: Option<String>,
    version: Option<String>,
    what: Option<String>,
    expires: Option<String>,
    disposition: Option<String>,
    name: Option<String>,
    access: Option<String>,
    signature: Option<String>,
}

/// What is gone since the link was made is gone here too.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Params(query): Params<Query>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query { file, version, what, expires, disposition, name, access, signature } = query;
    let path = named(file.as_deref(), version.as_deref(), what).ok_or(ApiError::LinkExpired)?;
    let grant = media::granted(&app, &path, media::Query { expires, disposition, name, access, signature })?;
    media::send(&app, &grant, (&method, &headers)).await
}

fn named(file: Option<&str>, version: Option<&str>, what: Option<String>) -> Option<MediaPath> {
    Some(MediaPath { file: file?.parse().ok()?, version: version?.parse().ok()?, what: what? })
}
