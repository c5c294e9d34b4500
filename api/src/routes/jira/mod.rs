//! Jira's attachment API (contract section 8): one file per route, and what they share.

pub(crate) mod attachment;
pub(crate) mod binary;
pub(crate) mod content;
pub(crate) mod expand;
pub(crate) mod issue;
pub(crate) mod meta;
mod rendering;
pub(crate) mod server_info;
pub(crate) mod thumbnail;
pub(crate) mod upload;
pub(crate) mod user;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use shared::domain::file::FileState;
use shared::domain::principal::Action;

use crate::App;
use crate::auth::access::Caller;
use crate::content::disposition::Kind;
use crate::content::signature::Media;
use crate::error::ApiError;

/// Longest id or key that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 64;
/// Who may see the bytes may change at any time: ask again, however long they are kept.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

impl App {
    /// The file behind an attachment's id: the one place where Jira's routes find one.
    async fn attachment(&self, id: &str, caller: &Caller, action: Action) -> Result<FileState, ApiError> {
        self.attachments_enabled()?;
        let missing = || ApiError::AttachmentMissing(shown(id));
        let Ok(file) = id.parse() else {
            // No file can be called so; whoever may see none at all learns not even that.
            return Err(caller
                .opens::<FileState>(None, action)
                .err()
                .filter(|error| !matches!(error, ApiError::NotFound))
                .unwrap_or_else(missing));
        };
        match self.open(file, caller, action).await {
            Err(ApiError::NotFound | ApiError::Trashed) => Err(missing()),
            found => found,
        }
    }

    /// Without attachments, no route of theirs finds anything.
    fn attachments_enabled(&self) -> Result<(), ApiError> {
        if self.deps.jira.attachments_enabled { Ok(()) } else { Err(ApiError::AttachmentsDisabled) }
    }

    /// A link to these bytes that needs no credentials: clients drop theirs on the way (contract 0.16).
    fn signed(&self, file: &FileState, what: Media, kind: Kind, name: String) -> String {
        let grant = self.grant(file, what, Some((kind, name)));
        self.deps.links.binary(&grant, &self.deps.signer.sign(&grant))
    }
}

/// As much of what the client sent as an error repeats.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}

/// A JSON answer as Jira types it.
fn json(value: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json;charset=UTF-8"), (CACHE_CONTROL, "private, no-cache")];
    (headers, value.to_string()).into_response()
}

/// 303 to a link that soon expires, so nobody may keep the way to it.
fn see_other(location: String) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, "no-store".to_owned())]).into_response()
}

/// Java clients send `true`, Python clients `True`: contract 0.14.
fn flag(name: &str, value: Option<&str>, default: bool) -> Result<bool, ApiError> {
    match value {
        None => Ok(default),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(ApiError::BadRequest(format!("{name} is neither true nor false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_any_letter_case() {
        assert!(flag("x", Some("True"), false).unwrap() && flag("x", None, true).unwrap());
        assert!(!flag("x", Some("FALSE"), true).unwrap());
        for bad in ["", "1", "yes", " true"] {
            assert!(flag("x", Some(bad), true).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn errors_repeat_little_of_what_was_sent() {
        assert_eq!(shown("5\n9"), "59");
        assert_eq!(shown(&"x".repeat(1000)).len(), SHOWN_CHARS_MAX);
    }
}
