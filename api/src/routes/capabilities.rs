//! `GET /v1/capabilities`: which formats this installation reads and writes, proven when it started, and its limits.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use shared::domain::capability::Capability;
use shared::domain::format::{OutputFormat, SourceFormat};

use crate::App;

pub(crate) async fn get(State(app): State<Arc<App>>) -> Json<Value> {
    let capabilities = &app.deps.capabilities;
    Json(json!({
        "sources": capabilities.sources.iter().map(source).collect::<Vec<_>>(),
        "outputs": capabilities.outputs.iter().map(output).collect::<Vec<_>>(),
        "limits": capabilities.limits,
        "simd": capabilities.has_simd_jpeg,
    }))
}

fn source(capability: &Capability<SourceFormat>) -> Value {
    let format = capability.format;
    json!({
        "format": format.name(),
        "media_type": format.media_type(),
        "extensions": format.extensions(),
        "supported": capability.is_proven(),
        "problem": capability.problem,
    })
}

fn output(capability: &Capability<OutputFormat>) -> Value {
    json!({
        "format": capability.format.name(),
        "media_type": capability.format.media_type(),
        "supported": capability.is_proven(),
        "problem": capability.problem,
    })
}
