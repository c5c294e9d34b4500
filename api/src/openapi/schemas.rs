//! The shapes of what our own API takes and gives, as JSON Schema 2020-12.

use serde_json::{Value, json};
use shared::domain::access::{ACCESS_GROUPS_MAX, ACCESS_RULES_MAX, RULE_BYTES_MAX};
use shared::domain::lane::Lane;

/// All schemas by name.
pub(super) fn all() -> Value {
    json!({
        "Access": access(),
        "Document": { "type": "object", "required": ["openapi", "paths"] },
        "File": file(),
        "FileAccess": object(&json!({ "access": or_null(&named("Access")) })),
        "FilePage": object(&json!({ "files": list(&named("File")), "next_cursor": text_or_null() })),
        "Liveness": object(&json!({ "status": { "const": "alive" } })),
        "ParkedEntry": object(&parked()),
        "ParkedMessage": parked_message(),
        "ParkedPage": object(&json!({
            "parked": list(&named("ParkedEntry")), "total": count(), "next_cursor": text_or_null(),
        })),
        "Pipeline": pipeline(),
        "Preset": preset(),
        "Presets": object(&json!({ "presets": list(&named("Preset")) })),
        "Problem": problem(),
        "Readiness": readiness(),
        "Replayed": object(&json!({ "replayed": count() })),
        "Representation": representation(),
        "Version": version(),
    })
}

/// An object of which every listed member is always there. Others may come with later versions.
fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(|members| members.keys()).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn named(schema: &str) -> Value {
    super::reference(schema)
}

fn or_null(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn list(schema: &Value) -> Value {
    json!({ "type": "array", "items": schema })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn text_or_null() -> Value {
    json!({ "type": ["string", "null"] })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn count_or_null() -> Value {
    json!({ "type": ["integer", "null"], "minimum": 0 })
}

fn id() -> Value {
    json!({ "type": "string", "pattern": "^[1-9][0-9]{0,15}$" })
}

fn sha256_or_null() -> Value {
    json!({ "type": ["string", "null"], "pattern": "^[0-9a-f]{64}$" })
}

fn access() -> Value {
    let rule = json!({
        "type": "string",
        "maxLength": RULE_BYTES_MAX,
        "pattern": r"^(anonymous|(user|group|scope):[^\u0000-\u001f\u007f-\u009f]+)$",
    });
    json!({
        "description": "Who may see a file: all groups must hold, any rule in a group is enough. Null: operators only.",
        "type": "array",
        "minItems": 1,
        "maxItems": ACCESS_GROUPS_MAX,
        "items": { "type": "array", "minItems": 1, "maxItems": ACCESS_RULES_MAX, "items": rule },
    })
}

fn parked() -> Value {
    json!({
        "id": text(),
        "code": text(),
        "reason": text(),
        "times": count(),
        "first_at": { "type": "string", "format": "date-time" },
        "last_at": { "type": "string", "format": "date-time" },
        "length_bytes": count(),
        "replay_requested": { "type": "boolean" },
    })
}

fn parked_message() -> Value {
    let mut members = parked();
    members["content_type"] = text_or_null();
    members["headers"] = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    members["body"] = text();
    members["body_is_exact"] = json!({ "type": "boolean" });
    object(&members)
}

fn file() -> Value {
    object(&json!({
        "id": id(),
        "source_id": text_or_null(),
        "source": text_or_null(),
        "tenant": text(),
        "name": text(),
        "created_at": { "type": "string", "format": "date-time" },
        "version": named("Version"),
        "thumbhash": text_or_null(),
        "dominant_color": text_or_null(),
        "aspect_ratio": { "type": ["number", "null"] },
        "representations": list(&named("Representation")),
        "eta_ms": count_or_null(),
    }))
}

fn version() -> Value {
    object(&json!({
        "id": id(),
        "sequence": text_or_null(),
        "format": text_or_null(),
        "width": count_or_null(),
        "height": count_or_null(),
        "pages": count_or_null(),
        "bytes": count_or_null(),
        "sha256": sha256_or_null(),
    }))
}

fn representation() -> Value {
    object(&json!({
        "name": text(),
        "state": { "enum": ["none", "pending", "viewable", "success", "error"] },
        "code": text_or_null(),
        "reason": text_or_null(),
        "width": count_or_null(),
        "height": count_or_null(),
        "bytes": count_or_null(),
        "sha256": sha256_or_null(),
        "pages": count_or_null(),
        "attempts": count(),
        "elapsed_ms": { "type": ["integer", "null"] },
        "url": text_or_null(),
    }))
}

fn preset() -> Value {
    object(&json!({
        "name": text(),
        "format": text(),
        "width": count(),
        "height": count(),
        "fit": text(),
        "trigger": text(),
        "paged": { "type": "boolean" },
        "quality": count(),
        "recipe": text(),
    }))
}

fn pipeline() -> Value {
    let lanes: Vec<&str> = Lane::ALL.iter().map(|lane| lane.name()).collect();
    object(&json!({
        "lanes": list(&object(&json!({
            "lane": { "enum": lanes },
            "pending": count(),
            "oldest_pending_seconds": { "type": "number" },
        }))),
        "representations": list(&object(&json!({ "state": text(), "code": text_or_null(), "rows": count() }))),
    }))
}

fn readiness() -> Value {
    let dependency = object(&json!({ "state": { "enum": ["up", "away"] }, "duration_ms": count() }));
    object(&json!({
        "status": { "enum": ["ready", "not ready"] },
        "dependencies": { "type": "object", "additionalProperties": dependency },
    }))
}

/// RFC 9457, with our stable `code` and the id that the log has too.
fn problem() -> Value {
    object(&json!({
        "type": { "type": "string", "format": "uri-reference" },
        "title": text(),
        "status": { "type": "integer", "minimum": 400, "maximum": 599 },
        "code": text(),
        "detail": text(),
        "request_id": text(),
    }))
}
