//! Access tokens of an identity provider: JWT (RFC 7519) signed by one of its keys, checked as RFC 8725 advises.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use shared::domain::access::RULE_BYTES_MAX;
use shared::domain::principal::{Identity, Principal, Scopes};
use shared::event::base64;
use shared::ports::key_source::KeySource;

use super::config::Config;
use super::keys::Keys;
use super::presented::CREDENTIAL_BYTES_MAX;
use crate::error::ApiError;

/// Most groups, and most scopes, of one token.
const NAMES_MAX: usize = 1024;

/// The signature algorithms that we accept, by their names in RFC 7518 and 8037. There is none without a signature, and none with a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "EdDSA" => Self::EdDSA,
            _ => return None,
        })
    }
}

/// Whether a text looks like a JWT; tokens of ours have no dots.
pub(super) fn has_form(text: &str) -> bool {
    text.bytes().filter(|b| *b == b'.').count() == 2
}

/// Base64url without padding (RFC 7515, section 2).
pub(super) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_plain || text.len() % 4 == 1 {
        return None;
    }
    let standard = text.replace('-', "+").replace('_', "/");
    base64::decode(&format!("{standard}{}", "=".repeat((4 - text.len() % 4) % 4)))
}

/// Checks tokens against the configuration and the provider's keys.
pub(super) struct Verifier {
    keys: Keys,
    config: Config,
}

/// A token taken apart; nothing of it is believed yet.
struct Parts<'a> {
    algorithm: Algorithm,
    key: Option<String>,
    /// What is signed: header and claims as they were written.
    message: &'a [u8],
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

impl Verifier {
    pub(super) fn new(config: &Config, keys: Arc<dyn KeySource>) -> Self {
        Self { keys: Keys::new(keys), config: config.clone() }
    }

    /// Whom a token stands for. Whatever is wrong with it, the answer is the same; only the log knows more.
    pub(super) async fn principal(&self, token: &str) -> Result<Principal, ApiError> {
        let parts = Parts::of(token).ok_or(ApiError::Unauthorized)?;
        let key = self.keys.find(parts.key.as_deref()).await?.ok_or(ApiError::Unauthorized)?;
        if !key.has_signed(parts.algorithm, parts.message, &parts.signature) {
            return Err(ApiError::Unauthorized);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| ApiError::Internal(error.into()))?;
        match self.believed(&parts.claims, now.as_secs_f64()) {
            Ok(identity) => Ok(Principal::Known(identity)),
            Err(reason) => {
                tracing::debug!(reason, "an access token was refused: {reason}");
                Err(ApiError::Unauthorized)
            }
        }
    }

    /// The identity, if the claims are meant for us and now.
    fn believed(&self, claims: &Map<String, Value>, now: f64) -> Result<Identity, &'static str> {
        let skew = self.config.clock_skew_seconds as f64;
        let moment = |name: &str| match claims.get(name) {
            None => Ok(None),
            // A moment that is no number must not pass for one that is missing.
            Some(value) => value.as_f64().map(Some).ok_or("a time is no number"),
        };
        if moment("exp")?.ok_or("it never expires")? <= now - skew {
            return Err("it has expired");
        }
        if moment("nbf")?.is_some_and(|at| at > now + skew) || moment("iat")?.is_some_and(|at| at > now + skew) {
            return Err("it is from the future");
        }
        if claims.get("iss").and_then(Value::as_str) != Some(&self.config.issuer) {
            return Err("it has another issuer");
        }
        let ours = |value: &Value| value.as_str() == Some(&self.config.audience);
        let is_for_us = match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(ours),
            Some(audience) => ours(audience),
            None => false,
        };
        if is_for_us { self.identity(claims) } else { Err("it is for another audience") }
    }

    fn identity(&self, claims: &Map<String, Value>) -> Result<Identity, &'static str> {
        let user = claims.get(&self.config.user_claim).and_then(Value::as_str);
        let user = user.filter(|user| (1..=RULE_BYTES_MAX).contains(&user.len())).ok_or("it names no user")?;
        let tenant = match self.config.tenant_claim.as_str() {
            "" => None,
            claim => Some(claims.get(claim).and_then(Value::as_str).and_then(|name| name.parse().ok())),
        };
        let scopes = claims.get("scope").or_else(|| claims.get("scp"));
        Ok(Identity {
            user: Some(user.to_owned()),
            groups: names(claims.get(&self.config.groups_claim))?,
            scopes: Scopes::Named(names(scopes)?),
            tenant: tenant.map(|tenant| tenant.ok_or("it names no tenant")).transpose()?,
        })
    }
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        if token.len() > CREDENTIAL_BYTES_MAX {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Map<String, Value> = serde_json::from_slice(&from_base64url(header)?).ok()?;
        // Extensions that have to be understood are not.
        if header.contains_key("crit") || header.get("typ").is_some_and(|kind| !is_token_type(kind)) {
            return None;
        }
        let key = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        Some(Self {
            algorithm: Algorithm::from_name(header.get("alg")?.as_str()?)?,
            key,
            message: message.as_bytes(),
            signature: from_base64url(signature)?,
            claims: serde_json::from_slice(&from_base64url(claims)?).ok()?,
        })
    }
}

fn is_token_type(kind: &Value) -> bool {
    let kind = kind.as_str().unwrap_or("").to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

/// Names in a list, or separated by spaces; absent is none.
fn names(value: Option<&Value>) -> Result<BTreeSet<String>, &'static str> {
    let names: BTreeSet<String> = match value {
        None | Some(Value::Null) => BTreeSet::new(),
        Some(Value::String(text)) => text.split_ascii_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(items)) => {
            let text = |item: &Value| item.as_str().map(str::to_owned).ok_or("a group or scope is no text");
            items.iter().map(text).collect::<Result<_, _>>()?
        }
        Some(_) => return Err("groups or scopes are no list"),
    };
    if names.len() <= NAMES_MAX { Ok(names) } else { Err("it has too many groups or scopes") }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::super::config::Mode;
    use super::super::config::tests::section;
    use super::super::keys::tests::Provider;
    use super::*;

    fn base64url(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let group = |chunk: &[u8]| {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            let digit = |n: usize| char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize]);
            (0..=chunk.len()).map(digit).collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }

    struct Issuer {
        pair: Ed25519KeyPair,
        verifier: Verifier,
    }

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn issuer() -> Issuer {
        let pair = pair(1);
        let provider = Provider::default();
        let x = base64url(pair.public_key().as_ref());
        let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "x": x }] });
        *provider.answer.lock().unwrap() = Some(jwks.to_string());
        let config = Config {
            issuer: "https://id.example".to_owned(),
            audience: "thumbline".to_owned(),
            tenant_claim: "org".to_owned(),
            ..section(Mode::Jwt, "")
        };
        Issuer { pair, verifier: Verifier::new(&config, Arc::new(provider)) }
    }

    fn now() -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
    }

    fn claims() -> Value {
        json!({ "iss": "https://id.example", "aud": ["other", "thumbline"], "sub": "ada", "org": "acme", "exp": now() + 60.0,
            "iat": now(), "scope": "read:jira-work photos", "groups": ["staff"] })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn signed(pair: &Ed25519KeyPair, header: &Value, claims: &Value) -> String {
        let message =
            format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
        let signature = base64url(pair.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }

    fn header() -> Value {
        json!({ "alg": "EdDSA", "kid": "k", "typ": "at+jwt" })
    }

    #[tokio::test]
    async fn a_good_token_says_who_it_stands_for() {
        let Issuer { pair, verifier } = issuer();
        let principal = verifier.principal(&signed(&pair, &header(), &claims())).await.unwrap();
        let expected = Identity {
            user: Some("ada".to_owned()),
            groups: BTreeSet::from(["staff".to_owned()]),
            scopes: Scopes::named(["read:jira-work", "photos"]),
            tenant: Some("acme".parse().unwrap()),
        };
        assert_eq!(principal, Principal::Known(expected));
    }

    #[tokio::test]
    async fn claims_that_are_not_for_us_or_not_for_now_are_refused() {
        let Issuer { pair, verifier } = issuer();
        let wrong = [
            with("iss", json!("https://evil.example")),
            with("iss", Value::Null),
            with("aud", json!("other")),
            with("aud", Value::Null),
            with("exp", json!(now() - 61.0)),
            with("exp", Value::Null),
            with("exp", json!("2099-01-01")),
            with("nbf", json!(now() + 120.0)),
            with("nbf", json!("0")),
            with("iat", json!(now() + 120.0)),
            with("sub", json!("")),
            with("sub", json!(7)),
            with("org", json!("a/b")),
            with("groups", json!([1])),
            with("scope", json!({})),
            with("groups", json!(vec!["g"; 1].into_iter().cycle().take(1).collect::<Vec<_>>()[0].repeat(9000))),
        ];
        for claims in wrong {
            let answer = verifier.principal(&signed(&pair, &header(), &claims)).await;
            assert!(matches!(answer, Err(ApiError::Unauthorized)), "{claims}");
        }
        // Clocks differ by less than the configured skew.
        assert!(verifier.principal(&signed(&pair, &header(), &with("exp", json!(now() - 30.0)))).await.is_ok());
    }

    #[tokio::test]
    async fn tricks_with_header_and_signature_are_refused() {
        let Issuer { pair, verifier } = issuer();
        let good = signed(&pair, &header(), &claims());
        let (message, signature) = good.rsplit_once('.').unwrap();
        let unsigned = signed(&pair, &json!({ "alg": "none", "kid": "k" }), &claims());
        let tricks = [
            unsigned.clone(),
            format!("{}.", unsigned.rsplit_once('.').unwrap().0),
            signed(&pair, &json!({ "alg": "HS256", "kid": "k" }), &claims()),
            signed(&pair, &json!({ "alg": "RS256", "kid": "k" }), &claims()),
            signed(&pair, &json!({ "alg": "EdDSA", "kid": "another" }), &claims()),
            signed(&pair, &json!({ "alg": "EdDSA", "kid": 7 }), &claims()),
            signed(&pair, &json!({ "alg": "EdDSA", "kid": "k", "crit": ["exp"] }), &claims()),
            signed(&pair, &json!({ "alg": "EdDSA", "kid": "k", "typ": "dpop+jwt" }), &claims()),
            signed(&self::pair(2), &header(), &claims()),
            format!("{message}.{}", "A".repeat(86)),
            format!("{message}.{signature}="),
            format!("{message}.{signature} "),
            format!("{message}x.{signature}"),
            "..".to_owned(),
            format!("{}.e30.AA", "A".repeat(20_000)),
        ];
        for trick in tricks {
            assert!(matches!(verifier.principal(&trick).await, Err(ApiError::Unauthorized)), "{trick}");
        }
    }

    #[test]
    fn base64url_is_read_as_jose_writes_it() {
        assert_eq!(from_base64url("-_8").unwrap(), [0xfb, 0xff]);
        for odd in ["A", "AB=", "A+8A", "AA A"] {
            assert_eq!(from_base64url(odd), None, "{odd}");
        }
    }
}
