//! `GET /v1/openapi.json` and `GET /docs`: our own API for machines, and for people.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};

/// The page; `{{nonce}}` is replaced so that only its own script and style run.
const PAGE: &str = include_str!("../../assets/docs.html");
/// The document never changes while the process runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| crate::openapi::document().to_string());
/// It changes with the program only.
const CACHE: &str = "public, max-age=300";

pub(crate) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, CACHE)], DOCUMENT.as_str()).into_response()
}

pub(crate) async fn page() -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, PAGE.replace("{{nonce}}", &nonce)).into_response()
}
