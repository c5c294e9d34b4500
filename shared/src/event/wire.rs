//! Events as producers write them: each field of a type that holds only values it may have.

use serde::Deserialize;
use serde_json::{Map, Number, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::fields::Fields;
use super::refusal::Refusal;
use crate::domain::access::Access;
use crate::domain::file::{UnixMillis, normal_sequence, normal_sequencer};
use crate::domain::ids::{Sha256Digest, Tenant};
use crate::domain::lane::Lane;
use crate::ports::blob_store::SourceObject;

/// Longest `source_id`, in bytes of UTF-8.
pub(super) const SOURCE_ID_BYTES_MAX: usize = 512;
/// Longest `key`, in bytes of UTF-8; S3's own limit.
pub(super) const KEY_BYTES_MAX: usize = 1024;
/// Longest `version_id` and `name`, in bytes of UTF-8; S3's own limit for version ids, and a name may be a whole key.
pub(super) const NAME_BYTES_MAX: usize = 1024;
/// Longest other text (`bucket`, `sequence`, `etag`, `content_type`, `parent`), in bytes of UTF-8.
pub(super) const TEXT_BYTES_MAX: usize = 256;
/// Largest `size` that can be meant, in bytes: the last integer that every JSON reader keeps exactly (2^53 - 1).
pub(super) const SIZE_BYTES_MAX: u64 = (1 << 53) - 1;

/// The fields of an upload, the same in every dialect.
pub(super) struct UploadEvent {
    pub tenant: Option<Tenant>,
    pub source_id: Option<Text<SOURCE_ID_BYTES_MAX>>,
    pub version_id: Option<Text<NAME_BYTES_MAX>>,
    pub object_version: Option<Text<NAME_BYTES_MAX>>,
    pub sequence: Option<Sequence>,
    pub bucket: Text<TEXT_BYTES_MAX>,
    pub key: Text<KEY_BYTES_MAX>,
    pub name: Option<Text<NAME_BYTES_MAX>>,
    pub size: Option<Size>,
    pub content_type: Option<Text<TEXT_BYTES_MAX>>,
    pub etag: Option<Text<TEXT_BYTES_MAX>>,
    pub sha256: Option<Sha256Digest>,
    pub occurred_at: Option<Moment>,
    pub parent: Option<Text<TEXT_BYTES_MAX>>,
    pub access: Option<Access>,
    pub lane: Option<ProducerLane>,
}

impl UploadEvent {
    pub(super) fn read(object: Map<String, Value>) -> Result<Self, Refusal> {
        let mut fields = Fields::of(object);
        Ok(Self {
            tenant: fields.optional("tenant")?,
            source_id: fields.optional("source_id")?,
            version_id: fields.optional("version_id")?,
            object_version: fields.optional("object_version")?,
            sequence: fields.optional("sequence")?,
            bucket: fields.required("bucket")?,
            key: fields.required("key")?,
            name: fields.optional("name")?,
            size: fields.optional("size")?,
            content_type: fields.optional("content_type")?,
            etag: fields.optional("etag")?,
            sha256: fields.optional("sha256")?,
            occurred_at: fields.optional("occurred_at")?,
            parent: fields.optional("parent")?,
            access: fields.optional("access")?,
            lane: fields.optional("lane")?,
        })
    }

    /// The smallest upload: of this object, with nothing else said.
    pub(super) fn of_object(bucket: Text<TEXT_BYTES_MAX>, key: Text<KEY_BYTES_MAX>) -> Self {
        Self {
            tenant: None,
            source_id: None,
            version_id: None,
            object_version: None,
            sequence: None,
            bucket,
            key,
            name: None,
            size: None,
            content_type: None,
            etag: None,
            sha256: None,
            occurred_at: None,
            parent: None,
            access: None,
            lane: None,
        }
    }
}

impl UploadEvent {
    /// The store itself names the version of the object: it is the version of the file, and the one to read.
    pub(super) fn of_version(&mut self, version: Option<Text<NAME_BYTES_MAX>>) {
        self.object_version = version.as_ref().map(|version| Text(version.0.clone()));
        self.version_id = version;
    }

    /// An object of a listing. Stores that tell seconds only mean some moment of that second: the last one, so that what a
    /// scan finds is not taken for older than what was announced within it.
    pub(super) fn of_listed(bucket: &str, object: &SourceObject, lane: Lane) -> Option<Self> {
        let end_of_second = |millis: UnixMillis| if millis % 1000 == 0 { millis + 999 } else { millis };
        let mut event = Self::of_object(text(bucket)?, text(&object.key)?);
        event.size = Some(Size(object.size));
        event.etag = object.etag.as_deref().and_then(text);
        event.of_version(object.version.as_deref().and_then(text));
        event.occurred_at = object.modified_at.map(|millis| Moment(end_of_second(millis)));
        event.lane = Some(ProducerLane(lane));
        Some(event)
    }
}

fn text<const MAX: usize>(text: &str) -> Option<Text<MAX>> {
    Text::try_from(Value::String(text.to_owned())).ok()
}

/// Which file a later event is about: the one of an object, or the one that its producer named.
pub(super) struct Which {
    pub tenant: Option<Tenant>,
    pub source_id: Option<Text<SOURCE_ID_BYTES_MAX>>,
    pub bucket: Option<Text<TEXT_BYTES_MAX>>,
    pub key: Option<Text<KEY_BYTES_MAX>>,
}

impl Which {
    fn read(fields: &mut Fields) -> Result<Self, Refusal> {
        Ok(Self {
            tenant: fields.optional("tenant")?,
            source_id: fields.optional("source_id")?,
            bucket: fields.optional("bucket")?,
            key: fields.optional("key")?,
        })
    }

    /// The file of this object.
    pub(super) fn object(bucket: Text<TEXT_BYTES_MAX>, key: Text<KEY_BYTES_MAX>) -> Self {
        Self { tenant: None, source_id: None, bucket: Some(bucket), key: Some(key) }
    }
}

/// What of a file is gone.
pub(super) enum Gone {
    /// All of it, or whatever it shows.
    File,
    /// The version of this name.
    Version(Text<NAME_BYTES_MAX>),
    /// What was put while the bucket kept no versions.
    Unversioned,
}

/// A file, or one version of it, is gone.
pub(super) struct DeletedEvent {
    pub which: Which,
    pub what: Gone,
    pub sequence: Option<Sequence>,
    pub occurred_at: Option<Moment>,
}

impl DeletedEvent {
    pub(super) fn read(object: Map<String, Value>) -> Result<Self, Refusal> {
        let mut fields = Fields::of(object);
        Ok(Self {
            which: Which::read(&mut fields)?,
            what: fields.optional("version_id")?.map_or(Gone::File, Gone::Version),
            sequence: fields.optional("sequence")?,
            occurred_at: fields.optional("occurred_at")?,
        })
    }
}

/// Other people may see a file now.
pub(super) struct AccessEvent {
    pub which: Which,
    pub access: Access,
    pub occurred_at: Option<Moment>,
}

impl AccessEvent {
    pub(super) fn read(object: Map<String, Value>) -> Result<Self, Refusal> {
        let mut fields = Fields::of(object);
        Ok(Self {
            which: Which::read(&mut fields)?,
            access: fields.required("access")?,
            occurred_at: fields.optional("occurred_at")?,
        })
    }
}

/// A text of 1 to `MAX` bytes without NUL, which databases cannot keep.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Text<const MAX: usize>(pub String);

impl<const MAX: usize> TryFrom<Value> for Text<MAX> {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) if (1..=MAX).contains(&text.len()) && !text.contains('\0') => Ok(Self(text)),
            Value::String(text) => {
                Err(format!("it has {} bytes; a text of 1 to {MAX} bytes without NUL is right", text.len()))
            }
            _ => Err(format!("a text of 1 to {MAX} bytes without NUL is right")),
        }
    }
}

/// Where a version stands among the versions of its file; numbers are kept as their decimal digits.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Sequence {
    /// As the producer wrote it; may name the version.
    pub name: String,
    /// Comparable as text.
    pub order: String,
}

impl Sequence {
    fn of_text(name: String) -> Self {
        Self { order: normal_sequence(&name), name }
    }

    /// Of a store, which writes hex even where it has decimal digits only.
    pub(super) fn of_sequencer(name: String) -> Self {
        Self { order: normal_sequencer(&name), name }
    }

    /// Of Ceph, which writes the bytes of a time as they lie in memory.
    pub(super) fn of_ceph(name: String) -> Self {
        Self { order: normal_sequencer(&ceph_time(&name).unwrap_or_else(|| name.clone())), name }
    }
}

impl TryFrom<Value> for Sequence {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Number(number) => whole(&number).map(|whole| Self::of_text(whole.to_string())).ok_or_else(|| {
                format!("a whole number from 0 to {}, or a text of 1 to {TEXT_BYTES_MAX} bytes, is right", u64::MAX)
            }),
            other => Text::<TEXT_BYTES_MAX>::try_from(other).map(|text| Self::of_text(text.0)),
        }
    }
}

/// A time of Ceph's, seconds and nanoseconds with the least significant byte first, as hex that can be compared; `None` for
/// what is none.
fn ceph_time(sequencer: &str) -> Option<String> {
    let is_hex = sequencer.len() == 16 && sequencer.bytes().all(|byte| byte.is_ascii_hexdigit());
    let time = u64::from_str_radix(sequencer, 16).ok().filter(|_| is_hex)?;
    let (seconds, nanoseconds) = (((time >> 32) as u32).swap_bytes(), (time as u32).swap_bytes());
    Some(format!("{seconds:08X}{nanoseconds:08X}"))
}

/// A number of bytes.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Size(pub u64);

impl TryFrom<Value> for Size {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let whole = if let Value::Number(number) = &value { whole(number) } else { None };
        let size = whole.filter(|bytes| *bytes <= SIZE_BYTES_MAX);
        size.map(Self).ok_or_else(|| format!("a whole number of bytes from 0 to {SIZE_BYTES_MAX} is right"))
    }
}

/// A JSON number that is whole, however it was written: `1000`, `1000.0` and `1e3` are the same.
fn whole(number: &Number) -> Option<u64> {
    let float = || number.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=SIZE_BYTES_MAX as f64).contains(n));
    number.as_u64().or_else(|| float().map(|n| n as u64))
}

/// A moment, written by RFC 3339; more digits than milliseconds are dropped.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Moment(pub UnixMillis);

impl TryFrom<Value> for Moment {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let moment = value.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        let millis = moment.and_then(|m| i64::try_from(m.unix_timestamp_nanos().div_euclid(1_000_000)).ok());
        millis.map(Self).ok_or_else(|| "a moment by RFC 3339, like 2026-03-14T09:26:53.589Z, is right".to_owned())
    }
}

/// Lanes that producers may ask for; `heavy` is ours to decide.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct ProducerLane(pub Lane);

impl TryFrom<Value> for ProducerLane {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let lane = value.as_str().and_then(Lane::from_name).filter(|lane| *lane != Lane::Heavy);
        lane.map(Self).ok_or_else(|| "interactive, normal or backfill is right".to_owned())
    }
}
