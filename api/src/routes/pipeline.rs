//! `GET /v1/pipeline`: what is waiting in each lane, and how many representations stand in which state.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::App;
use crate::error::ApiError;

pub(crate) async fn get(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let (backlog, census) = futures_util::future::try_join(app.deps.store.backlog(), app.deps.store.census()).await?;
    let lanes: Vec<Value> = backlog
        .iter()
        .map(|waiting| {
            json!({
                "lane": waiting.lane,
                "pending": waiting.pending,
                "oldest_pending_seconds": waiting.oldest.as_secs_f64(),
            })
        })
        .collect();
    let representations: Vec<Value> =
        census.iter().map(|line| json!({ "state": line.state, "code": line.code, "rows": line.rows })).collect();
    Ok(Json(json!({ "lanes": lanes, "representations": representations })))
}
