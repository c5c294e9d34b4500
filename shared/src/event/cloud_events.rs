//! CloudEvents 1.0 in structured JSON mode: the event in `data`, or as base64 of JSON in `data_base64`.

use serde_json::{Map, Value};

use super::fields::{Fields, invalid, shown};
use super::refusal::Refusal;
use super::wire::{Moment, TEXT_BYTES_MAX, Text, UploadEvent};
use super::{base64, require_uploaded};
use crate::ports::work_queue::Message;

/// Longest `id` and `source`, in bytes; generous, since nothing depends on them.
const ATTRIBUTE_BYTES_MAX: usize = 8 * TEXT_BYTES_MAX;

/// By its declared media type, or by the one attribute that every CloudEvent has.
pub(super) fn is_structured(message: &Message, object: &Map<String, Value>) -> bool {
    let essence = message.content_type.as_deref().and_then(|declared| declared.split(';').next());
    let declared =
        essence.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/cloudevents+json"));
    declared || object.contains_key("specversion")
}

pub(super) fn unwrap(object: Map<String, Value>) -> Result<UploadEvent, Refusal> {
    let mut attributes = Fields::of(object);
    match attributes.required("specversion")? {
        Value::String(version) if version == "1.0" => {}
        other => return Err(Refusal::UnsupportedSpecversion(shown(&other))),
    }
    require_uploaded(&attributes.required::<Text<TEXT_BYTES_MAX>>("type")?.0)?;
    // Nothing depends on these two, but without them it is no CloudEvent.
    attributes.required::<Text<ATTRIBUTE_BYTES_MAX>>("id")?;
    attributes.required::<Text<ATTRIBUTE_BYTES_MAX>>("source")?;
    let time: Option<Moment> = attributes.optional("time")?;
    let mut event = UploadEvent::read(data(&mut attributes)?)?;
    event.occurred_at = event.occurred_at.or(time);
    Ok(event)
}

fn data(attributes: &mut Fields) -> Result<Map<String, Value>, Refusal> {
    const OBJECT: &str = "a JSON object with the fields of the upload is right";
    let (field, value) = match (attributes.optional("data")?, attributes.optional("data_base64")?) {
        (Some(data), None) => ("data", data),
        (None, Some(encoded)) => ("data_base64", decoded(&encoded)?),
        (Some(data), Some(_)) => {
            return Err(invalid("data", &data, "there is data_base64 as well; one of them is right"));
        }
        (None, None) => return Err(Refusal::MissingField("data")),
    };
    match value {
        Value::Object(object) => Ok(object),
        other => Err(invalid(field, &other, OBJECT)),
    }
}

fn decoded(encoded: &Value) -> Result<Value, Refusal> {
    let bytes = encoded.as_str().and_then(base64::decode);
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| invalid("data_base64", encoded, "base64 (RFC 4648, padded) of JSON is right"))
}
