//! `GET /file/{uuid}/binary`: the bytes behind a signed link, for whoever holds it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method};
use serde::Deserialize;

use crate::App;
use crate::asking::untrashed;
use crate::content::asset::Asset;
use crate::content::signed::Named;
use crate::error::ApiError;
use crate::extract::Params;

/// What the link says; its path is for people and apps.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    file: String,
    version: String,
    representation: Option<String>,
    expires: String,
    signature: String,
}

/// What is gone since the link was made is gone here too.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Params(query): Params<Query>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let named = accepted(&app, &query).ok_or(ApiError::LinkExpired)?;
    // The signature is the permission.
    let file = app.deps.store.version(named.file, named.version).await?.ok_or(ApiError::NotFound)?;
    let file = untrashed(file)?;
    let Some(name) = named.representation else { return Asset::of_source(&file)?.send(&app, &method, &headers).await };
    let preset = app.deps.presets.resolve(&name).ok_or(ApiError::NotFound)?;
    let row = file.representation(&preset.name).ok_or(ApiError::NotFound)?;
    let page = row.state.content().ok_or(ApiError::NotFound)?.first();
    Asset::of_page(&file, &preset, page)?.send(&app, &method, &headers).await
}

/// What the link names, when it is one of ours and still holds.
fn accepted(app: &App, query: &Query) -> Option<Named> {
    let named = Named {
        file: query.file.parse().ok()?,
        version: query.version.parse().ok()?,
        representation: query.representation.clone(),
    };
    let expires = query.expires.parse().ok()?;
    app.deps.signer.accepts(&named, expires, &query.signature).then_some(named)
}
