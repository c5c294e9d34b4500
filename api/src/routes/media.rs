//! `GET /media/{file}/{version}/{what}`: the bytes that a signed URL grants, and nothing else.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use shared::domain::file::FileState;
use shared::domain::representation::State;
use shared::ports::blob_store::BlobError;

use crate::App;
use crate::content::delivery::{Offer, value};
use crate::content::disposition::{self, Kind};
use crate::content::signature::{Grant, Media, unix_seconds};
use crate::content::{asset_path, conditional};
use crate::error::ApiError;
use crate::extract::{MediaPath, Params};

/// Under its URL the bytes never change, but the right to them ends.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=60");

/// The rest of the grant.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    pub(super) expires: Option<String>,
    pub(super) disposition: Option<String>,
    pub(super) name: Option<String>,
    pub(super) access: Option<String>,
    pub(super) signature: Option<String>,
}

pub(crate) async fn get(
    Shared(app): Shared<Arc<App>>,
    path: MediaPath,
    Params(query): Params<Query>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let grant = granted(&app, &path, query)?;
    send(&app, &grant, (&method, &headers)).await
}

/// What a grant lets its holder read, unless other people may see the file by now than when it was made: it may have
/// been made for one who no longer does.
pub(super) async fn send(
    app: &App,
    grant: &Grant,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    let state = app.version(grant.file, grant.version).await?;
    if app.deps.signer.mark(state.file.access.as_ref()) != grant.access {
        return Err(ApiError::LinkExpired);
    }
    let disposition = grant.disposition.as_ref();
    let disposition = disposition.map(|(kind, name)| value(disposition::value_of_name(*kind, name))).transpose()?;
    match &grant.what {
        Media::Source => {
            let told = Told { media_type: state.version.media_type().to_owned(), cache_control: CACHE, disposition };
            send_source(app, &state, told, (method, headers)).await
        }
        Media::Page { preset, number } => page(app, &state, (preset, *number), disposition, (method, headers)).await,
    }
}

/// Whatever is wrong with a URL, it grants nothing, and does not say what it would take.
pub(super) fn granted(app: &App, path: &MediaPath, query: Query) -> Result<Grant, ApiError> {
    let refused = || ApiError::LinkExpired;
    let disposition = match (query.disposition.as_deref(), query.name) {
        (None, None) => None,
        (Some(kind), Some(name)) => Some((Kind::from_name(kind).ok_or_else(refused)?, name)),
        _ => return Err(refused()),
    };
    let expires_at = query.expires.as_deref().and_then(|text| text.parse().ok()).ok_or_else(refused)?;
    let what = Media::from_segment(&path.what).ok_or_else(refused)?;
    let access = query.access.unwrap_or_default();
    let grant = Grant { file: path.file, version: path.version, what, disposition, expires_at, access };
    let is_signed = app.deps.signer.is_signed(&grant, query.signature.as_deref().unwrap_or(""));
    if is_signed && unix_seconds() < grant.expires_at { Ok(grant) } else { Err(refused()) }
}

/// What is said of a source beside its bytes.
pub(super) struct Told {
    /// `Content-Type`.
    pub(super) media_type: String,
    /// `Cache-Control`.
    pub(super) cache_control: HeaderValue,
    /// `Content-Disposition`, if there is to be one.
    pub(super) disposition: Option<HeaderValue>,
}

/// The source of a version, whole, in part or not again.
pub(super) async fn send_source(
    app: &App,
    state: &FileState,
    Told { media_type, cache_control, disposition }: Told,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    let version = &state.version;
    let offer = Offer {
        etag: match version.bytes {
            Some(bytes) => conditional::etag(&bytes.sha256),
            None => format!("\"version-{}\"", version.id),
        },
        length_bytes: version.bytes.map(|bytes| bytes.length_bytes),
        media_type,
        cache_control,
        disposition,
    };
    let open = |range| async move {
        match range {
            Some(range) => app.deps.sources.open_part(&version.source, range).await,
            None => app.deps.sources.open(&version.source).await,
        }
    };
    offer.deliver(method, headers, open).await.map_err(gone)
}

/// A source in a producer's bucket may go away without a word to us.
fn gone(error: ApiError) -> ApiError {
    let is_gone = |cause: &(dyn std::error::Error + Send + Sync + 'static)| {
        matches!(cause.downcast_ref(), Some(BlobError::NotFound(_) | BlobError::UnknownBucket(_)))
    };
    match &error {
        ApiError::Internal(cause) if is_gone(cause.as_ref()) => ApiError::NotFound,
        _ => error,
    }
}

async fn page(
    app: &App,
    state: &FileState,
    (preset, number): (&str, u32),
    disposition: Option<HeaderValue>,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    let row = state.representations.iter().find(|row| row.preset.as_str() == preset).ok_or(ApiError::NotFound)?;
    let content = match &row.state {
        State::Pending => return Err(ApiError::NotFound),
        State::Error(failure) => return Err(ApiError::RepresentationFailed(failure.clone())),
        State::Viewable(content) | State::Success(content) => content,
    };
    let pages = content.pages().len();
    let page = content.page(number).ok_or_else(|| asset_path::out_of_range(&number.to_string(), Some(pages)))?;
    let offer = Offer {
        etag: conditional::etag(&page.sha256()),
        length_bytes: Some(page.length_bytes),
        media_type: page.media_type().to_owned(),
        cache_control: CACHE,
        disposition,
    };
    offer.deliver(method, headers, |part| app.deps.blobs.get_page(page, part)).await
}
