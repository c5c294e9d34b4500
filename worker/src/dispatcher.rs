//! Hands wakes to reconcile: the permit first, then the next wake by the lanes' shares.

use std::sync::Arc;

use shared::domain::lane::Lane;
use shared::ports::work_queue::{Delivery, ParkingReason, Wake};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::lanes::Lanes;
use crate::permits::Permits;
use crate::worker::{Ended, Worker};

/// Longest body of a wake, in bytes; ours have about 50.
const WAKE_BYTES_MAX: usize = 4096;

/// Dispatches until the worker drains; what has begun goes on in `tasks`.
pub(crate) async fn dispatch(worker: Arc<Worker>, mut lanes: Lanes, tasks: TaskTracker) -> Ended {
    let config = &worker.deps.config;
    let permits = Permits::new(config.concurrency(), Lane::ALL.map(|lane| config.reserved(lane)));
    let ended = loop {
        // A wake that nobody has room for belongs to another worker, so the permit comes first.
        let open = tokio::select! {
            biased;
            () = worker.shutdown.cancelled() => break Ended::Drained,
            open = permits.open() => open,
        };
        let next = tokio::select! {
            biased;
            () = worker.shutdown.cancelled() => break Ended::Drained,
            next = lanes.next(&open) => next,
            // More lanes may begin now than were asked.
            () = permits.returned(), if open.contains(&false) => continue,
        };
        let Some((index, delivery)) = next else { break Ended::QueueClosed };
        // Only this loop takes permits, so what was open is open still.
        let Some(permit) = permits.take(index) else { continue };
        let span = delivery_span(Lane::ALL[index], &delivery);
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
    match version_in(&delivery) {
        Some(version) => crate::reconcile::reconcile(worker, version, delivery).await,
        None => {
            let reason = "the message in a lane is not a wake".to_owned();
            worker.park(delivery, &ParkingReason { code: "unreadable_wake", reason }).await;
        }
    }
}

/// The version that a delivery names, if it is a wake.
pub(crate) fn version_in(delivery: &Delivery) -> Option<shared::domain::ids::FileVersionId> {
    let body = &delivery.message.body;
    if body.len() <= WAKE_BYTES_MAX { Wake::version_in(body) } else { None }
}
