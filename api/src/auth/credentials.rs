//! The operator's token, tokens that we issued, and logins with a password.

use std::sync::Arc;
use std::time::Duration;

use shared::domain::credential::{Standing, Token, token_prefix};
use shared::domain::ids::Sha256Digest;
use shared::domain::principal::Principal;
use shared::ports::access_store::AccessStore;

use super::config::Config;
use super::password::Passwords;
use super::remembered::Remembered;
use crate::error::ApiError;

/// Longest time until a revoked token, or a changed login, is refused: clients present theirs with every request, and
/// each look costs a query or, for passwords, a slow hash.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// Finds out whose a credential of our own is.
pub(super) struct Credentials {
    operator: Option<Sha256Digest>,
    store: Arc<dyn AccessStore>,
    remembered: Remembered,
    passwords: Passwords,
}

impl Credentials {
    pub(super) fn new(config: &Config, store: Arc<dyn AccessStore>) -> Self {
        Self {
            operator: Some(config.token.as_bytes()).filter(|token| !token.is_empty()).map(Sha256Digest::of),
            store,
            remembered: Remembered::new(REMEMBERED_FOR),
            passwords: Passwords::default(),
        }
    }

    /// Whoever presents this as a Bearer token.
    pub(super) async fn bearer(&self, text: &str) -> Result<Principal, ApiError> {
        let digest = Sha256Digest::of(text.as_bytes());
        if self.is_operator(&digest) {
            return Ok(Principal::Operator);
        }
        let token = async { Ok(Principal::Known(self.issued(text, &digest).await?.identity)) };
        self.remembering(digest, token).await
    }

    /// Whoever presents this name and secret: an e-mail address with one of its tokens, as Jira's clients do, or with
    /// its password. The operator's token goes with any name.
    pub(super) async fn basic(&self, name: &str, secret: &str) -> Result<Principal, ApiError> {
        let digest = Sha256Digest::of(secret.as_bytes());
        if self.is_operator(&digest) {
            return Ok(Principal::Operator);
        }
        let name = name.to_lowercase();
        // No name holds a NUL and a token at once with another name's secret: the two cannot be taken for one another.
        let both = Sha256Digest::of(format!("{name}\0{secret}").as_bytes());
        self.remembering(both, async {
            if token_prefix(secret).is_some() {
                let token = self.issued(secret, &digest).await?;
                let is_theirs = token.email.as_deref() == Some(&*name);
                return if is_theirs { Ok(Principal::Known(token.identity)) } else { Err(ApiError::Unauthorized) };
            }
            let login = self.store.login(&name).await?;
            self.passwords.check(login.as_ref(), secret).await?;
            login.map(|login| Principal::Known(login.identity())).ok_or(ApiError::Unauthorized)
        })
        .await
    }

    async fn remembering(
        &self,
        presented: Sha256Digest,
        look: impl Future<Output = Result<Principal, ApiError>>,
    ) -> Result<Principal, ApiError> {
        if let Some(principal) = self.remembered.get(&presented) {
            return Ok(Principal::clone(&principal));
        }
        let principal = look.await?;
        self.remembered.put(presented, Arc::new(principal.clone()));
        Ok(principal)
    }

    /// The live token with this text.
    async fn issued(&self, text: &str, digest: &Sha256Digest) -> Result<Token, ApiError> {
        let prefix = token_prefix(text).ok_or(ApiError::Unauthorized)?;
        let stored = self.store.token(prefix).await?.ok_or(ApiError::Unauthorized)?;
        let is_right = is_same(&stored.token.digest, digest) && stored.standing == Standing::Live;
        if is_right { Ok(stored.token) } else { Err(ApiError::Unauthorized) }
    }

    fn is_operator(&self, digest: &Sha256Digest) -> bool {
        self.operator.as_ref().is_some_and(|operator| is_same(operator, digest))
    }
}

/// Compares without stopping at the first difference, so that time tells nothing.
fn is_same(one: &Sha256Digest, other: &Sha256Digest) -> bool {
    one.as_bytes().iter().zip(other.as_bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
