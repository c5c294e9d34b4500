//! What producers send, told apart by content: bytes and headers in; event, ignore or reason out.
//!
//! [`read`] is the whole of it. Each dialect has its own file and unwraps to the same facts (`fact`, with fields of
//! `wire`), and `meaning` says what follows from them with the configured buckets and presets at hand.
//! `docs/events/EVENTS.md` tells producers the same; its schemas are held against this parser by
//! `shared/tests/event_schema.rs`.

mod bare;
pub mod base64;
mod cloud_events;
mod event_bridge;
mod fact;
mod fields;
pub mod identity;
mod meaning;
mod object;
mod refusal;
mod s3;
mod wire;

use serde_json::{Map, Value};

use self::fact::Fact;
use self::refusal::Refusal;
use crate::domain::file::NewFileVersion;
use crate::domain::file_change::{AccessChange, FileDeletion};
use crate::domain::lane::Lane;
use crate::domain::preset::PresetTable;
use crate::domain::source::AllowedBuckets;
use crate::ports::blob_store::SourceObject;
use crate::ports::work_queue::{Message, ParkingReason};

/// Longest message that is read, in bytes; an upload event has a few hundred.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// How a message was written; a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// CloudEvents 1.0 in structured JSON mode.
    CloudEvents,
    /// CloudEvents 1.0 in binary mode: attributes in headers.
    CloudEventsBinary,
    /// S3 notification records.
    S3,
    /// As Amazon EventBridge wraps events.
    EventBridge,
    /// The bare Thumbline event.
    Bare,
    /// Could not be told.
    Unknown,
}

impl Dialect {
    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloudevents",
            Self::CloudEventsBinary => "cloudevents_binary",
            Self::S3 => "s3",
            Self::EventBridge => "eventbridge",
            Self::Bare => "bare",
            Self::Unknown => "unknown",
        }
    }
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// How it was written.
    pub dialect: Dialect,
    /// What follows, in the order of the message; several for a notification with several records, else one.
    pub meanings: Vec<Meaning>,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A file version to register.
    Register(Box<NewFileVersion>),
    /// A file, or a version of it, that is gone.
    Delete(FileDeletion),
    /// Other people may see a file now.
    ChangeAccess(AccessChange),
    /// Nothing, on purpose, with the reason.
    Ignore(String),
    /// Nobody can read it: the message goes into the parking queue, once everything else in it was acted upon.
    Park(ParkingReason),
}

/// Reads a message. Never fails: what cannot be understood is a [`Meaning::Park`].
pub fn read(message: &Message, buckets: &AllowedBuckets, presets: &PresetTable) -> Intake {
    let (dialect, facts) = match object(message) {
        Ok(object) => unwrap(message, object),
        Err(refusal) => (Dialect::Unknown, vec![Err(refusal)]),
    };
    let meaning = |fact: Result<Fact, Refusal>| match fact.and_then(|fact| meaning::of(fact, buckets, presets)) {
        Ok(meaning) => meaning,
        Err(refusal) => Meaning::Park(refusal.into()),
    };
    Intake { dialect, meanings: facts.into_iter().map(meaning).collect() }
}

/// What to register for an object that was found in a listing rather than announced; `None` for what no event would
/// register: directories, our own blobs, keys that are too long, buckets that are not allowed.
pub fn of_listed_object(
    bucket: &str,
    object: &SourceObject,
    lane: Lane,
    buckets: &AllowedBuckets,
    presets: &PresetTable,
) -> Option<NewFileVersion> {
    if object::is_directory(&object.key, Some(&wire::Size(object.size))) {
        return None;
    }
    let event = wire::UploadEvent::of_listed(bucket, object, lane)?;
    match meaning::of(Fact::Uploaded(Box::new(event)), buckets, presets) {
        Ok(Meaning::Register(new)) => Some(*new),
        _ => None,
    }
}

/// The JSON object that every dialect is written as.
fn object(message: &Message) -> Result<Map<String, Value>, Refusal> {
    if message.body.len() > MESSAGE_BYTES_MAX {
        return Err(Refusal::TooLong(message.body.len()));
    }
    let text = std::str::from_utf8(&message.body).map_err(Refusal::NotUtf8)?;
    match serde_json::from_str(text).map_err(Refusal::NotJson)? {
        Value::Object(object) => Ok(object),
        other => Err(Refusal::NotAnObject(fields::shown(&other))),
    }
}

/// Tells the dialect and takes what it says out of its envelope. Envelopes come first, the one in the headers before
/// those in the body: what they hold may look like anything.
fn unwrap(message: &Message, object: Map<String, Value>) -> (Dialect, Vec<Result<Fact, Refusal>>) {
    if cloud_events::is_structured(message, &object) {
        (Dialect::CloudEvents, vec![cloud_events::unwrap_structured(object)])
    } else if cloud_events::is_binary(message) {
        (Dialect::CloudEventsBinary, vec![cloud_events::unwrap_binary(message, object)])
    } else if s3::is_notification(&object) {
        (Dialect::S3, s3::unwrap(object))
    } else if event_bridge::is_wrapped(&object) {
        (Dialect::EventBridge, vec![event_bridge::unwrap(object)])
    } else {
        (Dialect::Bare, vec![bare::unwrap(object)])
    }
}

#[cfg(test)]
mod tests;
