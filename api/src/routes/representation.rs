//! `GET …/representations/{name}`: where one representation stands. Asking for a `none` starts it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use shared::domain::representation::State;

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::RepresentationPath;
use crate::wire::box_entry::Entry;

/// Always 200 and never `none`: clients poll a `none` without a pause (contract 0.7).
pub(crate) async fn get(
    Shared(app): Shared<Arc<App>>,
    caller: Caller,
    path: RepresentationPath,
) -> Result<Response, ApiError> {
    let found = app.find(&path, &caller).await?;
    if matches!(found.state(), None | Some(State::Pending)) {
        app.ask(&found).await?;
    }
    let state = found.state().unwrap_or(&State::Pending);
    let entry = Entry::full(&found.file, &found.preset, Some(state), &app.deps.links);
    Ok(([(CACHE_CONTROL, "no-store")], Json(entry)).into_response())
}
