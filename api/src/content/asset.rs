//! Bytes that are ready to be sent, a representation's or a source's: whole, in part, not again, or by a redirect.

use std::ops::Range;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use shared::domain::file::FileState;
use shared::domain::ids::Sha256Digest;
use shared::domain::preset::Preset;
use shared::domain::representation::PageContent;
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::{BlobError, BlobRead, ByteStream};

use super::range::{self, Wanted};
use super::{conditional, disposition, media_type};
use crate::App;
use crate::error::ApiError;

/// Who may see the bytes may change at any time: ask again, however long they are kept.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
/// Opened as a page of its own, content can do nothing.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Time for the store to send the next bytes.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes at rest, with what is told of them.
pub(crate) struct Asset {
    location: SourceLocation,
    /// Known for everything that we counted ourselves.
    facts: Option<(u64, Sha256Digest)>,
    media_type: HeaderValue,
    disposition: HeaderValue,
}

impl Asset {
    /// One page of a representation.
    pub(crate) fn of_page(file: &FileState, preset: &Preset, page: &PageContent) -> Result<Self, ApiError> {
        let stem = disposition::stem(&file.version.name);
        Ok(Self {
            location: SourceLocation::Uploaded(page.blob.clone()),
            facts: Some((page.length_bytes, page.sha256())),
            media_type: HeaderValue::from_static(preset.format.media_type()),
            disposition: value(disposition::value(disposition::Kind::Inline, stem, preset.format.name()))?,
        })
    }

    /// What was uploaded. Only pictures are shown in place: anything else could be a page with a script.
    pub(crate) fn of_source(file: &FileState) -> Result<Self, ApiError> {
        let version = &file.version;
        let kind = match version.picture {
            Some(_) => disposition::Kind::Inline,
            None => disposition::Kind::Attachment,
        };
        Ok(Self {
            location: version.source.clone(),
            facts: version.bytes.map(|bytes| (bytes.length_bytes, bytes.sha256)),
            media_type: value(media_type::of(version))?,
            disposition: value(disposition::of_whole_name(kind, &version.name))?,
        })
    }

    /// The answer to a request for these bytes.
    pub(crate) async fn send(&self, app: &App, method: &Method, headers: &HeaderMap) -> Result<Response, ApiError> {
        let etag = self.facts.map(|(_, sha256)| conditional::etag(&sha256));
        let mut response = match &etag {
            Some(etag) if conditional::is_fresh(headers, etag) => StatusCode::NOT_MODIFIED.into_response(),
            _ => self.bytes(app, method, headers, etag.as_deref()).await?,
        };
        let to_all = response.headers_mut();
        if let Some(etag) = etag {
            to_all.insert(ETAG, value(etag)?);
        }
        to_all.insert(CACHE_CONTROL, ASK_AGAIN);
        to_all.insert(CONTENT_SECURITY_POLICY, SANDBOX);
        to_all.insert(CONTENT_DISPOSITION, self.disposition.clone());
        Ok(response)
    }

    async fn bytes(
        &self,
        app: &App,
        method: &Method,
        headers: &HeaderMap,
        etag: Option<&str>,
    ) -> Result<Response, ApiError> {
        let opened = match self.facts {
            Some((length_bytes, _)) => Opened::Closed(length_bytes),
            // Nobody has counted it yet: only its store knows how long it is.
            None => Opened::Open(app.deps.sources.open(&self.location).await.map_err(missing)?),
        };
        let length_bytes = opened.length_bytes();
        let holds = match etag {
            Some(etag) => conditional::range_holds(headers, etag),
            None => !headers.contains_key(http::header::IF_RANGE),
        };
        let asked =
            headers.get(RANGE).filter(|_| *method == Method::GET && holds).and_then(|value| value.to_str().ok());
        let (status, range) = match range::wanted(asked, length_bytes) {
            Wanted::Unsatisfiable => return Err(ApiError::RangeNotSatisfiable { length_bytes }),
            Wanted::Whole => (StatusCode::OK, 0..length_bytes),
            Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        };
        let body = if *method == Method::HEAD { Body::empty() } else { self.body(app, opened, range.clone()).await? };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.media_type.clone());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        if status == StatusCode::PARTIAL_CONTENT {
            let Range { start, end } = range;
            headers.insert(CONTENT_RANGE, value(format!("bytes {start}-{}/{length_bytes}", end - 1))?);
        }
        Ok(response)
    }

    /// Our own store reads a range; of a producer's bucket what comes before it is read and left out.
    async fn body(&self, app: &App, opened: Opened, range: Range<u64>) -> Result<Body, ApiError> {
        let stream = match (&self.location, opened) {
            (SourceLocation::Uploaded(_), _) if range.is_empty() => return Ok(Body::empty()),
            (SourceLocation::Uploaded(key), _) => app.deps.blobs.get(key, Some(range)).await?.stream,
            (SourceLocation::Bucket { .. }, Opened::Open(read)) => part(read.stream, range),
            (SourceLocation::Bucket { .. }, Opened::Closed(_)) => {
                part(app.deps.sources.open(&self.location).await.map_err(missing)?.stream, range)
            }
        };
        Ok(bounded(stream))
    }
}

/// Whether the bytes are on their way already.
enum Opened {
    Open(BlobRead),
    Closed(u64),
}

impl Opened {
    fn length_bytes(&self) -> u64 {
        match self {
            Self::Open(read) => read.length_bytes,
            Self::Closed(length_bytes) => *length_bytes,
        }
    }
}

/// A producer may remove its object at any time.
fn missing(error: BlobError) -> ApiError {
    match error {
        BlobError::NotFound(_) => ApiError::NotFound,
        error => error.into(),
    }
}

/// These bytes of a stream.
fn part(stream: ByteStream, range: Range<u64>) -> ByteStream {
    let mut at = 0;
    let kept = move |chunk: Bytes| {
        let begin = range.start.saturating_sub(at).min(chunk.len() as u64);
        let end = range.end.saturating_sub(at).min(chunk.len() as u64);
        at += chunk.len() as u64;
        // Both are at most the chunk's length.
        (chunk.slice(begin as usize..end.max(begin) as usize), at >= range.end)
    };
    Box::pin(stream::unfold(Some((stream, kept)), |reading| async {
        let (mut stream, mut kept) = reading?;
        match stream.next().await? {
            Err(error) => Some((Err(error), None)),
            Ok(chunk) => {
                let (chunk, is_last) = kept(chunk);
                Some((Ok(chunk), (!is_last).then_some((stream, kept))))
            }
        }
    }))
}

/// The bytes as they come from the store, each chunk within its time; a late one breaks the connection, so that the
/// client notices.
fn bounded(stream: ByteStream) -> Body {
    Body::from_stream(stream::unfold(Some(stream), |stream| async {
        let mut stream = stream?;
        match tokio::time::timeout(CHUNK_TIMEOUT, stream.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(stream))),
            Ok(Some(Err(error))) => {
                tracing::warn!(error = %error, "content broke off while it was sent: {error}");
                Some((Err(error), None))
            }
            Err(late) => {
                tracing::warn!("the store sent nothing for {} s; content breaks off", CHUNK_TIMEOUT.as_secs());
                Some((Err(BlobError::Away(late.into())), None))
            }
        }
    }))
}

fn value(text: String) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(text).map_err(|error| ApiError::Internal(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kept(range: Range<u64>) -> String {
        let chunks = ["0123", "", "4567", "89"].map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        let part = part(Box::pin(stream::iter(chunks)), range);
        let chunks: Vec<_> = part.map(Result::unwrap).collect().await;
        String::from_utf8(chunks.concat()).unwrap()
    }

    #[tokio::test]
    async fn any_part_of_a_stream_can_be_kept() {
        for (range, bytes) in [(0..10, "0123456789"), (3..5, "34"), (4..8, "4567"), (9..10, "9"), (0..1, "0")] {
            assert_eq!(kept(range.clone()).await, bytes, "{range:?}");
        }
    }
}
