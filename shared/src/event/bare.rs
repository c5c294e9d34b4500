//! The bare Thumbline event: the fields without an envelope.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::wire::UploadEvent;
use super::{NOT_YET, require_uploaded};

pub(super) fn unwrap(object: Map<String, Value>) -> Result<UploadEvent, Refusal> {
    // A bare event has no type. Still, one that says of itself that a file was deleted must not register it.
    match object.get("type").and_then(Value::as_str) {
        Some(event_type) if NOT_YET.contains(&event_type) => require_uploaded(event_type)?,
        _ => {}
    }
    UploadEvent::read(object)
}
