//! `/v1/parked`: messages that nobody could read; list, look at one, replay it, drop it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::ports::parking::{Parked, ParkedFilter};

use crate::error::ApiError;
use crate::extract::{Params, Segment};
use crate::wire::parked::{ParkedEntry, ParkedMessage};
use crate::{App, paging};

/// What the list reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    limit: Option<String>,
    cursor: Option<String>,
    code: Option<String>,
}

#[derive(Debug, Serialize)]
struct Page {
    parked: Vec<ParkedEntry>,
    /// All that are parked, whatever was asked for.
    total: u64,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

/// The newest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(query): Params<Query>,
) -> Result<Json<impl Serialize>, ApiError> {
    let page = paging::Page::parse(query.limit.as_deref(), query.cursor.as_deref())?;
    let filter = ParkedFilter { code: query.code, ..ParkedFilter::default() };
    let mut rows = app.deps.parking.list(&filter, page.after, page.wanted()).await?;
    let next_cursor = page.cut(&mut rows, |row| row.id);
    let total = app.deps.parking.count().await?;
    Ok(Json(Page { parked: rows.iter().map(ParkedEntry::new).collect(), total, next_cursor }))
}

/// One with its headers and its body.
pub(crate) async fn get(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<Json<impl Serialize>, ApiError> {
    Ok(Json(ParkedMessage::new(&find(&app, &id).await?)))
}

/// Has it published again; a worker does so within seconds.
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let row = find(&app, &id).await?;
    if row.parked.is_cut() {
        return Err(ApiError::BadRequest("the message was too long to keep as a whole: send it again".to_owned()));
    }
    let replayed = app.deps.parking.request_replay(&only(row.id)).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "replayed": replayed }))))
}

/// Removes it for good.
pub(crate) async fn delete(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<StatusCode, ApiError> {
    let row = find(&app, &id).await?;
    app.deps.parking.discard(&only(row.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, id: &str) -> Result<Parked, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    app.deps.parking.get(id).await?.ok_or(ApiError::NotFound)
}

fn only(id: i64) -> ParkedFilter {
    ParkedFilter { id: Some(id), ..ParkedFilter::default() }
}
