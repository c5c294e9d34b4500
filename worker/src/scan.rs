//! The scheduled look through buckets: stores lose notifications, and what they lost is found here.

use std::sync::Arc;
use std::time::Duration;

use shared::domain::lane::Lane;
use shared::ports::blob_store::BlobError;
use shared::scan::{Scan, ScanError};
use tokio::time::MissedTickBehavior;

use crate::dependency::{MayBeAway as _, chain};
use crate::worker::{Ended, Worker};

/// Time between two looks at what is to be scanned; one page of each bucket at a time, so that a scan is never in the way.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Longest time for one page; then another process may take it.
const PAGE_LEASE: Duration = Duration::from_secs(120);

/// Scans the buckets until the worker drains.
pub(crate) async fn scan(worker: Arc<Worker>) -> Ended {
    let period = worker.deps.config.scan_period();
    let mut ticks = tokio::time::interval(LOOK_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return Ended::Drained,
            _ = ticks.tick() => {}
        }
        let Some(period) = period else { continue };
        for bucket in worker.deps.buckets.names() {
            if let Err(error) = next_page(&worker, bucket, period).await {
                report(bucket, &error);
            }
        }
    }
}

async fn next_page(worker: &Worker, bucket: &str, period: Duration) -> Result<(), ScanError> {
    let deps = &worker.deps;
    let name = format!("schedule:{bucket}");
    let taken = worker.dependencies.database.note(deps.scans.take_page(&name, period, PAGE_LEASE).await)?;
    let Some(progress) = taken else { return Ok(()) };
    let scan = Scan {
        store: &*deps.store,
        scans: &*deps.scans,
        sources: &*deps.sources,
        queue: &*deps.queue,
        buckets: &deps.buckets,
        presets: &deps.presets,
        bucket,
        prefix: "",
        lane: Lane::Backfill,
    };
    let page = scan.page(progress.after.as_deref()).await?;
    deps.scans.page_done(&name, page.after.as_deref(), page.count).await?;
    if page.count.registered > 0 {
        tracing::warn!(
            bucket,
            registered = page.count.registered,
            "{} objects of bucket {bucket} were not announced; they are registered now",
            page.count.registered
        );
    }
    if page.after.is_none() {
        let listed = progress.count.listed + page.count.listed;
        let registered = progress.count.registered + page.count.registered;
        tracing::info!(bucket, listed, registered, "bucket {bucket} was looked through");
    }
    Ok(())
}

/// The lease runs out by itself, and the page is tried again.
fn report(bucket: &str, error: &ScanError) {
    match error {
        ScanError::Store(error) if error.is_away() => {}
        ScanError::Bucket(BlobError::Away(_)) => {
            tracing::debug!(bucket, error = chain(error), "a bucket cannot be listed now");
        }
        error => tracing::warn!(bucket, error = chain(error), "bucket {bucket} cannot be looked through"),
    }
}
