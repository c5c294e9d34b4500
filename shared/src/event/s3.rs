//! S3 notifications: records of several objects in one message, as AWS, Ceph RGW, MinIO and RustFS write them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::fact::Fact;
use super::fields::{Fields, cut, invalid};
use super::object::{Names, Object, Sequencer};
use super::refusal::Refusal;
use super::wire::{Moment, TEXT_BYTES_MAX, Text};

/// Most records in one message; stores send one, and bridges a few.
const RECORDS_MAX: usize = 1000;
const NAMES: Names = Names { version_id: "versionId", etag: "eTag" };

/// How a store writes what others write in another way.
struct Customs {
    keys: KeyEncoding,
    sequencer: Sequencer,
}

/// How a store writes keys.
enum KeyEncoding {
    /// As they are.
    Raw,
    /// Like a form: a space is `+`, other characters are percent-encoded UTF-8.
    Form,
}

/// What happened to the object.
enum Happened {
    Created,
    /// The object; or, in a bucket with versions, the version that the record names.
    Deleted,
    /// A delete marker was put on top: the object is gone, and the version named is the marker's.
    Hidden,
}

/// By the list of records, or by what AWS sends to try a queue out.
pub(super) fn is_notification(object: &Map<String, Value>) -> bool {
    object.contains_key("Records") || is_test(object)
}

/// `{"Service":"Amazon S3","Event":"s3:TestEvent",…}`
fn is_test(object: &Map<String, Value>) -> bool {
    object.get("Event").and_then(Value::as_str).is_some_and(|event| event == "s3:TestEvent")
}

pub(super) fn unwrap(object: Map<String, Value>) -> Vec<Result<Fact, Refusal>> {
    if is_test(&object) {
        return vec![Ok(Fact::Nothing("it only tries out whether notifications arrive".to_owned()))];
    }
    let records: Vec<Map<String, Value>> = match Fields::of(object).required("Records") {
        Ok(records) => records,
        Err(refusal) => return vec![Err(refusal)],
    };
    match records.len() {
        0 => vec![Ok(Fact::Nothing("it has no records".to_owned()))],
        1..=RECORDS_MAX => records.into_iter().zip(1..).map(numbered).collect(),
        count => {
            let problem = format!("at most {RECORDS_MAX} records in one message are right");
            vec![Err(Refusal::InvalidField { field: "Records", problem: format!("{count}: {problem}") })]
        }
    }
}

fn numbered((record, number): (Map<String, Value>, usize)) -> Result<Fact, Refusal> {
    read(record).map_err(|refusal| Refusal::Record { number, refusal: Box::new(refusal) })
}

fn read(record: Map<String, Value>) -> Result<Fact, Refusal> {
    let mut record = Fields::of(record);
    let event_name = record.required::<Text<TEXT_BYTES_MAX>>("eventName")?.0;
    let Some(happened) = happened(&event_name) else {
        return Ok(Fact::Nothing(format!("{} changes nothing that is shown", cut(&event_name))));
    };
    let customs = customs(&record.required::<Text<TEXT_BYTES_MAX>>("eventSource")?.0)?;
    let occurred_at: Option<Moment> = record.optional("eventTime")?;
    let mut s3 = Fields::of(record.required("s3")?);
    let bucket = Fields::of(s3.required("bucket")?).required("name")?;
    let mut fields = Fields::of(s3.required("object")?);
    let key = key(&mut fields, &customs.keys)?;
    let object = Object { bucket, key, fields, occurred_at, sequencer: customs.sequencer };
    match happened {
        Happened::Created => object.created(&NAMES),
        Happened::Deleted => object.deleted(&NAMES, false),
        Happened::Hidden => object.deleted(&NAMES, true),
    }
}

/// By the name of the event, with `s3:` in front as MinIO and RustFS write it or without as AWS and Ceph do; `None`:
/// nothing that changes what there is to see.
fn happened(event_name: &str) -> Option<Happened> {
    let name = event_name.strip_prefix("s3:").unwrap_or(event_name);
    let (kind, how) = name.split_once(':').unwrap_or((name, ""));
    match (kind, how) {
        ("ObjectCreated", _) | ("ObjectSynced", "Create") => Some(Happened::Created),
        (_, "DeleteMarkerCreated" | "DeletionMarkerCreated" | "Expiration:Current") => Some(Happened::Hidden),
        ("ObjectRemoved", "NoOP") => None,
        ("ObjectRemoved" | "LifecycleExpiration", _) | ("ObjectSynced", "Delete") => Some(Happened::Deleted),
        _ => None,
    }
}

/// A rule for each source, never a guess: `a+b` is `a b` with one store and `a+b` with another.
fn customs(event_source: &str) -> Result<Customs, Refusal> {
    match event_source {
        "ceph:s3" => Ok(Customs { keys: KeyEncoding::Raw, sequencer: Sequencer::Ceph }),
        "aws:s3" | "minio:s3" | "rustfs:s3" => {
            Ok(Customs { keys: KeyEncoding::Form, sequencer: Sequencer::Comparable })
        }
        other => {
            let problem = "aws:s3, ceph:s3, minio:s3 or rustfs:s3 is right: how others write keys is not known";
            Err(invalid("eventSource", &Value::String(other.to_owned()), problem))
        }
    }
}

fn key<const MAX: usize>(object: &mut Fields, encoding: &KeyEncoding) -> Result<Text<MAX>, Refusal> {
    let written: Value = object.required("key")?;
    let decoded = match (encoding, written.as_str()) {
        (KeyEncoding::Form, Some(text)) => {
            let problem = "this store writes keys form-encoded: %, two hex digits, and UTF-8 when decoded is right";
            let decoded = form_decoded(text).ok_or_else(|| invalid("key", &written, problem))?;
            Value::String(decoded)
        }
        _ => written,
    };
    Text::try_from(decoded.clone()).map_err(|problem| invalid("key", &decoded, &problem))
}

/// `None` for what no encoder writes.
fn form_decoded(text: &str) -> Option<String> {
    let is_escape = |rest: &str| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn form_encoded_keys_are_decoded_and_others_refused() {
        for (written, key) in [("a+b%2Bc%25%20d%2Fe", "a b+c% d/e"), ("gr%C3%BC%C3%9Fe", "grüße"), ("plain", "plain")]
        {
            assert_eq!(form_decoded(written).as_deref(), Some(key));
        }
        for bad in ["%", "%2", "a%zz", "%C3", "%ff"] {
            assert_eq!(form_decoded(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_comes_back(key in "\\PC{0,40}") {
            let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string().replace("%20", "+");
            prop_assert_eq!(form_decoded(&encoded), Some(key));
        }

        #[test]
        fn nothing_panics(text in "[%+a-f0-9ü]{0,20}") {
            form_decoded(&text);
        }
    }
}
