//! A file as our own API shows it.

use serde::Serialize;
use shared::domain::failure::Failure;
use shared::domain::file::{FileState, VersionIdentity};
use shared::domain::preset::{Preset, PresetTable};
use shared::domain::representation::{Content, Representation, State};
use shared::event::identity;

use super::timestamp::rfc3339;
use crate::links::Links;
use crate::wire;

/// A file with its current version. What is not known yet is null.
#[derive(Debug, Serialize)]
pub(crate) struct OwnFile {
    id: String,
    /// The producer's own name for the file.
    source_id: Option<String>,
    /// `s3://bucket/key`; null for uploads through our API.
    source: Option<String>,
    tenant: String,
    name: String,
    created_at: String,
    version: Version,
    /// Base64, about 30 characters; clients turn it into a blurred picture.
    thumbhash: Option<String>,
    /// As `#rrggbb`.
    dominant_color: Option<String>,
    /// Width over height, as shown.
    aspect_ratio: Option<f64>,
    representations: Vec<OwnRepresentation>,
    /// Until nothing is pending any more, as far as can be told; null when nothing is.
    eta_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Version {
    id: String,
    sequence: Option<String>,
    /// The store's own id of the object's version: that very one is read.
    object_version: Option<String>,
    format: Option<&'static str>,
    width: Option<u32>,
    height: Option<u32>,
    pages: Option<u32>,
    bytes: Option<u64>,
    sha256: Option<String>,
}

/// One representation, `none` included. Width, height and SHA-256 are page 1's; bytes are of all pages.
#[derive(Debug, Serialize)]
struct OwnRepresentation {
    name: String,
    state: &'static str,
    /// The finer code; while pending, what the last attempt ran into.
    code: Option<&'static str>,
    reason: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    bytes: Option<u64>,
    sha256: Option<String>,
    pages: Option<usize>,
    attempts: u32,
    /// From `pending` to settled.
    elapsed_ms: Option<i64>,
    /// Where page 1 is read, or asked for; null once there never will be one.
    url: Option<String>,
}

impl OwnFile {
    /// The file with every representation that exists for it, in listing order.
    pub(crate) fn new(presets: &PresetTable, state: &FileState, links: &Links, eta_ms: Option<u64>) -> Self {
        let picture = state.version.picture;
        let placeholder = picture.and_then(|picture| picture.placeholder);
        let available = wire::available(presets, state);
        let fitted = wire::fitted(state);
        Self {
            id: state.file.id.to_string(),
            source_id: identity::source_id(&state.file.identity).map(str::to_owned),
            source: state.version.source.address(),
            tenant: state.file.tenant.to_string(),
            name: state.version.name.clone(),
            created_at: rfc3339(state.file.created_at),
            version: Version::new(state),
            thumbhash: placeholder.map(|placeholder| placeholder.thumbhash.to_string()),
            dominant_color: placeholder.map(|placeholder| placeholder.dominant_color.to_string()),
            aspect_ratio: picture.map(|p| f64::from(p.dimensions.width) / f64::from(p.dimensions.height)),
            representations: (available.into_iter().chain(&fitted))
                .map(|preset| OwnRepresentation::new(preset, state, links))
                .collect(),
            eta_ms,
        }
    }
}

impl Version {
    fn new(state: &FileState) -> Self {
        let version = &state.version;
        Self {
            id: version.id.to_string(),
            sequence: match &version.identity {
                VersionIdentity::Named(name) => name.strip_prefix("sequence:").map(str::to_owned),
                VersionIdentity::ByDigest(_) => None,
            },
            object_version: version.source.object_version().map(str::to_owned),
            format: version.picture.map(|picture| picture.format.name()),
            width: version.picture.map(|picture| picture.dimensions.width),
            height: version.picture.map(|picture| picture.dimensions.height),
            pages: version.picture.map(|picture| picture.pages),
            bytes: version.bytes.map(|bytes| bytes.length_bytes),
            sha256: version.bytes.map(|bytes| bytes.sha256.to_string()),
        }
    }
}

impl OwnRepresentation {
    fn new(preset: &Preset, file: &FileState, links: &Links) -> Self {
        let row = file.representation(&preset.name);
        let content = row.and_then(|row| row.state.content());
        let failure = row.and_then(failure);
        let has_failed = matches!(row.map(|row| &row.state), Some(State::Error(_)));
        let url = (!has_failed).then(|| links.first_page(file.file.id, file.version.id, preset, content));
        Self {
            name: preset.name.to_string(),
            state: row.map_or("none", |row| row.state.name()),
            code: failure.map(|failure| failure.code.name()),
            reason: failure.map(|failure| failure.reason.clone()),
            width: content.map(|content| content.first().dimensions.width),
            height: content.map(|content| content.first().dimensions.height),
            bytes: content.map(total_bytes),
            sha256: content.map(|content| content.first().sha256().to_string()),
            pages: content.map(|content| content.pages().len()),
            attempts: row.map_or(0, |row| row.attempts),
            elapsed_ms: row.and_then(|row| Some(row.settled_at? - row.pending_since)),
            url,
        }
    }
}

fn failure(row: &Representation) -> Option<&Failure> {
    match &row.state {
        State::Error(failure) => Some(failure),
        State::Pending | State::Viewable(_) => row.last_failure.as_ref(),
        State::Success(_) => None,
    }
}

fn total_bytes(content: &Content) -> u64 {
    content.pages().iter().map(|page| page.length_bytes).sum()
}
