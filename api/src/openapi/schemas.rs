//! The shapes of what our own API takes and gives, as JSON Schema 2020-12.

use serde_json::{Value, json};
use shared::domain::access::{ACCESS_GROUPS_MAX, ACCESS_RULES_MAX, RULE_BYTES_MAX};
use shared::domain::announcement::TOPICS;
use shared::domain::lane::Lane;

/// All schemas by name.
pub(super) fn all() -> Value {
    json!({
        "Access": access(),
        "Capabilities": capabilities(),
        "Document": { "type": "object", "required": ["openapi", "paths"] },
        "EventStream": { "type": "string", "description": "Frames of the HTML standard's server-sent events." },
        "Explanation": object(&json!({
            "events": list(&object(&json!({ "at": text(), "kind": text(), "detail": text() }))),
        })),
        "Failures": object(&json!({ "failures": list(&failure_group()) })),
        "File": file(),
        "FileAccess": object(&json!({ "access": or_null(&named("Access")) })),
        "FilePage": object(&json!({ "files": list(&named("File")), "next_cursor": text_or_null() })),
        "Liveness": object(&json!({ "status": { "const": "alive" } })),
        "NewWebhook": new_webhook(),
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
        "Redrive": redrive(),
        "Redriven": redriven(),
        "Replayed": object(&json!({ "replayed": count() })),
        "Representation": representation(),
        "Version": version(),
        "WantedWebhook": wanted_webhook(),
        "Webhook": object(&webhook()),
        "WebhookPage": object(&json!({ "webhooks": list(&named("Webhook")), "next_cursor": text_or_null() })),
        "WebhookRotation": json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "grace_seconds": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 604_800,
                    "default": 86_400,
                    "description": "How long deliveries are signed with the old secret as well; 0 when it is in wrong hands.",
                },
            },
        }),
        "WebhookTest": object(&json!({
            "delivered": { "type": "boolean" },
            "status": count_or_null(),
            "reason": text_or_null(),
            "duration_ms": count(),
        })),
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

fn failure_group() -> Value {
    object(&json!({
        "format": text_or_null(),
        "decoder": text_or_null(),
        "code": text(),
        "representations": count(),
        "versions": count(),
        "first_at": text(),
        "last_at": text(),
        "example": object(&json!({ "version_id": id(), "reason": text() })),
    }))
}

/// What is left out is no condition.
fn redrive() -> Value {
    let lanes = Lane::ALL.map(Lane::name);
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "code": text(), "format": text(), "preset": text(), "since": text(), "until": text(),
            "lane": { "enum": lanes, "default": "backfill" },
            "dry_run": { "type": "boolean", "default": false },
            "limit": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 1000 },
        },
    })
}

fn redriven() -> Value {
    let amount = object(&json!({ "representations": count(), "versions": count() }));
    object(&json!({
        "dry_run": { "type": "boolean" },
        "matched": amount,
        "redriven": amount,
        "remaining": count(),
        "until": text(),
    }))
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

fn topics() -> Value {
    list(&json!({ "enum": TOPICS }))
}

/// What is left out of `topics` is all of them, and of `tenant` everybody's.
fn wanted_webhook() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["url"],
        "properties": {
            "url": { "type": "string", "format": "uri", "maxLength": 2048 },
            "description": { "type": "string", "maxLength": 500 },
            "topics": topics(),
            "tenant": text_or_null(),
        },
    })
}

fn webhook() -> Value {
    let moment = json!({ "type": ["string", "null"], "format": "date-time" });
    json!({
        "id": text(),
        "url": text(),
        "description": text(),
        "topics": topics(),
        "tenant": text_or_null(),
        "created_at": { "type": "string", "format": "date-time" },
        "enabled": { "type": "boolean" },
        "disabled_reason": text_or_null(),
        "consecutive_failures": count(),
        "failing_since": moment,
        "last_failure": text_or_null(),
        "last_success_at": moment,
        "next_try_at": moment,
        "retrying": count(),
        "old_secret_until": text_or_null(),
    })
}

fn new_webhook() -> Value {
    let mut members = webhook();
    members["secret"] = json!({ "type": "string", "pattern": "^whsec_" });
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
        "object_version": text_or_null(),
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

/// `problem` is null for what is supported.
fn capabilities() -> Value {
    let format = |more: Value| {
        let mut members = json!({
            "format": text(), "media_type": text(), "supported": { "type": "boolean" }, "problem": text_or_null(),
        });
        members
            .as_object_mut()
            .into_iter()
            .for_each(|members| members.extend(more.as_object().cloned().unwrap_or_default()));
        list(&object(&members))
    };
    let limits = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
    object(&json!({
        "sources": format(json!({ "extensions": list(&text()) })),
        "outputs": format(json!({})),
        "limits": object(&json!({ "raster": limits, "vector": limits })),
        "simd": { "type": "boolean" },
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
