//! The identity provider's keys: fetched when needed, kept while they are good, never waited for without a bound.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use shared::ports::key_source::KeySource;
use tokio::sync::Mutex;

use super::jwt::{Algorithm, from_base64url};
use crate::error::ApiError;

/// Age at which keys are fetched anew: a key that the provider has withdrawn is good for so long.
const FRESH: Duration = Duration::from_secs(300);
/// Age up to which keys are good while the provider cannot be reached.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Shortest time between two tries: tokens that name made-up keys must not become a load on the provider.
const BETWEEN_TRIES: Duration = Duration::from_secs(10);
/// Time for the provider to answer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Most keys of a set that are looked at.
const KEYS_MAX: usize = 64;

/// A key that signatures are checked with.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm that the provider uses it for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// One member of a JWKS (RFC 7517, 7518, 8037); what is not understood is skipped.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

impl Key {
    /// Whether this key has made the signature, by an algorithm that goes with it.
    pub(super) fn has_signed(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        if self.algorithm.is_some_and(|only| only != algorithm) {
            return false;
        }
        let rsa = |n: &[u8], e: &[u8], parameters| RsaPublicKeyComponents { n, e }.verify(parameters, message, signed);
        let plain = |by: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(by, key).verify(message, signed)
        };
        // Below 2048 bits these refuse RSA keys.
        let verified = match (algorithm, &self.material) {
            (Algorithm::RS256, Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA256),
            (Algorithm::RS384, Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA384),
            (Algorithm::RS512, Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA512),
            (Algorithm::PS256, Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA256),
            (Algorithm::PS384, Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA384),
            (Algorithm::PS512, Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA512),
            (Algorithm::ES256, Material::P256(point)) => plain(&signature::ECDSA_P256_SHA256_FIXED, point),
            (Algorithm::ES384, Material::P384(point)) => plain(&signature::ECDSA_P384_SHA384_FIXED, point),
            (Algorithm::EdDSA, Material::Ed25519(key)) => plain(&signature::ED25519, key),
            _ => return false,
        };
        verified.is_ok()
    }

    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.used_for.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let part = |text: Option<String>| text.as_deref().and_then(from_base64url);
        let point = |x: Vec<u8>, y: Vec<u8>| [&[4], &*x, &*y].concat();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: part(jwk.n)?, e: part(jwk.e)? },
            ("EC", Some("P-256")) => Material::P256(point(part(jwk.x)?, part(jwk.y)?)),
            ("EC", Some("P-384")) => Material::P384(point(part(jwk.x)?, part(jwk.y)?)),
            ("OKP", Some("Ed25519")) => Material::Ed25519(part(jwk.x)?),
            _ => return None,
        };
        // A key for an algorithm that we do not accept is no key.
        let algorithm = match jwk.alg.as_deref() {
            Some(name) => Some(Algorithm::from_name(name)?),
            None => None,
        };
        Some(Self { id: jwk.kid, algorithm, material })
    }
}

/// The usable keys of a set; `None` when it is none, or has none: then what we had before is better.
fn usable(text: &[u8]) -> Option<Vec<Arc<Key>>> {
    let set: Jwks = serde_json::from_slice(text).ok()?;
    let jwks = set.keys.into_iter().take(KEYS_MAX).filter_map(|jwk| serde_json::from_value(jwk).ok());
    let keys: Vec<_> = jwks.filter_map(Key::of).map(Arc::new).collect();
    (!keys.is_empty()).then_some(keys)
}

/// The keys as last seen.
#[derive(Default, Clone)]
struct Seen {
    keys: Vec<Arc<Key>>,
    at: Option<Instant>,
}

impl Seen {
    fn is_younger_than(&self, age: Duration) -> bool {
        self.at.is_some_and(|at| at.elapsed() < age)
    }

    /// The key of this id; without an id, the only key there is.
    fn key(&self, id: Option<&str>) -> Option<Arc<Key>> {
        match (id, self.keys.as_slice()) {
            (None, [only]) => Some(Arc::clone(only)),
            (None, _) => None,
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)).cloned(),
        }
    }
}

/// The provider's keys.
pub(super) struct Keys {
    source: Arc<dyn KeySource>,
    seen: RwLock<Seen>,
    /// When they were last asked for; held while they are, so that one request asks for all.
    tried: Mutex<Option<Instant>>,
    between_tries: Duration,
    fetch_timeout: Duration,
}

impl Keys {
    pub(super) fn new(source: Arc<dyn KeySource>) -> Self {
        Self {
            source,
            seen: RwLock::default(),
            tried: Mutex::default(),
            between_tries: BETWEEN_TRIES,
            fetch_timeout: FETCH_TIMEOUT,
        }
    }

    /// The key that a token names. Fetches when it is unknown, for keys rotate, and when what we have is old. Fails when
    /// there is nothing to look in.
    pub(super) async fn find(&self, id: Option<&str>) -> Result<Option<Arc<Key>>, ApiError> {
        let seen = self.seen();
        if let Some(key) = seen.key(id).filter(|_| seen.is_younger_than(FRESH)) {
            return Ok(Some(key));
        }
        self.refresh(seen.at).await;
        let seen = self.seen();
        if seen.is_younger_than(STALE_MAX) {
            Ok(seen.key(id))
        } else {
            Err(ApiError::Away("the identity provider's keys are not known".into()))
        }
    }

    fn seen(&self) -> Seen {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches, unless somebody did since `looked_at`, or tried a moment ago.
    async fn refresh(&self, looked_at: Option<Instant>) {
        let mut tried = self.tried.lock().await;
        if self.seen().at != looked_at || tried.is_some_and(|at| at.elapsed() < self.between_tries) {
            return;
        }
        *tried = Some(Instant::now());
        let problem = match tokio::time::timeout(self.fetch_timeout, self.source.fetch()).await {
            Ok(Ok(text)) => match usable(&text) {
                Some(keys) => {
                    let seen = Seen { keys, at: Some(Instant::now()) };
                    *self.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
                    return;
                }
                None => "the answer is no key set with a usable key".to_owned(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.fetch_timeout),
        };
        tracing::warn!(problem, "the identity provider's keys could not be fetched: {problem}");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex as Locked;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use bytes::Bytes;
    use shared::ports::key_source::KeySourceError;

    use super::*;

    /// A provider that answers as told, or hangs.
    #[derive(Default)]
    pub(crate) struct Provider {
        pub(crate) answer: Locked<Option<String>>,
        pub(crate) asked: AtomicUsize,
    }

    #[async_trait]
    impl KeySource for Provider {
        async fn fetch(&self) -> Result<Bytes, KeySourceError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer.lock().unwrap().clone();
            match answer {
                Some(answer) => Ok(answer.into()),
                None => std::future::pending().await,
            }
        }
    }

    fn key(id: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#)
    }

    fn keys(provider: &Arc<Provider>) -> Keys {
        let source: Arc<dyn KeySource> = Arc::clone(provider) as _;
        Keys { between_tries: Duration::ZERO, ..Keys::new(source) }
    }

    #[tokio::test]
    async fn a_new_key_is_found_and_a_lying_provider_takes_none_away() {
        let provider = Arc::new(Provider::default());
        let keys = keys(&provider);
        let answers = |text: &str| *provider.answer.lock().unwrap() = Some(text.to_owned());
        answers(&format!(r#"{{"keys":[{}]}}"#, key("a")));
        assert!(keys.find(Some("a")).await.unwrap().is_some());
        assert!(keys.find(None).await.unwrap().is_some());
        assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
        answers(&format!(r#"{{"keys":[{},{{"kty":"oct","k":"AA"}},7,{}]}}"#, key("a"), key("b")));
        assert!(keys.find(Some("b")).await.unwrap().is_some());
        assert!(keys.find(None).await.unwrap().is_none(), "with several keys a token has to name one");
        for lie in ["", "<html>", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"RSA"}]}"#] {
            answers(lie);
            assert!(keys.find(Some("c")).await.unwrap().is_none(), "{lie}");
            assert!(keys.find(Some("b")).await.unwrap().is_some(), "{lie}");
        }
    }

    #[tokio::test]
    async fn made_up_keys_do_not_become_a_load() {
        let provider = Arc::new(Provider::default());
        *provider.answer.lock().unwrap() = Some(format!(r#"{{"keys":[{}]}}"#, key("a")));
        let source: Arc<dyn KeySource> = Arc::clone(&provider) as _;
        let keys = Keys::new(source);
        for n in 0..50 {
            assert!(keys.find(Some(&format!("made up {n}"))).await.unwrap().is_none());
        }
        assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_provider_that_hangs_is_not_waited_for_without_end() {
        let provider = Arc::new(Provider::default());
        let keys = Keys { fetch_timeout: Duration::from_millis(20), ..keys(&provider) };
        assert!(matches!(keys.find(Some("a")).await, Err(ApiError::Away(_))));
    }
}
