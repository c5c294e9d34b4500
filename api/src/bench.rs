//! The handlers that `make bench-api` measures ours against, behind the same middleware; no release has them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::App;
use crate::error::ApiError;
use crate::extract::BoxFileId;

/// What is sent from memory: a thumbnail's worth of bytes.
static THUMBNAIL: [u8; 16 * 1024] = [0x55; 16 * 1024];

/// `GET /bench/row/{file}`: one prepared query by primary key through the same pool.
pub(crate) async fn row(State(app): State<Arc<App>>, BoxFileId(id): BoxFileId) -> Result<Response, ApiError> {
    let found = app.deps.access.access_of(id).await?.ok_or(ApiError::NotFound)?;
    Ok(Json(json!({ "type": "file", "id": id.to_string(), "tenant": found.tenant.as_str() })).into_response())
}

/// `GET /bench/bytes/{count}`: so many bytes, at most 16 KiB, from memory.
pub(crate) async fn bytes(Path(count): Path<usize>) -> Response {
    let whole = Bytes::from_static(&THUMBNAIL);
    ([(CONTENT_TYPE, "image/jpeg")], whole.slice(..count.min(whole.len()))).into_response()
}
