//! Blobs that no row refers to any more: remembered, taken for deletion once their grace is over, and never while in use.

use std::time::Duration;

use async_trait::async_trait;

use super::blob_store::StoredBlob;
use super::state_store::StoreError;
use crate::domain::blob_key::BlobKey;

/// Longest that one transaction of a store may take: what was condemned longer ago than this is seen by every
/// registration and every settle that is still to commit.
pub const SETTLE_SECONDS_MAX: u64 = 120;

/// The list of condemned blobs. Rows that go condemn what they referred to; a look through the blob store condemns
/// what was put and never settled.
///
/// Deleting cannot race with using. Whoever writes a row that refers to a blob looks at this list in the same transaction: a
/// blob that only waits is taken off it, and one that is being deleted, or was deleted after the put, makes the write
/// fail, so that the blob is put again. Whoever deletes takes the blob in a transaction that locks its entry and looks for
/// rows that refer to it. Neither depends on clocks, on the order of listings, or on conditional writes of blob stores.
#[async_trait]
pub trait CollectionStore: Send + Sync + 'static {
    /// Those of these blobs that no row refers to and that are older than `grace`; changes nothing.
    async fn unreferenced(&self, blobs: &[StoredBlob], grace: Duration) -> Result<Vec<StoredBlob>, StoreError>;

    /// Condemns those of these blobs that no row refers to and that are older than `grace`, which counts as over for
    /// them; returns those that were not condemned before.
    async fn condemn(&self, blobs: &[StoredBlob], grace: Duration) -> Result<Vec<StoredBlob>, StoreError>;

    /// Takes condemned blobs whose grace is over, at most `limit`, for `lease` from now; nobody can refer to them any more.
    /// What a row refers to again is taken off the list instead. Whoever takes them deletes them within the lease.
    async fn take_condemned(
        &self,
        grace: Duration,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<CondemnedBlob>, StoreError>;

    /// These were taken and are deleted now. That is remembered for a while, because somebody may have put them
    /// before they were deleted, and may not have written the row yet.
    async fn deleted(&self, keys: &[BlobKey]) -> Result<(), StoreError>;

    /// A blob was put again after [`Conflict::BlobCollected`](super::state_store::Conflict::BlobCollected). `false` while
    /// it is still being deleted: then it has to be put once more.
    async fn put_again(&self, key: &BlobKey) -> Result<bool, StoreError>;

    /// Forgets blobs that were deleted longer ago than `keep`, at most `limit`; returns how many.
    async fn forget_deleted(&self, keep: Duration, limit: u32) -> Result<u64, StoreError>;

    /// How much is condemned and not deleted yet.
    async fn count_condemned(&self) -> Result<Condemned, StoreError>;
}

/// A blob that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CondemnedBlob {
    /// Which.
    pub key: BlobKey,
    /// Its length, as far as it is known.
    pub length_bytes: u64,
}

/// How much is condemned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Condemned {
    /// How many blobs.
    pub blobs: u64,
    /// Their length together, as far as it is known.
    pub bytes: u64,
}
