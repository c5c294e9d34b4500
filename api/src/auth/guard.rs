//! The one place that every request passes before its route: who is it, and may they.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use shared::domain::ids::FileId;
use shared::domain::principal::{Action, Principal, decide};
use shared::ports::access_store::FileAccess;

use super::access::{Access, Caller};
use super::presented::Presented;
use crate::error::ApiError;
use crate::links::Links;
use crate::router::Guard;
use crate::upload::linger_unread;

/// Names of the path segment that is a file's id.
const FILE_SEGMENTS: [&str; 2] = ["file", "id"];

/// Lets a request pass to its route or answers for it, and holds the route to its time limit.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let time_max = guard.time_max();
    let admitted = match tokio::time::timeout(time_max, admit(&guard, &mut parts)).await {
        Ok(admitted) => admitted,
        Err(_) => Err(guard.too_late()),
    };
    match admitted {
        Ok(caller) => parts.extensions.insert(caller),
        Err(refusal) => {
            linger_unread(&parts.headers, body.into_data_stream());
            return refusal.into_response();
        }
    };
    match tokio::time::timeout(time_max, next.run(Request::from_parts(parts, body))).await {
        Ok(response) => response,
        Err(_) => guard.too_late().into_response(),
    }
}

/// Who comes, if they may do here what they want.
async fn admit(guard: &Guard, parts: &mut Parts) -> Result<Caller, ApiError> {
    let Some(action) = guard.access.action(&parts.method) else { return Ok(Caller(Arc::new(Principal::Anonymous))) };
    let deps = &guard.app.deps;
    if deps.auth.is_open() && is_foreign_write(&parts.method, &parts.headers, &deps.links) {
        return Err(ApiError::ForeignOrigin);
    }
    let presented = Presented::of(&parts.method, &parts.uri, &parts.headers, guard.takes_query_token);
    let principal = deps.auth.principal(presented).await?;
    principal.may(action)?;
    if let Access::File(_) = guard.access {
        decide_on_file(guard, parts, &principal, action).await?;
    }
    tracing::Span::current().record("principal", tracing::field::display(&principal));
    Ok(Caller(Arc::new(principal)))
}

/// One look at the row of the file in the path. What is no id names no file: the route says so in its contract's words.
async fn decide_on_file(
    guard: &Guard,
    parts: &mut Parts,
    principal: &Principal,
    action: Action,
) -> Result<(), ApiError> {
    let segments = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| ApiError::NotFound)?;
    let named = segments.iter().find(|(name, _)| FILE_SEGMENTS.contains(name));
    let Some(file) = named.and_then(|(_, text)| text.parse::<FileId>().ok()) else { return Ok(()) };
    if principal.is_operator() {
        return Ok(());
    }
    let found = guard.app.deps.access.access_of(file).await?;
    Ok(decide(principal, found.as_ref().map(FileAccess::guarded), action)?)
}

/// A page of another site that makes the browser on this host write: in mode `open` nothing else would stop it.
fn is_foreign_write(method: &Method, headers: &HeaderMap, links: &Links) -> bool {
    let is_read = method == Method::GET || method == Method::HEAD;
    match headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("")) {
        Some(origin) if !is_read => origin != links.origin() && !is_loopback_origin(origin),
        _ => false,
    }
}

fn is_loopback_origin(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_sites_cannot_write_to_an_open_api() {
        let links = Links::new("https://thumbs.example", "127.0.0.1:1".parse().unwrap());
        let is_foreign = |method: &Method, origin: &str| {
            let headers = HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())]);
            is_foreign_write(method, &headers, &links)
        };
        assert!(!is_foreign_write(&Method::POST, &HeaderMap::new(), &links));
        for own in ["http://localhost:3000", "http://[::1]:3000", "https://thumbs.example"] {
            assert!(!is_foreign(&Method::POST, own), "{own}");
        }
        for foreign in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
            assert!(is_foreign(&Method::POST, foreign), "{foreign}");
            assert!(!is_foreign(&Method::GET, foreign), "{foreign}");
        }
    }
}
