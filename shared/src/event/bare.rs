//! The bare Thumbline event: the fields without an envelope.

use serde_json::{Map, Value};

use super::fact::{Fact, UPLOADED, is_ours};
use super::refusal::Refusal;

/// A bare event is an upload unless its `type` is another one of ours. Other values of `type` are the producer's own
/// business, like every field that nobody knows.
pub(super) fn unwrap(object: Map<String, Value>) -> Result<Fact, Refusal> {
    let event_type = object.get("type").and_then(Value::as_str).filter(|event_type| is_ours(event_type));
    let event_type = event_type.unwrap_or(UPLOADED).to_owned();
    Fact::read(&event_type, object)
}
