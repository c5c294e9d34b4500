//! `GET …/content/{+asset_path}`: the bytes of a representation, or how long to wait for them.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use shared::domain::access::Access;
use shared::domain::ids::Sha256Digest;
use shared::domain::representation::{Content, PageContent, State};
use shared::ports::blob_store::PresignedHeaders;

use crate::App;
use crate::asking::Found;
use crate::auth::access::Caller;
use crate::config::Delivery;
use crate::content::delivery::{Offer, Verdict, value};
use crate::content::{asset_path, caching, conditional, disposition};
use crate::error::ApiError;
use crate::extract::{Params, RepresentationPath};
use crate::links::content_digest;
use crate::routes::placeholder;

const DO_NOT_KEEP: HeaderValue = HeaderValue::from_static("no-store");

/// What the route reads of the query.
#[derive(Debug, Default, Deserialize)]
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
    send(&app, &found, number, query, (&method, &headers)).await
}

/// One page of a representation, or how long to wait for it.
pub(crate) async fn send(
    app: &App,
    found: &Found<'_>,
    number: u32,
    query: Query,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    let content = match found.state() {
        None | Some(State::Pending) => {
            app.ask(found).await?;
            return Ok(not_yet(app, found).await);
        }
        Some(State::Error(failure)) => return Err(ApiError::RepresentationFailed(failure.clone())),
        Some(State::Viewable(content) | State::Success(content)) => content,
    };
    match content.page(number) {
        Some(page) => Answer { app, found, content, page, query }.send(method, headers).await,
        None if is_coming(found, number) => Ok(not_yet(app, found).await),
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
    let seconds = app.pace.retry_after_seconds(&found.file, &found.preset.name).await;
    let headers = [
        (LOCATION, app.deps.links.placeholder(placeholder::name_for(&found.file.version))),
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
        let offer = Offer {
            etag: conditional::etag(&self.page.sha256()),
            length_bytes: Some(self.page.length_bytes),
            media_type: self.found.preset.format.media_type().to_owned(),
            cache_control: self.cache_control(),
            disposition: self.disposition()?,
        };
        // A store's signature is for a whole GET, and it does not know our tags.
        if matches!(offer.judge(method, headers)?, Verdict::Send(_))
            && let Some(url) = self.signed_url(method, offer.disposition.as_ref()).await?
        {
            // The URL dies soon, so nobody may keep the way to it.
            return Ok((StatusCode::FOUND, [(LOCATION, url)], [(CACHE_CONTROL, DO_NOT_KEEP)]).into_response());
        }
        offer.deliver(method, headers, |part| self.app.deps.blobs.get_page(self.page, part)).await
    }

    fn is_public(&self) -> bool {
        self.found.file.file.access.as_ref().is_some_and(Access::is_public)
    }

    /// For good only under a URL that names these very bytes.
    fn cache_control(&self) -> HeaderValue {
        let named = self.query.v.as_deref().and_then(|v| v.parse::<Sha256Digest>().ok());
        let names_the_bytes = named.is_some_and(|v| v == self.page.sha256() || v == content_digest(self.content));
        caching::cache_control(self.is_public(), names_the_bytes)
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
        // A signed URL is good for a whole blob, so what shares one with other pages is never lent.
        let Some(blob) = self.page.own_blob().filter(|_| may_redirect && method != Method::HEAD) else {
            return Ok(None);
        };
        let headers = PresignedHeaders {
            content_type: Some(self.found.preset.format.media_type().to_owned()),
            content_disposition: disposition.and_then(|value| value.to_str().ok()).map(str::to_owned),
            cache_control: self.cache_control().to_str().ok().map(str::to_owned),
        };
        Ok(self.app.deps.blobs.presign(blob, config.signed_url_lifetime(), &headers).await?)
    }
}
