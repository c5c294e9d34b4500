//! Passwords: Argon2id, a few at a time.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use shared::domain::credential::Login;
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Passwords hashed at the same time: each takes a core and `MEMORY_KIB` for some 20 ms.
const AT_ONCE: usize = 2;
/// Longest wait for one's turn; then the answer is 503, and the server goes on.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Shortest password that a login may be given, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Memory of one hash, in KiB; this and the two below are OWASP's advice of 2023 for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes of one hash.
const LANES: u32 = 1;

/// Hashed in place of the password of somebody who does not exist, so that time does not tell who does.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody's password", [0; 16]).unwrap_or_default());

/// A password cannot be hashed, or a hash cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the password hash: {0}")]
pub struct HashError(#[source] argon2::password_hash::Error);

/// Checks passwords, so many at a time that logins cannot starve the server.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// Whether this is the password of the login, if there is one; takes as long if there is none.
    pub(super) async fn check(&self, login: Option<&Login>, password: &str) -> Result<(), ApiError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(ApiError::Unauthorized);
        }
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = match turn {
            Ok(Ok(turn)) => turn,
            Ok(Err(closed)) => return Err(ApiError::Internal(closed.into())),
            Err(late) => return Err(ApiError::Away(late.into())),
        };
        let exists = login.is_some();
        let expected = login.map_or_else(|| NOBODY.clone(), |login| login.password_hash.clone());
        let password = password.to_owned();
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            is_password(&password, &expected)
        });
        match hashed.await.map_err(|error| ApiError::Internal(error.into()))? {
            Ok(true) if exists => Ok(()),
            Ok(_) => Err(ApiError::Unauthorized),
            Err(unreadable) => Err(ApiError::Internal(unreadable.into())),
        }
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| HashError(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The hash of a password in PHC form; the caller brings a random salt.
pub fn hash(password: &str, salt: [u8; 16]) -> Result<String, HashError> {
    let hash: PasswordHash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(HashError)?;
    Ok(hash.to_string())
}

/// Costs what the hash says of itself.
fn is_password(password: &str, expected: &str) -> Result<bool, HashError> {
    let expected = PasswordHash::new(expected).map_err(|error| HashError(error.into()))?;
    match argon2()?.verify_password(password.as_bytes(), &expected) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(HashError(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(password: &str) -> Login {
        Login {
            email: "ada@example.org".to_owned(),
            password_hash: hash(password, [7; 16]).unwrap(),
            user: "ada".to_owned(),
            groups: std::collections::BTreeSet::new(),
            tenant: None,
        }
    }

    #[tokio::test]
    async fn only_the_password_itself_opens() {
        let passwords = Passwords::default();
        let ada = login("correct horse battery");
        assert!(ada.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", ada.password_hash);
        assert!(passwords.check(Some(&ada), "correct horse battery").await.is_ok());
        for wrong in ["", "correct horse batterY", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert!(matches!(passwords.check(Some(&ada), wrong).await, Err(ApiError::Unauthorized)));
        }
        assert!(matches!(passwords.check(None, "nobody's password").await, Err(ApiError::Unauthorized)));
        let broken = Login { password_hash: "$argon2id$".to_owned(), ..ada };
        assert!(matches!(passwords.check(Some(&broken), "x").await, Err(ApiError::Internal(_))));
    }
}
