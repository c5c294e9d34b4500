//! Browser clients on other origins (the Fetch standard's CORS protocol), and bounds on what a request's head may be.
//!
//! `OPTIONS` has two meanings on upload paths: with `Origin` and `Access-Control-Request-Method` a browser asks whether
//! it may send, without them a Box client asks whether an upload would be taken (contract 0.12).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::App;
use crate::error::ApiError;

/// Longest path with its query, in bytes.
const URI_BYTES_MAX: usize = 16 * 1024;
/// Longest headers altogether, in bytes.
const HEADERS_BYTES_MAX: usize = 32 * 1024;
/// What Box's browser clients send: contract section 7.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Content-MD5, BoxApi, X-Rep-Hints, X-Box-Client-Name, X-Box-Client-Version, X-Box-UA, \
     Accept-Language, As-User, If-Match, If-None-Match, Range, X-Atlassian-Token",
);
/// What their scripts read.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept-Ranges, Box-Request-Id, Content-Disposition, Content-Length, Content-Range, ETag, Location, Retry-After, \
     X-RateLimit-Limit, X-RateLimit-Remaining, X-Request-Id",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// Wraps every route.
pub(crate) async fn cors(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Err(too_long) = check_head(&request) {
        return too_long.into_response();
    }
    let Some(origin) = request.headers().get(ORIGIN).cloned() else { return next.run(request).await };
    let allowed = allowed(&app.deps.config.cors_origins, &origin);
    if request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return preflight(allowed);
    }
    let mut response = next.run(request).await;
    vary(response.headers_mut());
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
    response
}

/// The value to allow this origin with, if it is allowed. Credentials travel in a header of the script's own, never in
/// cookies, so `*` gives away nothing that the script does not have.
fn allowed(origins: &[String], origin: &HeaderValue) -> Option<HeaderValue> {
    if origins.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn preflight(allowed: Option<HeaderValue>) -> Response {
    let Some(allowed) = allowed else { return ApiError::ForeignOrigin.into_response() };
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, allowed),
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    let mut response = (StatusCode::NO_CONTENT, headers).into_response();
    vary(response.headers_mut());
    response
}

fn vary(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

fn check_head(request: &Request) -> Result<(), ApiError> {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > URI_BYTES_MAX {
        return Err(ApiError::UriTooLong { bytes_max: URI_BYTES_MAX });
    }
    let length: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if length > HEADERS_BYTES_MAX { Err(ApiError::HeadersTooLong { bytes_max: HEADERS_BYTES_MAX }) } else { Ok(()) }
}
