//! Who a request comes from, and whether it may pass.
//!
//! - [`config`]: section `[auth]`.
//! - `presented`: what a request shows of itself.
//! - `credentials`: our own tokens, logins with a password, and the operator's token.
//! - `jwt`, `keys`: access tokens of an identity provider, and the keys that they are signed with.
//! - `access`: what each route asks for; `guard`: the one place that every request passes.

pub(crate) mod access;
pub mod config;
mod credentials;
pub(crate) mod guard;
mod jwt;
mod keys;
pub mod password;
mod presented;
mod remembered;

use std::sync::Arc;

use shared::domain::principal::Principal;
use shared::ports::access_store::AccessStore;
use shared::ports::key_source::KeySource;

pub use config::{Config, Mode};

use self::credentials::Credentials;
use self::jwt::Verifier;
use self::presented::Presented;
use crate::error::ApiError;

/// Finds out who a request comes from.
pub struct Auth {
    credentials: Credentials,
    verifier: Option<Verifier>,
    is_open: bool,
}

impl Auth {
    /// From a section that was checked; `keys` are those of `auth.jwks_url`.
    pub fn new(config: &Config, store: Arc<dyn AccessStore>, keys: Option<Arc<dyn KeySource>>) -> Self {
        let verifier = keys.filter(|_| config.mode == Mode::Jwt).map(|keys| Verifier::new(config, keys));
        Self { credentials: Credentials::new(config, store), verifier, is_open: config.mode == Mode::Open }
    }

    /// Whether everybody may everything.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whoever presents nothing is anonymous; whoever presents something wrong is refused, wherever it would lead.
    pub(crate) async fn principal(&self, presented: Presented) -> Result<Principal, ApiError> {
        match presented {
            _ if self.is_open => Ok(Principal::Operator),
            Presented::Nothing => Ok(Principal::Anonymous),
            Presented::Malformed => Err(ApiError::Unauthorized),
            Presented::Basic { name, secret } => self.credentials.basic(&name, &secret).await,
            Presented::Bearer(token) => match &self.verifier {
                Some(verifier) if jwt::has_form(&token) => verifier.principal(&token).await,
                _ => self.credentials.bearer(&token).await,
            },
        }
    }
}
