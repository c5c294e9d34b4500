//! The store's memory: what happened to files, and another chance for what failed.

use std::time::Duration;

use async_trait::async_trait;

use super::state_store::StoreError;
use crate::domain::failure::FailureCode;
use crate::domain::ids::{FileId, FileVersionId};
use crate::domain::lane::Lane;
use crate::domain::ledger::{FailureCount, FailureFilter, FailureGroup, FileLife, Redriven};

/// The ledger of a [`StateStore`](super::state_store::StateStore), which writes it: every entry in the transaction that
/// does what the entry says, so that the two cannot disagree.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// What is known of the file's life.
    async fn life(&self, file: FileId) -> Result<Option<FileLife>, StoreError>;

    /// Representations that ended as `error`, grouped by format and code, the largest groups first; at most `limit`.
    async fn failures(&self, limit: u32) -> Result<Vec<FailureGroup>, StoreError>;

    /// How much [`redrive`](Self::redrive) would find now.
    async fn count_failures(&self, filter: &FailureFilter) -> Result<FailureCount, StoreError>;

    /// Makes matching representations `pending` again on `lane`, those of at most `limit` versions: due at once, as if
    /// never tried, for the sweeper to wake. A quarantine of these versions ends. Called until it finds nothing.
    ///
    /// Without [`until`](FailureFilter::until) what fails again meanwhile is found again.
    async fn redrive(&self, filter: &FailureFilter, lane: Lane, limit: u32) -> Result<Redriven, StoreError>;

    /// Gives representations of at most `limit` versions that ended with `code` another chance by themselves, on the lane
    /// they had: `wait` after they ended, twice that the second time and so on, at most `times_max` times.
    async fn redrive_ended(
        &self,
        code: FailureCode,
        wait: Duration,
        times_max: u32,
        limit: u32,
    ) -> Result<Redriven, StoreError>;

    /// The broker gave up on a wake for this version: if any of its rows waits, that is noted and they may be woken
    /// again as if they had not been (their patience still doubles). Whether there were any.
    async fn look_after_dead_wake(&self, version: FileVersionId) -> Result<bool, StoreError>;

    /// Deletes the oldest entries that are older than `keep`, at most `limit`. Returns how many.
    async fn forget_entries(&self, keep: Duration, limit: u32) -> Result<u64, StoreError>;
}
