//! Events as Amazon EventBridge wraps them: about S3 objects, or one of ours in `detail`.

use serde_json::{Map, Value};

use super::fact::{Fact, is_ours};
use super::fields::{Fields, cut};
use super::object::{Names, Object, Sequencer};
use super::refusal::Refusal;
use super::wire::{Moment, TEXT_BYTES_MAX, Text};

const NAMES: Names = Names { version_id: "version-id", etag: "etag" };

/// By the one field that no other dialect has.
pub(super) fn is_wrapped(object: &Map<String, Value>) -> bool {
    object.contains_key("detail-type") && object.contains_key("detail")
}

pub(super) fn unwrap(object: Map<String, Value>) -> Result<Fact, Refusal> {
    let mut envelope = Fields::of(object);
    let detail_type = envelope.required::<Text<TEXT_BYTES_MAX>>("detail-type")?.0;
    let time: Option<Moment> = envelope.optional("time")?;
    let detail: Map<String, Value> = envelope.required("detail")?;
    let source: Option<Text<TEXT_BYTES_MAX>> = envelope.optional_text("source")?;
    if is_ours(&detail_type) {
        return Ok(Fact::read(&detail_type, detail)?.or_occurred_at(time));
    }
    if source.is_none_or(|source| source.0 != "aws.s3") {
        return Err(Refusal::UnknownType(cut(&detail_type)));
    }
    of_object(&detail_type, Fields::of(detail), time)
}

/// Keys are written as they are here, unlike in notifications of the same store.
fn of_object(detail_type: &str, mut detail: Fields, occurred_at: Option<Moment>) -> Result<Fact, Refusal> {
    if !matches!(detail_type, "Object Created" | "Object Deleted") {
        return Ok(Fact::Nothing(format!("{} changes nothing that is shown", cut(detail_type))));
    }
    let bucket = Fields::of(detail.required("bucket")?).required("name")?;
    let mut fields = Fields::of(detail.required("object")?);
    let key = fields.required("key")?;
    let object = Object { bucket, key, fields, occurred_at, sequencer: Sequencer::Comparable };
    if detail_type == "Object Created" {
        return object.created(&NAMES);
    }
    let deletion: Option<Text<TEXT_BYTES_MAX>> = detail.optional_text("deletion-type")?;
    object.deleted(&NAMES, deletion.is_some_and(|deletion| deletion.0 == "Delete Marker Created"))
}
