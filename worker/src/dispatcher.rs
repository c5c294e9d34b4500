//! Hands wakes to reconcile: the permit first, then the next wake by the lanes' shares.

use std::sync::Arc;

use shared::domain::lane::Lane;
use shared::ports::work_queue::{Delivery, ParkingReason, Wake};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::lanes::Lanes;
use crate::worker::{Ended, Worker};

/// Longest body of a wake, in bytes; ours have about 50.
const WAKE_BYTES_MAX: usize = 4096;

/// Dispatches until the worker drains; what has begun goes on in `tasks`.
pub(crate) async fn dispatch(worker: Arc<Worker>, mut lanes: Lanes, tasks: TaskTracker) -> Ended {
    let permits = Arc::new(Semaphore::new(worker.deps.config.concurrency()));
    let ended = loop {
        // A wake that nobody has room for belongs to another worker, so the permit comes first.
        let permit = tokio::select! {
            biased;
            () = worker.shutdown.cancelled() => break Ended::Drained,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break Ended::QueueClosed };
        let next = tokio::select! {
            biased;
            () = worker.shutdown.cancelled() => break Ended::Drained,
            next = lanes.next() => next,
        };
        let Some((lane, delivery)) = next else { break Ended::QueueClosed };
        let span = delivery_span(lane, &delivery);
        let worker = Arc::clone(&worker);
        let attended = async move {
            attend(&worker, delivery).await;
            drop(permit);
        };
        tasks.spawn(attended.instrument(span));
    };
    lanes.release().await;
    ended
}

fn delivery_span(lane: Lane, delivery: &Delivery) -> tracing::Span {
    tracing::info_span!(
        "delivery",
        delivery.channel = "wakes",
        delivery.redelivered = delivery.redelivered,
        lane = lane.name(),
        traceparent = delivery.message.headers.get("traceparent"),
    )
}

async fn attend(worker: &Arc<Worker>, delivery: Delivery) {
    let body = &delivery.message.body;
    let version = if body.len() <= WAKE_BYTES_MAX { Wake::version_in(body) } else { None };
    match version {
        Some(version) => crate::reconcile::reconcile(worker, version, delivery).await,
        None => {
            let reason = "the message in a lane is not a wake".to_owned();
            worker.park(delivery, &ParkingReason { code: "unreadable_wake", reason }).await;
        }
    }
}
