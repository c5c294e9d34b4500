//! Section `[auth]` and the one decision whether a request may pass.

use std::fmt;
use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::domain::ids::Sha256Digest;
use shared::event::base64;

use crate::error::ApiError;
use crate::links::Links;
use crate::router::Guard;
use crate::upload::linger_unread;

/// Shortest static token, in characters.
const TOKEN_LENGTH_MIN: usize = 16;

/// Section `[auth]`; every key is explained in `config.default.toml`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How it is decided who may pass.
    pub mode: Mode,
    /// The operator's token for mode `token`.
    pub token: String,
}

/// How it is decided who may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everybody may everything; for listeners on loopback.
    Open,
    /// One static bearer token.
    Token,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Config {
    /// Adds what is wrong with this section, or between it and `[api]`, to `problems`.
    pub fn check(&self, api: &crate::Config, problems: &mut Vec<Problem>) {
        match self.mode {
            Mode::Open if !api.is_loopback() => problems.push(Problem::new(
                "auth.mode",
                "open",
                format!(
                    "would let everybody in, because api.listen = {} is not on loopback: set auth.mode = \"token\" and \
                     auth.token, or listen on 127.0.0.1",
                    api.listen
                ),
            )),
            Mode::Token if self.token.chars().count() < TOKEN_LENGTH_MIN => problems.push(Problem::new(
                "auth.token",
                "(hidden)",
                "is shorter than 16 characters; `openssl rand -hex 32` makes a good one",
            )),
            Mode::Open | Mode::Token => {}
        }
    }
}

/// Who may pass.
#[derive(Clone)]
pub enum Auth {
    /// Everybody; the listener is on loopback.
    Open,
    /// Whoever holds the static token, of which only the digest is kept.
    Token(Sha256Digest),
}

impl Auth {
    /// From a section that was checked.
    pub fn new(config: &Config) -> Self {
        match config.mode {
            Mode::Open => Self::Open,
            Mode::Token => Self::Token(Sha256Digest::of(config.token.as_bytes())),
        }
    }

    /// The one place that decides whether a request may pass.
    pub(crate) fn decide(
        &self,
        access: Access,
        links: &Links,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
    ) -> Result<(), ApiError> {
        match (access, self) {
            (Access::Public, _) => Ok(()),
            (Access::Operator, Self::Open) if is_foreign_write(method, headers, links) => Err(ApiError::ForeignOrigin),
            (Access::Operator, Self::Open) => Ok(()),
            (Access::Operator, Self::Token(expected)) => match presented_token(method, uri, headers) {
                Some(token) if is_same(expected, &Sha256Digest::of(token.as_bytes())) => Ok(()),
                _ => Err(ApiError::Unauthorized),
            },
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody: shows nothing of any file, or carries its permission in its URL.
    Public,
    /// Operators only, until files have access rules of their own.
    Operator,
}

/// Lets a request pass to its route or answers for it, and holds the route to its time limit.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let facts = (request.method(), request.uri(), request.headers());
    if let Err(refusal) = guard.app.deps.auth.decide(guard.access, &guard.app.deps.links, facts) {
        let (parts, body) = request.into_parts();
        linger_unread(&parts.headers, body.into_data_stream());
        return refusal.into_response();
    }
    match tokio::time::timeout(guard.time_max(), next.run(request)).await {
        Ok(response) => response,
        Err(_) => guard.too_late().into_response(),
    }
}

/// The bearer token, or for reads the query parameter `access_token`: images in a page cannot send a header.
fn presented_token(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
        return match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(credentials.trim().to_owned()),
            "basic" => basic_password(credentials.trim()),
            _ => None,
        };
    }
    let is_read = method == Method::GET || method == Method::HEAD;
    let query = uri.query().filter(|_| is_read)?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("access_token="))?;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

/// The password of `Basic` credentials (RFC 7617). Jira's clients send their e-mail address as the name and the token as
/// the password; the token alone says who they are.
fn basic_password(credentials: &str) -> Option<String> {
    let decoded = String::from_utf8(base64::decode(credentials)?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// Compares without stopping at the first difference, so that time tells nothing.
fn is_same(one: &Sha256Digest, other: &Sha256Digest) -> bool {
    one.as_bytes().iter().zip(other.as_bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
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

    const TOKEN: &str = "0123456789abcdef/+é";

    fn decide(auth: &Auth, method: &Method, uri: &str, headers: &[(&'static str, &str)]) -> Result<(), ApiError> {
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        let links = Links::new("https://thumbs.example", "127.0.0.1:1".parse().unwrap());
        auth.decide(Access::Operator, &links, (method, &uri.parse().unwrap(), &headers))
    }

    fn token() -> Auth {
        Auth::new(&Config { mode: Mode::Token, token: "0123456789abcdef".to_owned() })
    }

    #[test]
    fn only_the_token_itself_passes() {
        let passes = |headers: &[(&'static str, &str)], uri: &str| decide(&token(), &Method::GET, uri, headers).is_ok();
        assert!(passes(&[("authorization", "Bearer 0123456789abcdef")], "/2.0/files/1"));
        assert!(passes(&[("authorization", "bearer 0123456789abcdef")], "/2.0/files/1"));
        assert!(passes(&[], "/2.0/files/1?a=b&access_token=0123456789abcde%66"));
        assert!(!passes(&[], "/2.0/files/1"));
        assert!(!passes(&[("authorization", "Bearer 0123456789abcdeF")], "/2.0/files/1"));
        assert!(!passes(&[("authorization", "Bearer 0123456789abcdef0")], "/2.0/files/1"));
        assert!(!passes(&[("authorization", "Basic 0123456789abcdef")], "/2.0/files/1"));
        // `me@example.org:0123456789abcdef`, then the same with a wrong token, no colon, broken base64, not UTF-8.
        assert!(passes(&[("authorization", "Basic bWVAZXhhbXBsZS5vcmc6MDEyMzQ1Njc4OWFiY2RlZg==")], "/rest/api/3/x"));
        for wrong in
            ["bWVAZXhhbXBsZS5vcmc6MDEyMzQ1Njc4OWFiY2RlZw==", "MDEyMzQ1Njc4OWFiY2RlZg==", "bWVAZXhhbX", "/w==", ""]
        {
            let value = format!("Basic {wrong}");
            assert!(!passes(&[("authorization", &value)], "/rest/api/3/x"), "{wrong}");
        }
        assert!(!passes(&[], "/2.0/files/1?xaccess_token=0123456789abcdef"));
        // A wrong header is not mended by the query.
        assert!(!passes(&[("authorization", "Bearer x")], "/2.0/files/1?access_token=0123456789abcdef"));
    }

    #[test]
    fn a_token_in_the_query_cannot_write() {
        assert!(decide(&token(), &Method::POST, "/2.0/files/content?access_token=0123456789abcdef", &[]).is_err());
    }

    #[test]
    fn tokens_may_hold_any_character() {
        let auth = Auth::new(&Config { mode: Mode::Token, token: TOKEN.to_owned() });
        assert!(decide(&auth, &Method::GET, "/x?access_token=0123456789abcdef%2F%2B%C3%A9", &[]).is_ok());
    }

    #[test]
    fn open_is_open_but_not_to_pages_of_other_sites() {
        let write = |origin| decide(&Auth::Open, &Method::POST, "/2.0/files/content", &[("origin", origin)]);
        assert!(decide(&Auth::Open, &Method::POST, "/2.0/files/content", &[]).is_ok());
        assert!(write("http://localhost:3000").is_ok());
        assert!(write("http://[::1]:3000").is_ok());
        assert!(write("https://thumbs.example").is_ok());
        for foreign in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
            assert!(matches!(write(foreign), Err(ApiError::ForeignOrigin)), "{foreign}");
        }
    }

    #[test]
    fn open_beyond_loopback_is_refused_with_both_keys_named() {
        let api = crate::Config { listen: "0.0.0.0:80".to_owned(), ..crate::config::tests::loopback() };
        let mut problems = Vec::new();
        Config { mode: Mode::Open, token: String::new() }.check(&api, &mut problems);
        assert_eq!(problems.len(), 1);
        let text = problems[0].to_string();
        assert!(text.contains("auth.mode") && text.contains("api.listen"), "{text}");
    }

    #[test]
    fn short_tokens_are_refused_and_never_shown() {
        let config = Config { mode: Mode::Token, token: "hunter2".to_owned() };
        let mut problems = Vec::new();
        config.check(&crate::config::tests::loopback(), &mut problems);
        assert_eq!(problems[0].key, "auth.token");
        assert!(!format!("{problems:?}{config:?}").contains("hunter2"));
    }
}
