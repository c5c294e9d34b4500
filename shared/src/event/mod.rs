//! What producers send, told apart by content: bytes and headers in; event, ignore or reason out.
//!
//! [`read`] is the whole of it. Each dialect has its own file and unwraps to the same fields (`wire`), which
//! `upload` turns into a file version with the configured buckets and presets at hand. `docs/events/EVENTS.md` tells
//! producers the same; its schemas are held against this parser by `shared/tests/event_schema.rs`.

mod bare;
pub mod base64;
mod cloud_events;
mod fields;
pub mod identity;
mod refusal;
mod upload;
mod wire;

use serde_json::{Map, Value};

use self::refusal::Refusal;
use self::wire::UploadEvent;
use crate::domain::file::NewFileVersion;
use crate::domain::preset::PresetTable;
use crate::domain::source::AllowedBuckets;
use crate::ports::work_queue::{Message, ParkingReason};

/// Longest message that is read, in bytes; an upload event has a few hundred.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The one type of event that is acted upon so far.
const UPLOADED: &str = "thumbline.file.uploaded";
/// Types that are ours, but not acted upon yet: parked, so that they can be replayed once they are.
const NOT_YET: [&str; 2] = ["thumbline.file.deleted", "thumbline.access.changed"];

/// How a message was written; a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// CloudEvents 1.0 in structured JSON mode.
    CloudEvents,
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
    /// What follows.
    pub meaning: Meaning,
}

/// What follows from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A file version to register.
    Register(Box<NewFileVersion>),
    /// Nothing, on purpose, with the reason.
    Ignore(String),
    /// Nobody can read it: into the parking queue.
    Park(ParkingReason),
}

/// Reads a message. Never fails: what cannot be understood is a [`Meaning::Park`].
pub fn read(message: &Message, buckets: &AllowedBuckets, presets: &PresetTable) -> Intake {
    let (dialect, event) = match object(message) {
        Ok(object) => unwrap(message, object),
        Err(refusal) => (Dialect::Unknown, Err(refusal)),
    };
    let meaning = match event.and_then(|event| upload::new_file_version(event, buckets, presets)) {
        Ok(new) => Meaning::Register(Box::new(new)),
        Err(refusal) => Meaning::Park(refusal.into()),
    };
    Intake { dialect, meaning }
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

/// Tells the dialect and takes the event out of its envelope.
fn unwrap(message: &Message, object: Map<String, Value>) -> (Dialect, Result<UploadEvent, Refusal>) {
    if cloud_events::is_structured(message, &object) {
        (Dialect::CloudEvents, cloud_events::unwrap(object))
    } else if let Some(dialect) = not_read_yet(message, &object) {
        (Dialect::Unknown, Err(Refusal::UnsupportedDialect(dialect)))
    } else {
        (Dialect::Bare, bare::unwrap(object))
    }
}

/// Dialects that must not be taken for a bare event: an envelope in the headers may say that a file was deleted.
fn not_read_yet(message: &Message, object: &Map<String, Value>) -> Option<&'static str> {
    const BINARY_MODE_TYPE: [&str; 4] = ["ce-type", "ce_type", "cloudEvents:type", "cloudEvents_type"];
    if BINARY_MODE_TYPE.iter().any(|header| message.headers.keys().any(|name| name.eq_ignore_ascii_case(header))) {
        Some("a CloudEvent in binary mode")
    } else if object.contains_key("Records") {
        Some("an S3 notification")
    } else {
        None
    }
}

/// Refuses every type of event but the one that is acted upon.
fn require_uploaded(event_type: &str) -> Result<(), Refusal> {
    if event_type == UPLOADED {
        Ok(())
    } else if NOT_YET.contains(&event_type) {
        Err(Refusal::UnsupportedType(event_type.to_owned()))
    } else {
        Err(Refusal::UnknownType(fields::cut(event_type)))
    }
}

#[cfg(test)]
mod tests;
