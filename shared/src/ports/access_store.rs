//! The store of who may see what, and of the credentials that say who somebody is.

use async_trait::async_trait;

use super::state_store::StoreError;
use crate::domain::access::Access;
use crate::domain::credential::{Login, StoredToken, Token};
use crate::domain::file::UnixMillis;
use crate::domain::ids::{FileId, Tenant};
use crate::domain::principal::Guarded;

/// Access of files, tokens and logins. Every method is one short transaction, as in
/// [`StateStore`](super::state_store::StateStore).
#[async_trait]
pub trait AccessStore: Send + Sync + 'static {
    /// What decides who may see this file, in the trash or not; `None` when there is no such file.
    async fn access_of(&self, file: FileId) -> Result<Option<FileAccess>, StoreError>;

    /// Replaces who may see this file; `None`: operators only. `false` when there is no such file.
    async fn set_access(&self, file: FileId, access: Option<&Access>) -> Result<bool, StoreError>;

    /// A producer says who may see a file from now on. Of two changes the one that was decided later holds, whatever the
    /// order of arrival; without a time it is decided now. A file that is not known is remembered: when its first
    /// version comes, this access holds.
    async fn change_access(
        &self,
        tenant: &Tenant,
        identity: &str,
        access: &Access,
        decided_at: Option<UnixMillis>,
    ) -> Result<AccessChanged, StoreError>;

    /// Keeps a new token. Fails with `Inconsistent` if its prefix is taken.
    async fn issue_token(&self, token: &Token) -> Result<(), StoreError>;

    /// The token with this public prefix.
    async fn token(&self, prefix: &str) -> Result<Option<StoredToken>, StoreError>;

    /// All tokens, newest first; at most `limit`.
    async fn tokens(&self, limit: u32) -> Result<Vec<StoredToken>, StoreError>;

    /// Takes a token back. `false` when there is none with this prefix that was not taken back before.
    async fn revoke_token(&self, prefix: &str) -> Result<bool, StoreError>;

    /// Keeps a login, in place of the one with the same e-mail address.
    async fn put_login(&self, login: &Login) -> Result<(), StoreError>;

    /// The login with this e-mail address.
    async fn login(&self, email: &str) -> Result<Option<Login>, StoreError>;

    /// All logins by e-mail address; at most `limit`.
    async fn logins(&self, limit: u32) -> Result<Vec<Login>, StoreError>;

    /// Removes a login. `false` when there is none with this e-mail address.
    async fn remove_login(&self, email: &str) -> Result<bool, StoreError>;
}

/// What of a file decides who may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAccess {
    /// Whose it is.
    pub tenant: Tenant,
    /// Who may see it; `None`: operators only.
    pub access: Option<Access>,
}

impl FileAccess {
    /// For the decision.
    pub fn guarded(&self) -> Guarded<'_> {
        Guarded { tenant: &self.tenant, access: self.access.as_ref() }
    }
}

/// What [`AccessStore::change_access`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChanged {
    /// It holds.
    Applied,
    /// The file is not known yet; it will hold.
    Remembered,
    /// What holds was decided later.
    Superseded,
}
