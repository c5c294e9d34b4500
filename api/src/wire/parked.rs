//! A parked message as our own API shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::ports::parking::Parked;

use super::timestamp::rfc3339;

/// Why it was parked and when.
#[derive(Debug, Serialize)]
pub(crate) struct ParkedEntry {
    id: String,
    code: String,
    reason: String,
    /// How often the very same message came.
    times: u64,
    first_at: String,
    last_at: String,
    length_bytes: u64,
    /// Whether it waits to be published again.
    replay_requested: bool,
}

/// The whole message.
#[derive(Debug, Serialize)]
pub(crate) struct ParkedMessage {
    #[serde(flatten)]
    entry: ParkedEntry,
    content_type: Option<String>,
    headers: BTreeMap<String, String>,
    /// Bytes that are no UTF-8 are shown with replacement characters.
    body: String,
    /// Whether `body` is exactly what came: UTF-8, and not cut.
    body_is_exact: bool,
}

impl ParkedEntry {
    pub(crate) fn new(row: &Parked) -> Self {
        Self {
            id: row.id.to_string(),
            code: row.parked.code.clone(),
            reason: row.parked.reason.clone(),
            times: row.times,
            first_at: rfc3339(row.first_at),
            last_at: rfc3339(row.last_at),
            length_bytes: row.parked.length_bytes,
            replay_requested: row.replay_requested,
        }
    }
}

impl ParkedMessage {
    pub(crate) fn new(row: &Parked) -> Self {
        let message = &row.parked.message;
        let body = String::from_utf8_lossy(&message.body).into_owned();
        Self {
            entry: ParkedEntry::new(row),
            content_type: message.content_type.clone(),
            headers: message.headers.clone(),
            body_is_exact: body.as_bytes() == &message.body[..] && !row.parked.is_cut(),
            body,
        }
    }
}
