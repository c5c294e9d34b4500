//! The scheduled garbage collection: what is due is deleted every minute, all blobs are looked through now and then.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use shared::telemetry as names;
use tokio::time::MissedTickBehavior;

use super::{CollectError, Collector, LOOK_NAME};
use crate::dependency::{MayBeAway as _, chain};
use crate::worker::{Ended, Worker};

/// Time between two passes.
const PASS_PERIOD: Duration = Duration::from_secs(60);
/// Steps of deleting in one pass, and of looking: 2,000 blobs are deleted and 20,000 looked at in a minute by each worker.
const STEPS_MAX: usize = 10;
const LOOKS_MAX: usize = 20;
/// Longest time for one step of looking; then another worker may take it.
const LOOK_LEASE: Duration = Duration::from_secs(120);

/// Collects until the worker drains.
pub(crate) async fn collect(worker: Arc<Worker>) -> Ended {
    let mut ticks = tokio::time::interval(PASS_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return Ended::Drained,
            _ = ticks.tick() => {}
        }
        if !worker.deps.gc.enabled {
            continue;
        }
        match pass(&worker).await {
            Err(CollectError::Store(error)) if error.is_away() => {}
            Err(error) => tracing::warn!(error = chain(&error), "garbage could not be collected"),
            Ok(()) => {}
        }
    }
}

async fn pass(worker: &Worker) -> Result<(), CollectError> {
    let deps = &worker.deps;
    let collector = Collector { store: &*deps.store, blobs: &*deps.blobs, grace: deps.gc.grace() };
    for _ in 0..STEPS_MAX {
        let Some(deleted) = collector.delete().await? else { break };
        counter!(names::COLLECTED_BLOBS).increment(deleted.blobs);
        counter!(names::COLLECTED_BYTES).increment(deleted.bytes);
        tracing::info!(blobs = deleted.blobs, bytes = deleted.bytes, failed = deleted.failed, "garbage was deleted");
        if worker.shutdown.is_cancelled() {
            return Ok(());
        }
    }
    collector.forget().await?;
    let Some(period) = deps.gc.look_period() else { return Ok(()) };
    for _ in 0..LOOKS_MAX {
        let Some(progress) = deps.scans.take_page(LOOK_NAME, period, LOOK_LEASE).await? else { break };
        let looked = collector.look(progress.after.as_deref(), true).await?;
        deps.scans.page_done(LOOK_NAME, looked.next.as_deref(), looked.count()).await?;
        if looked.next.is_none() {
            let (blobs, found) = (progress.count.listed + looked.blobs, progress.count.registered + looked.found);
            tracing::info!(blobs, found, "all blobs were looked through: {found} of {blobs} belong to no row");
        }
        if worker.shutdown.is_cancelled() {
            break;
        }
    }
    Ok(())
}
