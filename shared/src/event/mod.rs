//! What producers send, told apart by content: bytes and headers in; event, ignore or reason out.

use crate::domain::file::NewFileVersion;
use crate::domain::preset::PresetTable;
use crate::domain::source::AllowedBuckets;
use crate::ports::work_queue::{Message, ParkingReason};

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
    let _ = (message, buckets, presets);
    Intake { dialect: Dialect::Unknown, meaning: Meaning::Ignore(String::new()) }
}
