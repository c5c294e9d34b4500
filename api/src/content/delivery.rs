//! Sending bytes that have a strong tag: conditions, one range, and the headers that go with them (RFC 9110).

use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use shared::ports::blob_store::{BlobError, BlobRead};

use super::conditional;
use super::range::{self, Wanted};
use crate::error::ApiError;

/// Opened as a page of its own, content can do nothing.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Time for the store to send the next bytes.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that can be had, and what is said of them.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The strong tag, quotes included.
    pub(crate) etag: String,
    /// `None` when it shows only once the bytes come; then there are no ranges.
    pub(crate) length_bytes: Option<u64>,
    /// `Content-Type`.
    pub(crate) media_type: String,
    /// `Cache-Control`.
    pub(crate) cache_control: HeaderValue,
    /// `Content-Disposition`, if there is to be one.
    pub(crate) disposition: Option<HeaderValue>,
}

/// What a request gets once its conditions were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has these bytes already.
    NotModified,
    /// All bytes, or those of a range.
    Send(Wanted),
}

impl Offer {
    /// Looks at the conditions of a request in the order of RFC 9110 section 13.2.2.
    pub(crate) fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<Verdict, ApiError> {
        if !conditional::is_expected(headers, &self.etag) {
            return Err(ApiError::PreconditionFailed);
        }
        if conditional::is_fresh(headers, &self.etag) {
            return Ok(Verdict::NotModified);
        }
        let Some(length_bytes) = self.length_bytes else { return Ok(Verdict::Send(Wanted::Whole)) };
        let ranged = method == Method::GET && conditional::range_holds(headers, &self.etag);
        let text = headers.get(RANGE).filter(|_| ranged).and_then(|value| value.to_str().ok());
        match range::wanted(text, length_bytes) {
            Wanted::Unsatisfiable => Err(ApiError::RangeNotSatisfiable { length_bytes }),
            wanted => Ok(Verdict::Send(wanted)),
        }
    }

    /// Answers with the bytes that the request gets; `open` is asked for them only when any are sent.
    pub(crate) async fn deliver<Open, Opening>(
        &self,
        method: &Method,
        headers: &HeaderMap,
        open: Open,
    ) -> Result<Response, ApiError>
    where
        Open: FnOnce(Option<Range<u64>>) -> Opening,
        Opening: Future<Output = Result<BlobRead, BlobError>>,
    {
        let mut response = match self.judge(method, headers)? {
            Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
            Verdict::Send(_) if method == Method::HEAD => self.head(self.length_bytes),
            Verdict::Send(Wanted::Part(range)) => self.part(open(Some(range.clone())).await?, &range)?,
            Verdict::Send(_) => {
                let read = open(None).await?;
                let mut response = self.head(Some(read.length_bytes));
                *response.body_mut() = bounded(read);
                response
            }
        };
        let to_all = response.headers_mut();
        to_all.insert(ETAG, value(self.etag.clone())?);
        to_all.insert(CACHE_CONTROL, self.cache_control.clone());
        to_all.insert(CONTENT_SECURITY_POLICY, SANDBOX);
        if let Some(disposition) = &self.disposition {
            to_all.insert(CONTENT_DISPOSITION, disposition.clone());
        }
        Ok(response)
    }

    fn head(&self, length_bytes: Option<u64>) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        if let Ok(media_type) = HeaderValue::try_from(self.media_type.as_str()) {
            headers.insert(CONTENT_TYPE, media_type);
        }
        if let Some(length_bytes) = length_bytes {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length_bytes));
        }
        if self.length_bytes.is_some() {
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        response
    }

    fn part(&self, read: BlobRead, range: &Range<u64>) -> Result<Response, ApiError> {
        let mut response = self.head(Some(range.end - range.start));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        *response.body_mut() = bounded(read);
        let length_bytes = self.length_bytes.unwrap_or(range.end);
        let text = format!("bytes {}-{}/{length_bytes}", range.start, range.end - 1);
        response.headers_mut().insert(CONTENT_RANGE, value(text)?);
        Ok(response)
    }
}

/// The bytes as they come from the store, each chunk within its time; a late one breaks the connection, so that the
/// client notices.
fn bounded(read: BlobRead) -> Body {
    Body::from_stream(stream::unfold(Some(read.stream), |stream| async {
        let mut stream = stream?;
        match tokio::time::timeout(CHUNK_TIMEOUT, stream.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(stream))),
            Ok(Some(Err(error))) => {
                tracing::warn!(error = %error, "content broke off while it was sent: {error}");
                Some((Err(error), None))
            }
            Err(late) => {
                tracing::warn!("the blob store sent nothing for {} s; content breaks off", CHUNK_TIMEOUT.as_secs());
                Some((Err(BlobError::Away(late.into())), None))
            }
        }
    }))
}

/// Text of ours as a header.
pub(crate) fn value(text: String) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(text).map_err(|error| ApiError::Internal(error.into()))
}
