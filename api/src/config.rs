//! Section `[api]` of the configuration: where the API listens and what it allows.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::domain::access::{Access, InvalidAccess};
use shared::domain::ids::Tenant;

use crate::content::signed::SigningKey;

/// Longest life of a signed URL, in seconds: whoever holds one needs no credentials.
const SIGNED_URL_SECONDS_MAX: u64 = 60;

/// Section `[api]`; every key is explained in `config.default.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address that the API listens on, `IP:PORT` or `localhost:PORT`.
    pub listen: String,
    /// How clients reach the API, without a slash at the end; empty only when the listener is on loopback.
    pub public_url: String,
    /// Longest upload, in bytes.
    pub upload_bytes_max: u64,
    /// Where uploads are spooled while they arrive; empty: the system's temporary directory.
    pub spool_directory: String,
    /// Whose files are uploaded through the API.
    pub tenant: Tenant,
    /// Who may see files that somebody uploads who is no user and does not say; empty: operators only.
    pub access: Vec<Vec<String>>,
    /// How bytes reach the client.
    pub delivery: Delivery,
    /// Signs the links that need no credentials; empty: a random key of this process.
    pub signing_key: SigningKey,
    /// Whether files that not everybody may see are delivered by signed URLs too.
    pub redirect_private: bool,
    /// Seconds that a signed URL lives.
    pub signed_url_seconds: u64,
    /// Seconds for one request without a body to answer.
    pub request_timeout_seconds: u64,
    /// Seconds for an upload to arrive.
    pub upload_timeout_seconds: u64,
}

/// How the bytes of representations reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Through this process.
    Stream,
    /// By a redirect to a URL that the blob store signed, where it has such.
    Redirect,
}

impl Config {
    /// Adds what is wrong with this section to `problems`.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        let mut refuse = |key: &str, value: &dyn std::fmt::Display, remedy: &str| {
            problems.push(Problem::new(format!("api.{key}"), value, remedy));
        };
        if !is_address(&self.listen) {
            refuse("listen", &self.listen, "is not IP:PORT, for example 127.0.0.1:8080 or [::]:8080");
        }
        if self.public_url.is_empty() {
            if !self.is_loopback() {
                refuse("public_url", &"", "is needed because api.listen is not on loopback: links are made from it");
            }
        } else if !is_base_url(&self.public_url) {
            refuse("public_url", &self.public_url, "is not http(s)://host[:port][/path] without a slash at the end");
        }
        if let Err(problem) = self.read_access() {
            refuse("access", &"its value", &problem.to_string());
        }
        if !(1..=SIGNED_URL_SECONDS_MAX).contains(&self.signed_url_seconds) {
            refuse("signed_url_seconds", &self.signed_url_seconds, "is not from 1 to 60");
        }
        if self.signing_key.is_too_short() {
            refuse(
                "signing_key",
                &"(hidden)",
                "is shorter than 16 characters; `openssl rand -hex 32` makes a good one",
            );
        }
        for (key, value) in [
            ("upload_bytes_max", self.upload_bytes_max),
            ("request_timeout_seconds", self.request_timeout_seconds),
            ("upload_timeout_seconds", self.upload_timeout_seconds),
        ] {
            if value == 0 {
                refuse(key, &value, "has to be at least 1");
            }
        }
    }

    /// Whether nobody but this host can reach the listener.
    pub fn is_loopback(&self) -> bool {
        match self.listen.parse::<SocketAddr>() {
            Ok(address) => address.ip().is_loopback(),
            Err(_) => self.listen.rsplit_once(':').is_some_and(|(host, _)| host == "localhost"),
        }
    }

    /// Who may see files that are uploaded without saying; `None`: operators only.
    pub(crate) fn default_access(&self) -> Option<Access> {
        // The section was checked; what could not be read opens nothing.
        self.read_access().ok().flatten()
    }

    fn read_access(&self) -> Result<Option<Access>, InvalidAccess> {
        if self.access.is_empty() { Ok(None) } else { Access::try_from(self.access.clone()).map(Some) }
    }

    pub(crate) fn signed_url_lifetime(&self) -> Duration {
        Duration::from_secs(self.signed_url_seconds.min(SIGNED_URL_SECONDS_MAX))
    }
}

fn is_address(listen: &str) -> bool {
    listen.parse::<SocketAddr>().is_ok()
        || listen.strip_prefix("localhost:").is_some_and(|port| port.parse::<u16>().is_ok())
}

fn is_base_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    let named = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@') && !uri.host().unwrap_or("").is_empty());
    http && named && uri.query().is_none() && !text.ends_with('/') && !text.contains('#')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn loopback() -> Config {
        Config {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            upload_bytes_max: 1_000_000,
            spool_directory: String::new(),
            tenant: "default".parse().unwrap(),
            access: Vec::new(),
            delivery: Delivery::Stream,
            signing_key: SigningKey::default(),
            redirect_private: false,
            signed_url_seconds: 60,
            request_timeout_seconds: 30,
            upload_timeout_seconds: 900,
        }
    }

    fn keys(config: &Config) -> Vec<String> {
        let mut problems = Vec::new();
        config.check(&mut problems);
        problems.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn the_defaults_of_the_default_file_are_sound() {
        let text = include_str!("../../config.default.toml");
        let section = text.split("[api]").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap();
        let named = |key: &str| section.lines().any(|line| line.starts_with(&format!("{key} = ")));
        for key in ["listen", "public_url", "upload_bytes_max", "spool_directory", "tenant", "access", "delivery"] {
            assert!(named(key), "{key} is not in config.default.toml");
        }
        assert!(keys(&loopback()).is_empty());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let config = Config {
            listen: "nowhere".to_owned(),
            public_url: "example.org/".to_owned(),
            signed_url_seconds: 3600,
            upload_bytes_max: 0,
            ..loopback()
        };
        assert_eq!(keys(&config), ["api.listen", "api.public_url", "api.signed_url_seconds", "api.upload_bytes_max"]);
    }

    #[test]
    fn beyond_loopback_a_public_url_is_needed() {
        let open = Config { listen: "0.0.0.0:8080".to_owned(), ..loopback() };
        assert_eq!(keys(&open), ["api.public_url"]);
        assert!(keys(&Config { public_url: "https://thumbs.example/box".to_owned(), ..open }).is_empty());
        for loopback_address in ["localhost:1", "[::1]:80", "127.8.9.1:0"] {
            assert!(Config { listen: loopback_address.to_owned(), ..loopback() }.is_loopback(), "{loopback_address}");
        }
    }

    #[test]
    fn public_urls_are_absolute_and_bare() {
        for bad in ["ftp://a", "/x", "http://", "http://a/", "http://a?x=1", "http://a#b", "http://user:pw@a", "a b"] {
            assert!(!is_base_url(bad), "{bad}");
        }
        assert!(is_base_url("http://[::1]:8080") && is_base_url("https://a.example:8443/thumbs"));
    }
}
