//! `POST /v1/redrive`: another chance for representations that ended as `error`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::domain::failure::FailureCode;
use shared::domain::format::SourceFormat;
use shared::domain::lane::Lane;
use shared::domain::ledger::FailureFilter;
use shared::domain::moment::{parse_rfc3339, rfc3339};

use crate::App;
use crate::error::ApiError;

/// Longest body that is looked at, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Most versions redriven by one request; a client repeats it with the same `until` while `remaining` is not 0.
const VERSIONS_MAX: u32 = 1000;

/// What is asked for; what is missing is not a condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    code: Option<String>,
    format: Option<String>,
    preset: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// Default: backfill, so that fresh uploads do not wait.
    lane: Option<String>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Versions at most.
    limit: Option<u32>,
}

pub(crate) async fn post(State(app): State<Arc<App>>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let body = parse(&body)?;
    let mut filter = filter(&body)?;
    let lane = match &body.lane {
        None => Lane::Backfill,
        Some(name) => Lane::from_name(name).ok_or_else(|| unknown("lane", name))?,
    };
    let limit = body.limit.unwrap_or(VERSIONS_MAX);
    if !(1..=VERSIONS_MAX).contains(&limit) {
        return Err(ApiError::BadRequest(format!("limit is not a number from 1 to {VERSIONS_MAX}")));
    }
    let store = &app.deps.store;
    let matched = store.count_failures(&filter).await?;
    // What fails again meanwhile ended later and is not found again; the moment itself is not before itself.
    let until = *filter.until.get_or_insert(matched.counted_at + 1);
    let redriven = if body.dry_run { Default::default() } else { store.redrive(&filter, lane, limit).await? };
    Ok(Json(json!({
        "dry_run": body.dry_run,
        "matched": { "representations": matched.representations, "versions": matched.versions },
        "redriven": { "representations": redriven.representations, "versions": redriven.versions },
        "remaining": matched.representations.saturating_sub(redriven.representations),
        "until": rfc3339(until),
    })))
}

fn parse(bytes: &[u8]) -> Result<Body, ApiError> {
    if bytes.len() > BODY_BYTES_MAX {
        return Err(ApiError::BadRequest(format!("the body is longer than {BODY_BYTES_MAX} bytes")));
    }
    // An empty body asks for everything, which is what an empty object says.
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| ApiError::BadRequest(format!("the body is not understood: {error}")))
}

fn filter(body: &Body) -> Result<FailureFilter, ApiError> {
    let moment = |key, text: &String| parse_rfc3339(text).ok_or_else(|| unknown(key, text));
    let code = |name: &String| FailureCode::from_name(name).ok_or_else(|| unknown("code", name));
    let format = |name: &String| SourceFormat::from_name(name).ok_or_else(|| unknown("format", name));
    let preset = |name: &String| name.parse().map_err(|_| unknown("preset", name));
    Ok(FailureFilter {
        code: body.code.as_ref().map(code).transpose()?,
        format: body.format.as_ref().map(format).transpose()?,
        preset: body.preset.as_ref().map(preset).transpose()?,
        since: body.since.as_ref().map(|text| moment("since", text)).transpose()?,
        until: body.until.as_ref().map(|text| moment("until", text)).transpose()?,
    })
}

fn unknown(key: &str, value: &str) -> ApiError {
    let shown: String = value.chars().take(80).collect();
    ApiError::BadRequest(format!("{key} {shown:?} is none that we know"))
}
