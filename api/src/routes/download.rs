//! `GET /2.0/files/{id}/content`: a redirect to a URL that needs no credentials and dies soon. Never the bytes
//! themselves: some clients accept nothing but the redirect (contract 0.2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use shared::domain::file::FileState;
use shared::domain::ids::FileVersionId;

use crate::App;
use crate::content::disposition::Kind;
use crate::content::signature::{Grant, Media, unix_seconds};
use crate::error::ApiError;
use crate::extract::{BoxFileId, Params};

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    version: Option<String>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    BoxFileId(id): BoxFileId,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let state = match query.version.as_deref().filter(|version| !version.is_empty()) {
        None => app.file(id).await?,
        Some(version) => {
            // The version of a file that is not there, or not to be seen, is not looked for.
            app.file(id).await?;
            let version: FileVersionId = version.parse().map_err(|_| ApiError::NotFound)?;
            app.version(id, version).await?
        }
    };
    let url = app.source_url(&state, Some(Kind::Attachment));
    let no_store = HeaderValue::from_static("no-store");
    Ok((StatusCode::FOUND, [(LOCATION, url)], [(CACHE_CONTROL, no_store)]).into_response())
}

impl App {
    /// Where the source of a version is read for a short time without credentials: at our own media route, never at the
    /// blob store. One of Box's clients sends its token along to that URL, and a store refuses a signed URL with one.
    pub(crate) fn source_url(&self, state: &FileState, kind: Option<Kind>) -> String {
        let disposition = kind.map(|kind| (kind, state.file.name.clone()));
        self.media_url(state, Media::Source, disposition)
    }

    /// The right to read these bytes for a short time, while the same people may see the file.
    pub(crate) fn grant(&self, state: &FileState, what: Media, disposition: Option<(Kind, String)>) -> Grant {
        let expires_at = unix_seconds() + self.deps.config.download_url_seconds;
        let access = self.deps.signer.mark(state.file.access.as_ref());
        Grant { file: state.file.id, version: state.version.id, what, disposition, expires_at, access }
    }

    /// Our own signed URL of these bytes.
    pub(crate) fn media_url(&self, state: &FileState, what: Media, disposition: Option<(Kind, String)>) -> String {
        let grant = self.grant(state, what, disposition);
        self.deps.links.media(&grant, &self.deps.signer.sign(&grant))
    }
}
