//! Garbage collection: deletes blobs that no row refers to, those of removed files and those that were never settled.

mod schedule;

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::domain::blob_key::BlobKey;
use shared::ports::blob_store::{BlobError, BlobStore};
use shared::ports::collection::CondemnedBlob;
use shared::ports::scan::ScanCount;
use shared::ports::state_store::{StateStore, StoreError};

use crate::dependency::chain;

pub(crate) use schedule::collect;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// Ten years.
const HOURS_MAX: u32 = 24 * 3650;
/// Blobs looked at in one step.
const PAGE: u32 = 1000;
/// Blobs taken for deletion in one step.
const BATCH: u32 = 200;
/// Deletions under way at the same time.
const DELETES_AT_ONCE: usize = 8;
/// How long a step has its blobs; another one may take them afterwards.
const LEASE: Duration = Duration::from_secs(15 * 60);
/// A step begins no deletion after this: far from the end of its lease, whatever the store still does with the last one.
const DELETING_MAX: Duration = Duration::from_secs(5 * 60);
/// How long a deletion is remembered. Nobody is longer than that between a put and its row.
const REMEMBERED: Duration = Duration::from_secs(2 * 86_400);

/// Names the cursor of the look through all blobs; whoever looks goes on with the same one.
pub const LOOK_NAME: &str = "gc";

/// When blobs are deleted. Every field is a key of `config.default.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcConfig {
    /// Whether workers delete by themselves.
    pub enabled: bool,
    /// Hours from the moment that nothing refers to a blob until it is deleted.
    pub grace_hours: u32,
    /// Days between two looks through all blobs; 0 is never.
    pub look_days: u32,
}

impl GcConfig {
    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        if !(1..=HOURS_MAX).contains(&self.grace_hours) {
            problems.push(Problem::new("gc.grace_hours", self.grace_hours, format!("hours from 1 to {HOURS_MAX}")));
        }
        if self.look_days > HOURS_MAX / 24 {
            let remedy = format!("days from 0 (never) to {}", HOURS_MAX / 24);
            problems.push(Problem::new("gc.look_days", self.look_days, remedy));
        }
    }

    /// From the moment that nothing refers to a blob until it is deleted.
    pub fn grace(&self) -> Duration {
        HOUR * self.grace_hours
    }

    /// Between two looks through all blobs, if there are any.
    pub(crate) fn look_period(&self) -> Option<Duration> {
        (self.look_days > 0).then(|| DAY * self.look_days)
    }
}

/// Why garbage could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The rows cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs cannot be listed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// What a step of looking has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Blobs that were looked at.
    pub blobs: u64,
    /// Objects that are none of ours.
    pub foreign: u64,
    /// Blobs without a row that were not known to be garbage.
    pub found: u64,
    /// Their length together.
    pub found_bytes: u64,
    /// Where the next step begins; `None` when this was the last.
    pub next: Option<String>,
}

impl Looked {
    /// In the words of cursors.
    pub fn count(&self) -> ScanCount {
        ScanCount { listed: self.blobs, registered: self.found }
    }
}

/// What a step of deleting has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Blobs that are gone.
    pub blobs: u64,
    /// Their length together, as far as it is known.
    pub bytes: u64,
    /// Blobs that the store would not delete now; they are tried again.
    pub failed: u64,
}

/// Collects garbage, step by step: memory is bounded by one step, and any process may go on where another one stopped.
pub struct Collector<'a> {
    /// The rows.
    pub store: &'a dyn StateStore,
    /// The blobs.
    pub blobs: &'a dyn BlobStore,
    /// From the moment that nothing refers to a blob until it is deleted.
    pub grace: Duration,
}

impl Collector<'_> {
    /// Looks at the next blobs of the store; with `condemn`, what is found is remembered and deleted by a later step.
    pub async fn look(&self, after: Option<&str>, condemn: bool) -> Result<Looked, CollectError> {
        let page = self.blobs.list(after, PAGE).await?;
        let found = if condemn {
            self.store.condemn(&page.blobs, self.grace).await?
        } else {
            self.store.unreferenced(&page.blobs, self.grace).await?
        };
        Ok(Looked {
            blobs: page.blobs.len() as u64,
            foreign: page.foreign,
            found: found.len() as u64,
            found_bytes: found.iter().map(|blob| blob.length_bytes).sum(),
            next: page.next,
        })
    }

    /// Deletes some of what is condemned and whose grace is over; `None` when there was nothing.
    pub async fn delete(&self) -> Result<Option<Deleted>, CollectError> {
        let taken = self.store.take_condemned(self.grace, LEASE, BATCH).await?;
        if taken.is_empty() {
            return Ok(None);
        }
        let begun = Instant::now();
        let count = taken.len();
        let deletions = taken.into_iter().map(|blob| self.delete_one(blob, begun));
        let done: Vec<Option<CondemnedBlob>> = stream::iter(deletions).buffered(DELETES_AT_ONCE).collect().await;
        let gone: Vec<CondemnedBlob> = done.into_iter().flatten().collect();
        let bytes = gone.iter().map(|blob| blob.length_bytes).sum();
        let keys: Vec<BlobKey> = gone.into_iter().map(|blob| blob.key).collect();
        self.store.deleted(&keys).await?;
        Ok(Some(Deleted { blobs: keys.len() as u64, bytes, failed: (count - keys.len()) as u64 }))
    }

    /// The blob, if it is gone.
    async fn delete_one(&self, blob: CondemnedBlob, begun: Instant) -> Option<CondemnedBlob> {
        if begun.elapsed() > DELETING_MAX {
            return None;
        }
        match self.blobs.delete(&blob.key).await {
            Ok(()) => Some(blob),
            Err(error) => {
                tracing::warn!(blob = %blob.key, error = chain(&error), "a blob could not be deleted");
                None
            }
        }
    }

    /// Forgets deletions that nobody has to know of any more; bounded, like every step.
    pub async fn forget(&self) -> Result<u64, CollectError> {
        Ok(self.store.forget_deleted(REMEMBERED, PAGE).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_graces_are_refused() {
        let problems = |grace_hours, look_days| {
            let mut problems = Vec::new();
            GcConfig { enabled: true, grace_hours, look_days }.check(&mut problems);
            problems.len()
        };
        assert_eq!([problems(0, 0), problems(1, 0), problems(24, 7), problems(u32::MAX, u32::MAX)], [1, 0, 0, 2]);
    }
}
