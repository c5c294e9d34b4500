//! Why a message cannot be understood: a stable code for machines and a sentence that says what would be right.

use std::str::Utf8Error;

use super::MESSAGE_BYTES_MAX;
use super::fact::{ACCESS_CHANGED, DELETED, UPLOADED};
use crate::ports::work_queue::ParkingReason;

/// Longest sentence that travels with a parked message, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Why a message cannot be understood. Values in it are already cut.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the message has {0} bytes, at most {MESSAGE_BYTES_MAX} are read; send the facts of one file version only")]
    TooLong(usize),
    #[error("the message is not UTF-8 ({0}); send JSON as UTF-8 without compression")]
    NotUtf8(#[source] Utf8Error),
    #[error("the message is not JSON ({0}); send one JSON object per message")]
    NotJson(#[source] serde_json::Error),
    #[error("the message is {0}, not a JSON object; send one event per message")]
    NotAnObject(String),
    #[error("specversion is {0}, only CloudEvents \"1.0\" is read")]
    UnsupportedSpecversion(String),
    #[error("nothing is known of events of type {0:?}; known are {UPLOADED}, {DELETED} and {ACCESS_CHANGED}")]
    UnknownType(String),
    #[error("the field {0:?} is missing; the event needs it")]
    MissingField(&'static str),
    #[error("the field {field:?} is not usable: {problem}")]
    InvalidField { field: &'static str, problem: String },
    #[error("neither source_id nor bucket and key say which file it is; a source_id without a bucket needs its tenant")]
    WhichFile,
    #[error("record {number}: {refusal}")]
    Record { number: usize, refusal: Box<Refusal> },
    #[error(
        "the bucket {bucket:?} is not configured; allowed: {allowed}; \
         add a table [[sources]] for it, or correct the event"
    )]
    UnknownBucket { bucket: String, allowed: String },
}

impl Refusal {
    /// The stable snake_case word.
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "too_long",
            Self::NotUtf8(_) | Self::NotJson(_) => "not_json",
            Self::NotAnObject(_) => "not_an_object",
            Self::UnsupportedSpecversion(_) => "unsupported_specversion",
            Self::UnknownType(_) => "unknown_type",
            Self::MissingField(_) | Self::WhichFile => "missing_field",
            Self::Record { refusal, .. } => refusal.code(),
            Self::InvalidField { .. } => "invalid_field",
            Self::UnknownBucket { .. } => "unknown_bucket",
        }
    }
}

impl From<Refusal> for ParkingReason {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.to_string().chars().take(REASON_CHARS_MAX).collect();
        Self { code: refusal.code(), reason }
    }
}
