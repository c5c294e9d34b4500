//! Wakes that the broker gave up on: each triggers a look at its row, which is all that a wake ever was.

use std::sync::Arc;

use shared::ports::work_queue::{Delivery, ParkingReason, Subscription};

use crate::dependency::{Unanswered, chain};
use crate::dispatcher::version_in;
use crate::metrics;
use crate::worker::{Ended, Worker};

/// Unsettled dead wakes; they are few, and one at a time is fast enough.
pub(crate) const DEAD_WAKE_PREFETCH: u16 = 4;

/// Looks after dead wakes until the worker drains.
pub(crate) async fn consume(worker: Arc<Worker>, mut dead: Box<dyn Subscription>) -> Ended {
    loop {
        let next = tokio::select! {
            biased;
            () = worker.shutdown.cancelled() => return Ended::Drained,
            next = dead.next() => next,
        };
        match next {
            Some(delivery) => look_after(&worker, delivery).await,
            None => return Ended::QueueClosed,
        }
    }
}

async fn look_after(worker: &Worker, delivery: Delivery) {
    let Some(version) = version_in(&delivery) else {
        let reason = "the message among the dead wakes is not a wake".to_owned();
        worker.park(delivery, &ParkingReason { code: "unreadable_wake", reason }).await;
        return;
    };
    let looking = || worker.deps.store.look_after_dead_wake(version);
    match worker.dependencies.database.patiently(&worker.shutdown, looking).await {
        Ok(waits) => {
            metrics::dead_wake();
            tracing::warn!(file_version.id = %version, waits, "the broker gave up on a wake of file version {version}");
            worker.ack(delivery).await;
        }
        Err(Unanswered::Stopped) => worker.release(delivery).await,
        Err(Unanswered::Refused(error)) => {
            tracing::error!(file_version.id = %version, error = chain(&error), "a dead wake could not be looked after");
            worker.ack(delivery).await;
        }
    }
}
