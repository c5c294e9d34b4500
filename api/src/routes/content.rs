//! `GET …/content/{+asset_path}`: the bytes of a representation, or how long to wait for them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, LOCATION, RANGE, RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use shared::domain::access::Access;
use shared::domain::representation::{Content, PageContent, State};
use shared::ports::blob_store::{BlobError, BlobRead, PresignedHeaders};

use crate::App;
use crate::asking::Found;
use crate::auth::access::Caller;
use crate::config::Delivery;
use crate::content::range::{self, Wanted};
use crate::content::{asset_path, caching, conditional, disposition};
use crate::error::ApiError;
use crate::extract::{Params, RepresentationPath};
use crate::links::content_digest;
use crate::routes::placeholder;

const DO_NOT_KEEP: HeaderValue = HeaderValue::from_static("no-store");
/// Opened as a page of its own, content can do nothing.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Time for the blob store to send the next bytes.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    /// The digest that the client's URL was made with.
    v: Option<String>,
    set_content_disposition_type: Option<String>,
    set_content_disposition_filename: Option<String>,
}

pub(crate) async fn get(
    Shared(app): Shared<Arc<App>>,
    caller: Caller,
    path: RepresentationPath,
    Params(query): Params<Query>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = app.find(&path, &caller).await?;
    let number = asset_path::page(&found.preset, &path.asset_path)?;
    let content = match found.state() {
        None | Some(State::Pending) => {
            app.ask(&found).await?;
            return Ok(not_yet(&app, &found).await);
        }
        Some(State::Error(failure)) => return Err(ApiError::RepresentationFailed(failure.clone())),
        Some(State::Viewable(content) | State::Success(content)) => content,
    };
    match content.page(number) {
        Some(page) => Answer { app: &app, found: &found, content, page, query }.send(&method, &headers).await,
        None if is_coming(&found, number) => Ok(not_yet(&app, &found).await),
        None => Err(asset_path::out_of_range(&number.to_string(), Some(content.pages().len()))),
    }
}

/// Whether a page that cannot be read yet will be: while the representation is `viewable`.
fn is_coming(found: &Found<'_>, number: u32) -> bool {
    let exists = found.file.version.picture.is_none_or(|picture| number <= picture.pages);
    exists && matches!(found.state(), Some(State::Viewable(_)))
}

/// 202 with a picture to show meanwhile, and when to come again, in plain seconds: contract sections 2.9 and 3.
async fn not_yet(app: &App, found: &Found<'_>) -> Response {
    let seconds = app.pace.retry_after_seconds(app.deps.store.as_ref()).await;
    let format = found.file.version.known_or_declared_format();
    let headers = [
        (LOCATION, app.deps.links.placeholder(placeholder::name_for(format))),
        (RETRY_AFTER, seconds.to_string()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (StatusCode::ACCEPTED, headers).into_response()
}

/// One page that can be read, and how the client wants it.
struct Answer<'a> {
    app: &'a App,
    found: &'a Found<'a>,
    content: &'a Content,
    page: &'a PageContent,
    query: Query,
}

impl Answer<'_> {
    async fn send(&self, method: &Method, headers: &HeaderMap) -> Result<Response, ApiError> {
        let etag = conditional::etag(&self.page.sha256());
        let disposition = self.disposition()?;
        let mut response = if conditional::is_fresh(headers, &etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else if let Some(url) = self.signed_url(method, disposition.as_ref()).await? {
            // The URL dies soon, so nobody may keep the way to it.
            return Ok((StatusCode::FOUND, [(LOCATION, url)], [(CACHE_CONTROL, DO_NOT_KEEP)]).into_response());
        } else {
            let range =
                headers.get(RANGE).filter(|_| method == Method::GET && conditional::range_holds(headers, &etag));
            let range = range::wanted(range.and_then(|value| value.to_str().ok()), self.page.length_bytes);
            self.bytes(method, range).await?
        };
        let to_all = response.headers_mut();
        to_all.insert(ETAG, value(etag)?);
        to_all.insert(CACHE_CONTROL, self.cache_control());
        to_all.insert(CONTENT_SECURITY_POLICY, SANDBOX);
        if let Some(disposition) = disposition {
            to_all.insert(CONTENT_DISPOSITION, disposition);
        }
        Ok(response)
    }

    fn is_public(&self) -> bool {
        self.found.file.file.access.as_ref().is_some_and(Access::is_public)
    }

    /// For good only under a URL that names these very bytes.
    fn cache_control(&self) -> HeaderValue {
        let names_the_bytes =
            |v: &str| v == content_digest(self.content).to_string() || v == self.page.sha256().to_string();
        caching::cache_control(self.is_public(), self.query.v.as_deref().is_some_and(names_the_bytes))
    }

    /// Without `set_content_disposition_type` there is no such header: contract section 2.9.
    fn disposition(&self) -> Result<Option<HeaderValue>, ApiError> {
        let Some(kind) = self.query.set_content_disposition_type.as_deref() else { return Ok(None) };
        let kind = disposition::Kind::from_name(kind).ok_or_else(|| {
            ApiError::BadRequest("set_content_disposition_type is neither inline nor attachment".to_owned())
        })?;
        let asked = self.query.set_content_disposition_filename.as_deref().filter(|name| !name.is_empty());
        let stem = asked.unwrap_or_else(|| disposition::stem(&self.found.file.version.name));
        value(disposition::value(kind, stem, self.found.preset.format.name())).map(Some)
    }

    /// `None` when the bytes are to go through this process; a HEAD always does, as signatures are for a GET. Whoever
    /// holds a signed URL needs no credentials, so private bytes get one only where the configuration says so.
    async fn signed_url(&self, method: &Method, disposition: Option<&HeaderValue>) -> Result<Option<String>, ApiError> {
        let config = &self.app.deps.config;
        let may_redirect = config.delivery == Delivery::Redirect && (config.redirect_private || self.is_public());
        if !may_redirect || method == Method::HEAD {
            return Ok(None);
        }
        let headers = PresignedHeaders {
            content_type: Some(self.found.preset.format.media_type().to_owned()),
            content_disposition: disposition.and_then(|value| value.to_str().ok()).map(str::to_owned),
            cache_control: self.cache_control().to_str().ok().map(str::to_owned),
        };
        Ok(self.app.deps.blobs.presign(&self.page.blob, config.signed_url_lifetime(), &headers).await?)
    }

    async fn bytes(&self, method: &Method, range: Wanted) -> Result<Response, ApiError> {
        let length_bytes = self.page.length_bytes;
        let (status, range) = match range {
            Wanted::Unsatisfiable => return Err(ApiError::RangeNotSatisfiable { length_bytes }),
            Wanted::Whole => (StatusCode::OK, None),
            Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, Some(range)),
        };
        let body = if method == Method::HEAD { Body::empty() } else { self.body(range.clone()).await? };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.found.preset.format.media_type()));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let sent = range.as_ref().map_or(length_bytes, |range| range.end - range.start);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(sent));
        if let Some(Range { start, end }) = range {
            headers.insert(CONTENT_RANGE, value(format!("bytes {start}-{}/{length_bytes}", end - 1))?);
        }
        Ok(response)
    }

    async fn body(&self, range: Option<Range<u64>>) -> Result<Body, ApiError> {
        Ok(bounded(self.app.deps.blobs.get(&self.page.blob, range).await?))
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

fn value(text: String) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(text).map_err(|error| ApiError::Internal(error.into()))
}
