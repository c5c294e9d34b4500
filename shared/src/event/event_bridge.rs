//! Events as Amazon EventBridge wraps them: about S3 objects, or one of ours in `detail`.

use serde_json::{Map, Value};

use super::fact::{Fact, is_ours};
use super::fields::{Fields, cut};
use super::refusal::Refusal;
use super::s3::{is_directory, version_id};
use super::wire::{DeletedEvent, Moment, Sequence, Size, TEXT_BYTES_MAX, Text, UploadEvent, Which};

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
    let mut object = Fields::of(detail.required("object")?);
    let key = object.required::<Text<_>>("key")?;
    let version_id = version_id(&mut object, "version-id")?;
    let sequence = object.optional_text::<TEXT_BYTES_MAX>("sequencer")?.map(|text| Sequence::of_sequencer(text.0));
    if detail_type == "Object Deleted" {
        let deletion: Option<Text<TEXT_BYTES_MAX>> = detail.optional_text("deletion-type")?;
        let is_marker = deletion.is_some_and(|deletion| deletion.0 == "Delete Marker Created");
        let version_id = version_id.filter(|_| !is_marker);
        let which = Which::object(bucket, key);
        return Ok(Fact::Deleted(DeletedEvent { which, version_id, sequence, occurred_at }));
    }
    let size = object.optional::<Size>("size")?;
    if is_directory(&key.0, size.as_ref()) {
        return Ok(Fact::Nothing("it only marks a directory".to_owned()));
    }
    let mut event = UploadEvent::of_object(bucket, key);
    event.version_id = version_id;
    event.sequence = sequence;
    event.size = size;
    event.etag = object.optional_text("etag")?;
    event.occurred_at = occurred_at;
    Ok(Fact::Uploaded(Box::new(event)))
}
