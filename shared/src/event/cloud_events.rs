//! CloudEvents 1.0: in structured JSON mode with the event in `data` or `data_base64`, and in binary mode with the
//! attributes in headers and the event as the body.

use serde_json::{Map, Value};

use super::base64;
use super::fact::Fact;
use super::fields::{Fields, invalid, shown};
use super::refusal::Refusal;
use super::wire::{Moment, TEXT_BYTES_MAX, Text};
use crate::ports::work_queue::Message;

/// Longest `id` and `source`, in bytes; generous, since nothing depends on them.
const ATTRIBUTE_BYTES_MAX: usize = 8 * TEXT_BYTES_MAX;
/// What stands in front of an attribute's name in headers: the AMQP binding's two, then HTTP's and Kafka's, which
/// bridges copy.
const HEADER_PREFIXES: [&str; 4] = ["cloudEvents:", "cloudEvents_", "ce-", "ce_"];
/// The attributes that are read; `datacontenttype` is the message's own content type in binary mode.
const ATTRIBUTES: [&str; 5] = ["specversion", "type", "id", "source", "time"];

/// By its declared media type, or by the one attribute that every CloudEvent has.
pub(super) fn is_structured(message: &Message, object: &Map<String, Value>) -> bool {
    let declared = essence(message).is_some_and(|essence| essence.eq_ignore_ascii_case("application/cloudevents+json"));
    declared || object.contains_key("specversion")
}

/// By the header that every CloudEvent has. `type` stands in for `specversion`, so that an event whose envelope says
/// "deleted" is never taken for a bare upload.
pub(super) fn is_binary(message: &Message) -> bool {
    header(message, "specversion").is_some() || header(message, "type").is_some()
}

pub(super) fn unwrap_structured(object: Map<String, Value>) -> Result<Fact, Refusal> {
    let mut attributes = Fields::of(object);
    let (event_type, time) = envelope(&mut attributes)?;
    Ok(Fact::read(&event_type, data(&mut attributes)?)?.or_occurred_at(time))
}

pub(super) fn unwrap_binary(message: &Message, object: Map<String, Value>) -> Result<Fact, Refusal> {
    let declared = essence(message).unwrap_or("application/json").to_ascii_lowercase();
    if declared != "application/json" && !declared.ends_with("+json") {
        let problem = "application/json, which every event of ours is written in, is right";
        return Err(invalid("datacontenttype", &Value::String(declared), problem));
    }
    let found = ATTRIBUTES.iter().filter_map(|name| Some(((*name).to_owned(), header(message, name)?.into())));
    let (event_type, time) = envelope(&mut Fields::of(found.collect()))?;
    Ok(Fact::read(&event_type, object)?.or_occurred_at(time))
}

/// The type and the time; what else a CloudEvent must have is only looked for.
fn envelope(attributes: &mut Fields) -> Result<(String, Option<Moment>), Refusal> {
    match attributes.required("specversion")? {
        Value::String(version) if version == "1.0" => {}
        other => return Err(Refusal::UnsupportedSpecversion(shown(&other))),
    }
    let event_type = attributes.required::<Text<TEXT_BYTES_MAX>>("type")?.0;
    // Nothing depends on these two, but without them it is no CloudEvent.
    attributes.required::<Text<ATTRIBUTE_BYTES_MAX>>("id")?;
    attributes.required::<Text<ATTRIBUTE_BYTES_MAX>>("source")?;
    Ok((event_type, attributes.optional("time")?))
}

/// An attribute in the headers, whatever its prefix; names are compared as HTTP compares them.
fn header<'a>(message: &'a Message, attribute: &str) -> Option<&'a str> {
    HEADER_PREFIXES.iter().find_map(|prefix| {
        let name = format!("{prefix}{attribute}");
        let found = message.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(&name));
        found.map(|(_, value)| value.as_str())
    })
}

/// The declared media type without its parameters.
fn essence(message: &Message) -> Option<&str> {
    message.content_type.as_deref().and_then(|declared| declared.split(';').next()).map(str::trim)
}

fn data(attributes: &mut Fields) -> Result<Map<String, Value>, Refusal> {
    const OBJECT: &str = "a JSON object with the fields of the event is right";
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
