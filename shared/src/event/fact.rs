//! What an event says, before the configuration is asked what follows from it.

use serde_json::{Map, Value};

use super::fields::cut;
use super::refusal::Refusal;
use super::wire::{AccessEvent, DeletedEvent, Moment, UploadEvent};

/// A file version was uploaded.
pub(super) const UPLOADED: &str = "thumbline.file.uploaded";
/// A file, or one version of it, was deleted.
pub(super) const DELETED: &str = "thumbline.file.deleted";
/// Other people may see a file now.
pub(super) const ACCESS_CHANGED: &str = "thumbline.access.changed";

/// What an event says.
pub(super) enum Fact {
    Uploaded(Box<UploadEvent>),
    Deleted(DeletedEvent),
    AccessChanged(AccessEvent),
    /// Nothing that concerns us, with the reason.
    Nothing(String),
}

impl Fact {
    /// The fields of an event of this type.
    pub(super) fn read(event_type: &str, data: Map<String, Value>) -> Result<Self, Refusal> {
        match event_type {
            UPLOADED => Ok(Self::Uploaded(Box::new(UploadEvent::read(data)?))),
            DELETED => Ok(Self::Deleted(DeletedEvent::read(data)?)),
            ACCESS_CHANGED => Ok(Self::AccessChanged(AccessEvent::read(data)?)),
            other => Err(Refusal::UnknownType(cut(other))),
        }
    }

    /// When it occurred, as the envelope says, unless the event itself says.
    pub(super) fn or_occurred_at(self, envelope: Option<Moment>) -> Self {
        match self {
            Self::Uploaded(mut event) => {
                event.occurred_at = event.occurred_at.or(envelope);
                Self::Uploaded(event)
            }
            Self::Deleted(mut event) => {
                event.occurred_at = event.occurred_at.or(envelope);
                Self::Deleted(event)
            }
            Self::AccessChanged(mut event) => {
                event.occurred_at = event.occurred_at.or(envelope);
                Self::AccessChanged(event)
            }
            Self::Nothing(reason) => Self::Nothing(reason),
        }
    }
}

/// Whether events of this type are ours.
pub(super) fn is_ours(event_type: &str) -> bool {
    [UPLOADED, DELETED, ACCESS_CHANGED].contains(&event_type)
}
