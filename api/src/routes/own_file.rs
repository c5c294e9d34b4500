//! `GET /v1/files/{id}`: a file with where each of its representations stands. Starts nothing, but may wait for what has begun.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use serde::Deserialize;
use shared::domain::file::FileState;
use shared::domain::ids::FileId;
use tokio::time::Instant;

use crate::App;
use crate::error::ApiError;
use crate::extract::{Params, Segment};
use crate::pace;
use crate::waiting::WAIT_SECONDS_MAX;
use crate::wire::own_file::OwnFile;

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    /// Seconds to wait until nothing is pending; more than the most are the most.
    wait: Option<String>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    let wait = query.wait.as_deref().map_or(Ok(Duration::ZERO), wait)?;
    let state = settled(&app, id, Instant::now() + wait).await?;
    let eta_ms = app.pace.eta_ms(&state).await;
    let file = OwnFile::new(&app.deps.presets, &state, &app.deps.links, eta_ms);
    let mut response = ([(CACHE_CONTROL, "private, no-cache")], Json(file)).into_response();
    if let Some(eta_ms) = eta_ms {
        response.headers_mut().insert(RETRY_AFTER, pace::retry_after_seconds(Duration::from_millis(eta_ms)).into());
    }
    Ok(response)
}

/// The file once nothing of its current version is pending, or as it stands at the deadline. A version that becomes current
/// meanwhile is waited for as well.
async fn settled(app: &App, id: FileId, deadline: Instant) -> Result<FileState, ApiError> {
    loop {
        let state = app.file(id).await?;
        if state.representations.iter().all(|row| row.state.has_settled()) || Instant::now() >= deadline {
            return Ok(state);
        }
        let has_settled = tokio::select! {
            has_settled = app.waiting_room.settles(state.version.id, deadline) => has_settled,
            // Whoever waits is answered as things stand.
            () = app.deps.shutdown.cancelled() => false,
        };
        if !has_settled {
            return app.file(id).await;
        }
    }
}

fn wait(text: &str) -> Result<Duration, ApiError> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = || ApiError::BadRequest("wait is not a number of seconds".to_owned());
    let seconds = if is_plain { text.parse().unwrap_or(u64::MAX) } else { return Err(wrong()) };
    Ok(Duration::from_secs(seconds.min(WAIT_SECONDS_MAX)))
}
