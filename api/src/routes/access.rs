//! `GET` and `PUT /v1/files/{file}/access`: who may see a file, for operators.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::domain::access::Access;
use shared::domain::ids::FileId;

use crate::App;
use crate::error::ApiError;
use crate::extract::Segment;

/// Longest body, in bytes: the largest access there can be, with room for escapes.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Who may see a file; `null`: operators only.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAccess {
    // Present, if only as null: nobody should close a file by a typing error.
    #[serde(deserialize_with = "Option::deserialize")]
    access: Option<Access>,
}

pub(crate) async fn get(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<Response, ApiError> {
    let found = app.deps.access.access_of(parse(&id)?).await?.ok_or(ApiError::NotFound)?;
    Ok(answer(FileAccess { access: found.access }))
}

/// Holds from the next request on.
pub(crate) async fn put(State(app): State<Arc<App>>, Segment(id): Segment, body: Body) -> Result<Response, ApiError> {
    let file = parse(&id)?;
    let refused = |problem: &dyn std::fmt::Display| ApiError::BadRequest(format!("the body is no access: {problem}"));
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|error| refused(&error))?;
    let wanted: FileAccess = serde_json::from_slice(&body).map_err(|error| refused(&error))?;
    if !app.deps.access.set_access(file, wanted.access.as_ref()).await? {
        return Err(ApiError::NotFound);
    }
    tracing::info!(file.id = %file, "who may see file {file} was changed");
    Ok(answer(wanted))
}

fn parse(id: &str) -> Result<FileId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}

fn answer(access: FileAccess) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(access)).into_response()
}
