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
    /// Set when one version was deleted rather than the file: its identity as
    /// [`VersionIdentity::Named`](super::file::VersionIdentity::Named) has it.
    pub version: Option<String>,
    /// Where the deletion stands among the file's versions: one that is newer stays.
    pub order: VersionOrder,
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
