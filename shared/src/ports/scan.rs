//! How far a bucket was looked through, and which of its objects are registered.

use std::time::Duration;

use async_trait::async_trait;

use super::state_store::StoreError;
use crate::domain::ids::Tenant;

/// Cursors of bucket scans: the schedule's and those of backfills, each under a name of its own.
///
/// A scan goes page by page under a short lease, so that of many processes one works on it and another goes on where that one
/// stopped. Shared times are the database's.
#[async_trait]
pub trait ScanStore: Send + Sync + 'static {
    /// Takes the next page of this scan: one that is under way goes on, one that has ended, or was never
    /// seen, begins `period` after it began or was seen. `None` while somebody else has it, or when it is not time yet.
    async fn take_page(
        &self,
        scan: &str,
        period: Duration,
        lease: Duration,
    ) -> Result<Option<ScanProgress>, StoreError>;

    /// Notes that a page was looked through, and ends the lease. Without `after` the scan has ended.
    async fn page_done(&self, scan: &str, after: Option<&str>, page: ScanCount) -> Result<(), StoreError>;

    /// Forgets the cursor: the scan begins anew.
    async fn restart(&self, scan: &str) -> Result<(), StoreError>;

    /// Which of these files are registered, with the entity tag of their current version's source.
    async fn known(&self, tenant: &Tenant, identities: &[String]) -> Result<Vec<KnownSource>, StoreError>;
}

/// Where a scan stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanProgress {
    /// The last key that was looked at; `None` at the beginning.
    pub after: Option<String>,
    /// What was done so far.
    pub count: ScanCount,
}

/// What a scan has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanCount {
    /// Objects in the listing.
    pub listed: u64,
    /// File versions that were registered.
    pub registered: u64,
}

/// A registered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSource {
    /// The file's identity.
    pub identity: String,
    /// As its producer or the listing gave it.
    pub etag: Option<String>,
    /// As its producer or the listing gave it, bytes.
    pub size: Option<u64>,
}
