//! The life of files: how they are found by what they belong to, renamed, removed and brought back.

use std::time::Duration;

use async_trait::async_trait;

use super::state_store::StoreError;
use crate::domain::file::FileState;
use crate::domain::file_change::FileDeletion;
use crate::domain::ids::{FileId, FileVersionId, Tenant};

/// Files and their versions as people move them about. Representations follow their version: in the trash they are not
/// claimed any more, a result that comes late is not written, and what had not settled waits again once it is restored.
///
/// Every method is one short transaction, as in [`StateStore`](super::state_store::StateStore).
#[async_trait]
pub trait FileStore: Send + Sync + 'static {
    /// The versions of a file, newest first, before the version `before` when given; those in the trash too.
    async fn versions(
        &self,
        file: FileId,
        before: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError>;

    /// The files of one parent that are not in the trash, with their current versions.
    async fn files_of(&self, listing: &Listing) -> Result<Vec<FileState>, StoreError>;

    /// How many files [`files_of`](Self::files_of) has in all.
    async fn count_of(&self, parent: &Parent) -> Result<u64, StoreError>;

    /// The file of a parent with this name in any letter case, unless it is in the trash; the oldest of several.
    async fn file_named(&self, parent: &Parent, name: &str) -> Result<Option<FileState>, StoreError>;

    /// Changes a file, if it still shows `revision` when one is given. Unknown and purged files: `NotFound`.
    async fn change(&self, file: FileId, change: &Change, revision: Option<u32>) -> Result<(), StoreError>;

    /// The producer says that it has removed the source of a file: into the trash with it, unless its current version is
    /// newer than that. A file that is not known is remembered as removed, so that an upload that is older, and arrives
    /// late, does not show up. Of a version that is named only that one goes, and with the last one the file.
    async fn source_removed(&self, deletion: &FileDeletion) -> Result<SourceRemoval, StoreError>;

    /// Removes files and versions for good that have been in the trash for longer than `keep`, at most `limit`; returns
    /// how many.
    async fn purge_trashed(&self, keep: Duration, limit: u32) -> Result<u64, StoreError>;

    /// Forgets files that were removed for good, or before they were announced, longer ago than `keep`, at most `limit`;
    /// returns how many. A late event of one of them makes a file of it again.
    async fn forget_removed(&self, keep: Duration, limit: u32) -> Result<u64, StoreError>;
}

/// What files belong to: a folder id or an issue key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Whose files; `None`: everybody's.
    pub tenant: Option<Tenant>,
    /// The id or key; files without a parent are those of [`Parent::ROOT`].
    pub id: String,
}

impl Parent {
    /// The parent of what has none.
    pub const ROOT: &'static str = "0";
}

/// Which files of a parent to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Of what.
    pub parent: Parent,
    /// In which order.
    pub by: ListingKey,
    /// The last comes first.
    pub descending: bool,
    /// Only what comes after this file in that order.
    pub after: Option<FileId>,
    /// How many to leave out at the beginning.
    pub offset: u32,
    /// At most so many.
    pub limit: u32,
}

/// What a listing is ordered by; files that are equal in it come in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingKey {
    /// When they were registered.
    Id,
    /// Their name, whatever its letter case.
    Name,
    /// When they were changed last.
    ModifiedAt,
    /// The length of their current version in bytes.
    Length,
}

/// What may happen to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another name, another parent, or both.
    Place {
        /// The new name.
        name: Option<String>,
        /// The new folder id or issue key.
        parent: Option<String>,
    },
    /// Into the trash.
    Trash,
    /// Out of the trash.
    Restore,
    /// Out of the trash for good: versions and representations go, and their blobs once nothing else has them.
    Purge,
    /// One version into the trash. When the file shows it, it shows the newest of the others from then on.
    TrashVersion(FileVersionId),
    /// One version out of the trash; the file shows what it showed.
    RestoreVersion(FileVersionId),
    /// One version out of the trash for good.
    PurgeVersion(FileVersionId),
}

/// What [`FileStore::source_removed`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceRemoval {
    /// The file, or the version, is in the trash now, or the file is remembered as removed.
    Trashed,
    /// It was in the trash already.
    AlreadyTrashed,
    /// The file shows a version that is newer than the removal.
    Superseded,
    /// The version that is named was never announced.
    UnknownVersion,
}
