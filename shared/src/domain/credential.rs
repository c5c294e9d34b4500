//! What proves who somebody is: tokens that we issue, and logins with a password.

use super::file::UnixMillis;
use super::ids::{Sha256Digest, Tenant};
use super::principal::{Identity, Scopes};

/// What every token of ours begins with, so that scanners of leaked secrets find it.
const TOKEN_START: &str = "tl_";
/// Random bytes of the public prefix.
pub const PREFIX_BYTES: usize = 8;
/// Random bytes of the secret: 256 bits need no slow hash.
pub const SECRET_BYTES: usize = 32;

/// The text of a new token: `tl_`, its public prefix, `_`, its secret, both in lower-case hex. The caller brings the
/// randomness.
pub fn token_text(prefix: [u8; PREFIX_BYTES], secret: [u8; SECRET_BYTES]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{TOKEN_START}{}_{}", hex(&prefix), hex(&secret))
}

/// The public prefix of a text that has the form of our tokens. It names the token, and opens nothing.
pub fn token_prefix(text: &str) -> Option<&str> {
    let (prefix, secret) = text.strip_prefix(TOKEN_START)?.split_once('_')?;
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let fits = prefix.len() == 2 * PREFIX_BYTES && secret.len() == 2 * SECRET_BYTES;
    (fits && is_hex(prefix) && is_hex(secret)).then_some(prefix)
}

/// A token as it is kept: without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Names it: in lists, in logs, to revoke it.
    pub prefix: String,
    /// Of its whole text.
    pub digest: Sha256Digest,
    /// What people call it.
    pub label: String,
    /// Who may present it as a password of Basic authentication; `None`: as a Bearer token only.
    pub email: Option<String>,
    /// Whom it stands for.
    pub identity: Identity,
    /// When it ends; `None`: when it is revoked.
    pub expires_at: Option<UnixMillis>,
}

/// A token of the store, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The token.
    pub token: Token,
    /// When it was issued.
    pub created_at: UnixMillis,
    /// What it is worth by the database's clock.
    pub standing: Standing,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Whoever holds it may come in.
    Live,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl Standing {
    /// The stable name, for rows and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// The standing of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Live, Self::Expired, Self::Revoked].into_iter().find(|standing| standing.name() == name)
    }
}

/// A user who signs in with a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// What is presented; compared without regard to letter case.
    pub email: String,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// The user's id, as access rules name it.
    pub user: String,
    /// Groups, as access rules name them.
    pub groups: std::collections::BTreeSet<String>,
    /// The only tenant that the user reaches.
    pub tenant: Option<Tenant>,
}

impl Login {
    /// Who has signed in: a password opens everything that its user may do.
    pub fn identity(&self) -> Identity {
        Identity {
            user: Some(self.user.clone()),
            groups: self.groups.clone(),
            scopes: Scopes::All,
            tenant: self.tenant.clone(),
        }
    }
}

/// Never shows the hash: it can be attacked offline.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("email", &self.email).field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_by_their_prefix_and_nothing_else_has_one() {
        let text = token_text([0xab; PREFIX_BYTES], [0x01; SECRET_BYTES]);
        assert_eq!(text.len(), 3 + 16 + 1 + 64);
        assert_eq!(token_prefix(&text), Some("abababababababab"));
        let upper = text.to_uppercase();
        for other in ["", "tl_", "tl__", "tl_ab_cd", &text[1..], &text[..text.len() - 1], &upper, &format!("{text}0")] {
            assert_eq!(token_prefix(other), None, "{other}");
        }
    }
}
