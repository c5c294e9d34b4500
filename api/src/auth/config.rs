//! Section `[auth]` of the configuration.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::config::Problem;

/// Shortest static token, in characters.
const TOKEN_LENGTH_MIN: usize = 16;
/// Most that the clocks of an identity provider and of this host may differ, in seconds.
const CLOCK_SKEW_SECONDS_MAX: u64 = 300;

/// Section `[auth]`; every key is explained in `config.default.toml`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How it is found out who somebody is.
    pub mode: Mode,
    /// The operator's token; empty: none.
    pub token: String,
    /// Where the identity provider publishes its keys, for mode `jwt`.
    pub jwks_url: String,
    /// What its tokens have to name as their issuer.
    pub issuer: String,
    /// What they have to name as their audience.
    pub audience: String,
    /// How far the clocks may differ, in seconds.
    pub clock_skew_seconds: u64,
    /// The claim with the user's id.
    pub user_claim: String,
    /// The claim with the user's groups.
    pub groups_claim: String,
    /// The claim with the tenant; empty: users reach every tenant.
    pub tenant_claim: String,
}

/// How it is found out who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everybody may everything; for listeners on loopback.
    Open,
    /// The operator's token, tokens that we issued, and logins.
    Token,
    /// The same, and access tokens of an identity provider.
    Jwt,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("mode", &self.mode).field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Config {
    /// Adds what is wrong with this section, or between it and `[api]`, to `problems`.
    pub fn check(&self, api: &crate::Config, problems: &mut Vec<Problem>) {
        if self.mode == Mode::Open && !api.is_loopback() {
            let remedy = format!(
                "would let everybody in, because api.listen = {} is not on loopback: set auth.mode = \"token\" (or \
                 \"jwt\") and auth.token, or listen on 127.0.0.1",
                api.listen
            );
            problems.push(Problem::new("auth.mode", "open", remedy));
        }
        self.check_token(problems);
        if self.mode == Mode::Jwt {
            self.check_jwt(problems);
        }
        if self.clock_skew_seconds > CLOCK_SKEW_SECONDS_MAX {
            let remedy = format!("is not from 0 to {CLOCK_SKEW_SECONDS_MAX}");
            problems.push(Problem::new("auth.clock_skew_seconds", self.clock_skew_seconds, remedy));
        }
    }

    /// Without a token nobody could begin in mode `token`; in mode `jwt` the provider may make operators.
    fn check_token(&self, problems: &mut Vec<Problem>) {
        let is_short = self.token.chars().count() < TOKEN_LENGTH_MIN;
        let is_needed = self.mode == Mode::Token || (self.mode == Mode::Jwt && !self.token.is_empty());
        if is_needed && is_short {
            let remedy = "is shorter than 16 characters; `openssl rand -hex 32` makes a good one";
            problems.push(Problem::new("auth.token", "(hidden)", remedy));
        }
    }

    fn check_jwt(&self, problems: &mut Vec<Problem>) {
        if !is_key_address(&self.jwks_url) {
            let remedy = "auth.mode = \"jwt\" needs https://…, http:// on loopback, or file:PATH of a JWKS";
            problems.push(Problem::new("auth.jwks_url", &self.jwks_url, remedy));
        }
        for (key, value) in [
            ("auth.issuer", &self.issuer),
            ("auth.audience", &self.audience),
            ("auth.user_claim", &self.user_claim),
            ("auth.groups_claim", &self.groups_claim),
        ] {
            if value.is_empty() {
                problems.push(Problem::new(key, value, "is needed because auth.mode = \"jwt\""));
            }
        }
    }
}

/// Keys that came over a network in clear would be anybody's keys.
fn is_key_address(text: &str) -> bool {
    if let Some(path) = text.strip_prefix("file:") {
        return !path.is_empty();
    }
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    !host.is_empty() && (uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_loopback))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn section(mode: Mode, token: &str) -> Config {
        Config {
            mode,
            token: token.to_owned(),
            jwks_url: String::new(),
            issuer: String::new(),
            audience: String::new(),
            clock_skew_seconds: 60,
            user_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
            tenant_claim: String::new(),
        }
    }

    fn problems(config: &Config, api: &crate::Config) -> Vec<Problem> {
        let mut problems = Vec::new();
        config.check(api, &mut problems);
        problems
    }

    #[test]
    fn open_beyond_loopback_is_refused_with_both_keys_named() {
        let api = crate::Config { listen: "0.0.0.0:80".to_owned(), ..crate::config::tests::loopback() };
        let problems = problems(&section(Mode::Open, ""), &api);
        assert_eq!(problems.len(), 1);
        let text = problems[0].to_string();
        assert!(text.contains("auth.mode") && text.contains("api.listen"), "{text}");
    }

    #[test]
    fn short_tokens_are_refused_and_never_shown() {
        for mode in [Mode::Token, Mode::Jwt] {
            let config = section(mode, "hunter2");
            let problems = problems(&config, &crate::config::tests::loopback());
            assert_eq!(problems[0].key, "auth.token");
            assert!(!format!("{problems:?}{config:?}").contains("hunter2"));
        }
    }

    #[test]
    fn jwt_needs_keys_that_nobody_can_replace_an_issuer_and_an_audience() {
        let keys = |jwks_url: &str| {
            let config = Config { jwks_url: jwks_url.to_owned(), ..section(Mode::Jwt, "") };
            problems(&config, &crate::config::tests::loopback()).into_iter().map(|p| p.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("https://id.example/keys"), ["auth.issuer", "auth.audience"]);
        assert_eq!(keys("http://127.0.0.1:9/keys"), keys("file:/etc/keys.json"));
        for bad in ["", "http://id.example/keys", "ftp://id.example", "file:", "keys.json"] {
            assert_eq!(keys(bad)[0], "auth.jwks_url", "{bad}");
        }
    }
}
