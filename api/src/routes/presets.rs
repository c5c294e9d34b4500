//! `GET /v1/presets`: what can be asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use shared::domain::preset::Preset;

use crate::App;

pub(crate) async fn get(State(app): State<Arc<App>>) -> Json<Value> {
    let presets: Vec<Value> = app.deps.presets.iter().map(wire).collect();
    Json(json!({ "presets": presets }))
}

/// As in the configuration, with the recipe that is in force; no `sources` means all.
fn wire(preset: &Preset) -> Value {
    json!({
        "name": preset.name,
        "format": preset.format,
        "width": preset.width,
        "height": preset.height,
        "fit": preset.fit,
        "trigger": preset.trigger,
        "paged": preset.paged,
        "quality": preset.quality,
        "subsampling": preset.subsampling,
        "progressive": preset.progressive,
        "matte": preset.matte,
        "sources": preset.sources,
        "recipe": preset.recipe_hash().as_str(),
    })
}
