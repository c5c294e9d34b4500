//! `GET /`: the console, one page that shows the newest files and where their representations stand.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};

use crate::App;
use crate::config::Delivery;

/// The page; `{{nonce}}` is replaced so that only its own script and style run.
const PAGE: &str = include_str!("../../assets/console.html");

/// The shell is public and shows nothing; its script asks for data with the operator's token.
pub(crate) async fn get(State(app): State<Arc<App>>) -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = policy(&nonce, app.deps.config.delivery);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, PAGE.replace("{{nonce}}", &nonce)).into_response()
}

/// With redirects the pictures come from the blob store, wherever that is.
fn policy(nonce: &str, delivery: Delivery) -> String {
    let pictures = match delivery {
        Delivery::Stream => "'self'",
        Delivery::Redirect => "'self' http: https:",
    };
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src {pictures}; \
         connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
}
