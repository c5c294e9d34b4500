//! The timed pass that carries on what messages have lost: wakes due rows, ends overdue ones and tries them anew,
//! measures the backlog.

use std::sync::Arc;
use std::time::Duration;

use shared::domain::failure::{Failure, FailureCode};
use shared::ports::state_store::StoreError;
use shared::ports::work_queue::{QueueError, Wake};
use tokio::time::{Instant, MissedTickBehavior};

use crate::dependency::{MayBeAway as _, chain};
use crate::worker::{Ended, Worker};
use crate::{announcer, metrics, parking};

/// Versions woken with one statement; the pass goes on while batches are full.
const SWEEP_BATCH: u32 = 500;
/// Full batches in one pass at most, so that the other duties of the pass are never starved.
const SWEEP_BATCHES_MAX: usize = 20;
/// Seconds between two measurements of the backlog.
const BACKLOG_SECONDS: u64 = 5;

/// Sweeps until the worker drains. The next time is always near, so nothing is tried twice in one pass.
pub(crate) async fn sweep(worker: Arc<Worker>) -> Ended {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(worker.deps.config.sweep());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return Ended::Drained,
            _ = ticks.tick() => {}
        }
        report(wake_due(&worker, patience(&worker, started)).await);
        report(give_up_overdue(&worker).await);
        report(redrive_overdue(&worker).await);
    }
}

/// Measures the backlog until the worker drains.
pub(crate) async fn measure_backlog(worker: Arc<Worker>) -> Ended {
    let mut ticks = tokio::time::interval(Duration::from_secs(BACKLOG_SECONDS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return Ended::Drained,
            _ = ticks.tick() => {}
        }
        match worker.dependencies.database.note(worker.deps.store.backlog().await) {
            Ok(lanes) => lanes.iter().for_each(metrics::backlog),
            Err(error) => report(Err(error)),
        }
        parking::measure(&worker).await;
        announcer::measure(&worker).await;
    }
}

/// How long a wake may take to be claimed. When wakes die with the process, those from before its start are lost for
/// certain, and nobody has to wait for them.
fn patience(worker: &Worker, started: Instant) -> Duration {
    let patience = worker.deps.config.wake_patience();
    if worker.deps.queue.outlives_process() { patience } else { patience.min(started.elapsed()) }
}

async fn wake_due(worker: &Worker, patience: Duration) -> Result<(), StoreError> {
    let deps = &worker.deps;
    for _ in 0..SWEEP_BATCHES_MAX {
        let due = deps.store.due(patience, SWEEP_BATCH).await;
        let due = worker.dependencies.database.note(due)?;
        let full = due.len() == SWEEP_BATCH as usize;
        for version in due {
            let wake = Wake { version: version.version, tenant: version.tenant, lane: version.lane };
            let woken = worker.dependencies.queue.note(deps.queue.wake(&wake).await);
            // Marked as woken although it was not: it comes again after its patience, when the queue may be back.
            if let Err(error) = woken
                && !tolerable(&error)
            {
                return Ok(());
            }
        }
        if !full || worker.shutdown.is_cancelled() {
            break;
        }
    }
    Ok(())
}

/// A full lane has enough to do; the others go on.
fn tolerable(error: &QueueError) -> bool {
    if !error.is_away() {
        tracing::error!(error = chain(error), "a wake could not be published");
    }
    matches!(error, QueueError::Full(_))
}

async fn give_up_overdue(worker: &Worker) -> Result<(), StoreError> {
    let failure = Failure::new(FailureCode::DeadlineExceeded, "no attempt succeeded before the deadline of its lane");
    let given_up = worker.deps.store.give_up_overdue(&worker.deps.retry.deadlines(), &failure).await;
    let rows = worker.dependencies.database.note(given_up)?;
    if rows > 0 {
        tracing::warn!(rows, failure.code = failure.code.name(), "{rows} representations ended at their deadline");
    }
    Ok(())
}

/// What ended at its deadline may have met an outage that nobody noticed: it gets a few more chances.
async fn redrive_overdue(worker: &Worker) -> Result<(), StoreError> {
    let retry = &worker.deps.retry;
    let code = FailureCode::DeadlineExceeded;
    let redriven = worker.deps.store.redrive_ended(code, retry.redrive_after(), retry.redrives_max, SWEEP_BATCH).await;
    let redriven = worker.dependencies.database.note(redriven)?;
    if redriven.representations > 0 {
        let rows = redriven.representations;
        tracing::info!(rows, failure.code = code.name(), "{rows} representations are tried anew after their deadline");
    }
    Ok(())
}

/// An outage is logged by its dependency; anything else is our bug or somebody's hand.
fn report(swept: Result<(), StoreError>) {
    if let Err(error) = swept
        && !error.is_away()
    {
        tracing::error!(error = chain(&error), "a sweep failed");
    }
}
