//! What all parts of a worker share, and how they settle deliveries.

use std::time::Duration;

use shared::ports::work_queue::{Delivery, ParkingReason};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Deps;
use crate::admission::Admission;
use crate::child::Pool;
use crate::dependency::{Dependencies, Unanswered, chain};

/// Pause before a message goes back that can be neither read nor parked: an operator has to look.
const UNPARKABLE_PAUSE: Duration = Duration::from_secs(5);

/// Why a part of the worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The worker drains.
    Drained,
    /// The queue was closed for good.
    QueueClosed,
}

/// A running worker.
pub(crate) struct Worker {
    pub(crate) deps: Deps,
    pub(crate) dependencies: Dependencies,
    pub(crate) pool: Pool,
    /// Wakes whoever collects news, when this worker has some.
    pub(crate) news: Notify,
    /// Wakes whoever publishes announcements, when there are some.
    pub(crate) collected: Notify,
    /// The same for webhooks.
    pub(crate) announced: Notify,
    /// Memory for sources.
    pub(crate) sources: Admission,
    /// Cancelled when nothing new is to begin.
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when what is still running is to be handed back.
    pub(crate) abandon: CancellationToken,
}

impl Worker {
    pub(crate) fn new(deps: Deps, shutdown: CancellationToken) -> std::io::Result<Self> {
        let renders_max = deps.config.child_renders_max;
        let renders = Admission::of_bytes(deps.config.render_bytes());
        let pool = Pool::new(deps.child.clone(), deps.limits.clone(), deps.sandbox.clone(), renders_max, renders)?;
        let sources = Admission::of_bytes(deps.config.source_bytes());
        let (dependencies, abandon) = (Dependencies::new(), CancellationToken::new());
        let (news, collected, announced) = (Notify::new(), Notify::new(), Notify::new());
        Ok(Self { deps, dependencies, pool, news, collected, announced, sources, shutdown, abandon })
    }

    /// Done with: it will not come again. When the queue is away it does come again, and finds nothing to do.
    pub(crate) async fn ack(&self, delivery: Delivery) {
        if let Err(error) = self.dependencies.queue.note(delivery.ack().await) {
            tracing::debug!(error = chain(&error), "a delivery could not be acked");
        }
    }

    /// Hands it back, to anybody.
    pub(crate) async fn release(&self, delivery: Delivery) {
        // When that fails the connection is gone, which hands it back as well.
        if let Err(error) = self.dependencies.queue.note(delivery.release().await) {
            tracing::debug!(error = chain(&error), "a delivery could not be released");
        }
    }

    /// Puts the message into the parking queue, then acks it; waits while the queue is away, because a message is
    /// acked only when it is safe elsewhere. `false` when it was handed back instead.
    pub(crate) async fn park(&self, delivery: Delivery, reason: &ParkingReason) -> bool {
        let parking = || self.deps.queue.park(&delivery.message, reason);
        match self.dependencies.queue.patiently(&self.shutdown, parking).await {
            Ok(()) => {
                tracing::warn!(parking.code = reason.code, "message parked: {}", reason.reason);
                self.ack(delivery).await;
                return true;
            }
            Err(Unanswered::Stopped) => {}
            Err(Unanswered::Refused(error)) => {
                tracing::error!(error = chain(&error), parking.code = reason.code, "a message could not be parked");
                let _ = tokio::time::timeout(UNPARKABLE_PAUSE, self.shutdown.cancelled()).await;
            }
        }
        self.release(delivery).await;
        false
    }
}
