//! What a producer may say of a file that is registered, or will be: that it is gone, or who may see it now.

use super::access::Access;
use super::file::{UnixMillis, VersionOrder};
use super::ids::Tenant;

/// A file that its producer has deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDeletion {
    /// Whose it is.
    pub tenant: Tenant,
    /// The file's identity within the tenant.
    pub file_identity: String,
    /// What of it is gone.
    pub what: Deleted,
    /// Where the deletion stands among the file's versions: one that is newer stays.
    pub order: VersionOrder,
}

impl FileDeletion {
    /// The identity of the one version that is gone.
    pub fn version(&self) -> Option<&str> {
        match &self.what {
            Deleted::Version(identity) => Some(identity),
            Deleted::File | Deleted::Unversioned => None,
        }
    }
}

/// What of a file its producer has deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// The file, whatever it shows.
    File,
    /// One version: its identity as [`VersionIdentity::Named`](super::file::VersionIdentity::Named) has it.
    Version(String),
    /// What was put while the bucket kept no versions: all versions whose source has none. In a bucket that never kept
    /// any, that is the file.
    Unversioned,
}

/// New access rules of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// Whose it is.
    pub tenant: Tenant,
    /// The file's identity within the tenant.
    pub file_identity: String,
    /// Who may see it from now on.
    pub access: Access,
    /// When it was decided, as the producer says: of two changes the later one holds.
    pub occurred_at: Option<UnixMillis>,
}
