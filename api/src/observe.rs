//! What happens around every request: its id, its span, its time, and the body of its error.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method};
use shared::telemetry::HTTP_SECONDS;
use tracing::Instrument as _;

use crate::error::{ApiError, Surface};

/// Box's name for it; the letter case is made on the wire.
const BOX_REQUEST_ID: HeaderName = HeaderName::from_static("box-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in its answer, in error bodies and in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// A new one; 16 hex digits.
    pub(crate) fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Wraps every route and the fallbacks. Queries are never logged: they may hold a token.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let id = RequestId::random();
    let method = method_label(request.method());
    let surface = Surface::of(request.uri().path());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request.id = %id, http.method = method, http.route = route);
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed = started.elapsed();
    let _entered = span.enter();
    finish(&mut response, surface, &id);
    let status = response.status().as_u16();
    tracing::debug!(
        http.status = status,
        duration_ms = elapsed.as_secs_f64() * 1e3,
        "answered {method} {route} with {status}"
    );
    metrics::histogram!(HTTP_SECONDS, "route" => route, "method" => method, "status" => status.to_string())
        .record(elapsed.as_secs_f64());
    response
}

/// Gives the response its id and headers that all have, and writes and logs its error if it is one.
fn finish(response: &mut Response, surface: Surface, id: &RequestId) {
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        surface.write(&error, id, response);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if response.status().is_server_error() {
            tracing::warn!(error = error.chain(), "a request failed: {}", error.chain());
        }
    }
    let name = if surface == Surface::Box { BOX_REQUEST_ID } else { REQUEST_ID };
    if let Ok(value) = HeaderValue::try_from(id.0.as_str()) {
        response.headers_mut().insert(name, value);
    }
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// A bounded label: clients may invent methods.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
