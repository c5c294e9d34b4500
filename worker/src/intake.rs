//! From events to rows: reads what producers send, registers it, and acks once the rows are committed.

use std::sync::Arc;

use shared::domain::file::NewFileVersion;
use shared::domain::file_change::AccessChange;
use shared::event::{self, Dialect, Meaning};
use shared::ports::access_store::AccessChanged;
use shared::ports::state_store::StoreError;
use shared::ports::work_queue::{Delivery, Message, ParkingReason, Subscription};
use shared::register::{Registered, register};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::deletion;
use crate::dependency::{Unanswered, chain};
use crate::metrics::{self, EventOutcome};
use crate::worker::{Ended, Worker};

/// Events registered at the same time; each waits for one commit.
const EVENTS_AT_ONCE: usize = 8;
/// Unsettled events; twice what is worked on, so that nobody waits for the broker.
pub(crate) const EVENT_PREFETCH: u16 = 16;

/// Consumes events until the worker drains; what has begun goes on in `tasks`.
pub(crate) async fn consume(worker: Arc<Worker>, mut uploads: Box<dyn Subscription>, tasks: TaskTracker) -> Ended {
    let permits = Arc::new(Semaphore::new(EVENTS_AT_ONCE));
    loop {
        let next = tokio::select! {
            biased;
            () = worker.shutdown.cancelled() => return Ended::Drained,
            next = next_with_permit(&permits, &mut *uploads) => next,
        };
        let Some((permit, delivery)) = next else { return Ended::QueueClosed };
        let span = tracing::info_span!(
            "delivery",
            delivery.channel = "uploads",
            delivery.redelivered = delivery.redelivered,
            traceparent = delivery.message.headers.get("traceparent"),
        );
        let worker = Arc::clone(&worker);
        let taken_in = async move {
            take_in(&worker, delivery).await;
            drop(permit);
        };
        tasks.spawn(taken_in.instrument(span));
    }
}

/// The permit first; giving up while waiting for the event gives the permit back.
async fn next_with_permit(
    permits: &Arc<Semaphore>,
    uploads: &mut dyn Subscription,
) -> Option<(tokio::sync::OwnedSemaphorePermit, Delivery)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    uploads.next().await.map(|delivery| (permit, delivery))
}

/// What became of a message.
enum Verdict {
    /// Everything in it was acted upon.
    Done,
    Park(ParkingReason),
    /// The worker drains before the rows could be made.
    Release,
}

async fn take_in(worker: &Worker, delivery: Delivery) {
    #[cfg(feature = "test-hooks")]
    if shared::test_hooks::breaks(shared::test_hooks::Broken::AckBeforeCommit) {
        let message = delivery.message.clone();
        worker.ack(delivery).await;
        if let (_, Verdict::Park(reason)) = judge(worker, &message).await {
            let _ = worker.deps.queue.park(&message, &reason).await;
        }
        return;
    }
    let (dialect, verdict) = judge(worker, &delivery.message).await;
    match verdict {
        Verdict::Done => worker.ack(delivery).await,
        Verdict::Park(reason) => {
            if worker.park(delivery, &reason).await {
                metrics::event(dialect, EventOutcome::Parked);
            }
        }
        Verdict::Release => worker.release(delivery).await,
    }
}

/// Acts upon everything in the message that can be understood. The first thing that cannot decides what becomes of
/// the message as a whole; replayed later, the rest of it changes nothing.
async fn judge(worker: &Worker, message: &Message) -> (Dialect, Verdict) {
    let event::Intake { dialect, meanings } = event::read(message, &worker.deps.buckets, &worker.deps.presets);
    let mut refused = None;
    for meaning in meanings {
        match act(worker, dialect, meaning).await {
            Ok(outcome) => metrics::event(dialect, outcome),
            Err(NotDone::Parked(reason)) => refused = refused.or(Some(reason)),
            Err(NotDone::Stopped) => return (dialect, Verdict::Release),
        }
    }
    (dialect, refused.map_or(Verdict::Done, Verdict::Park))
}

/// Why something could not be acted upon.
enum NotDone {
    Parked(ParkingReason),
    /// The worker drains.
    Stopped,
}

async fn act(worker: &Worker, dialect: Dialect, meaning: Meaning) -> Result<EventOutcome, NotDone> {
    match meaning {
        Meaning::Register(new) => register_event(worker, &new).await,
        Meaning::ChangeAccess(change) => change_access(worker, &change).await,
        Meaning::Delete(deletion) => deletion::delete(worker, &deletion).await.map_err(not_done),
        Meaning::Park(reason) => Err(NotDone::Parked(reason)),
        Meaning::Ignore(reason) => {
            tracing::debug!(event.dialect = dialect.name(), "event ignored: {reason}");
            Ok(EventOutcome::Ignored)
        }
    }
}

/// Makes the rows. While the database is away the delivery stays in hand: giving it back would only make it come again
/// at once, and count against its deliveries.
async fn register_event(worker: &Worker, new: &NewFileVersion) -> Result<EventOutcome, NotDone> {
    let deps = &worker.deps;
    let registering = || register(&*deps.store, &*deps.queue, new);
    match worker.dependencies.database.patiently(&worker.shutdown, registering).await {
        Ok(registered) => Ok(told(worker, new, &registered)),
        Err(unanswered) => Err(not_done(unanswered)),
    }
}

/// Replaces who may see the file, also of one whose first version is still on its way.
async fn change_access(worker: &Worker, change: &AccessChange) -> Result<EventOutcome, NotDone> {
    let AccessChange { tenant, file_identity, access, occurred_at } = change;
    let changing = || worker.deps.access.change_access(tenant, file_identity, access, *occurred_at);
    match worker.dependencies.database.patiently(&worker.shutdown, changing).await {
        Ok(AccessChanged::Applied | AccessChanged::Remembered) => {
            tracing::info!(%tenant, file.identity = file_identity, "who may see a file was changed");
            Ok(EventOutcome::Applied)
        }
        Ok(AccessChanged::Superseded) => {
            tracing::debug!(%tenant, file.identity = file_identity, "a change of access came after a later one");
            Ok(EventOutcome::Ignored)
        }
        Err(unanswered) => Err(not_done(unanswered)),
    }
}

fn not_done(unanswered: Unanswered<StoreError>) -> NotDone {
    match unanswered {
        Unanswered::Stopped => NotDone::Stopped,
        Unanswered::Refused(error) => {
            let reason = format!("the rows could not be made: {}", chain(&error));
            NotDone::Parked(ParkingReason { code: "not_registered", reason })
        }
    }
}

fn told(worker: &Worker, new: &NewFileVersion, registered: &Registered) -> EventOutcome {
    if let Some(error) = &registered.wake_failure {
        worker.dependencies.queue.failed(error);
    }
    let rows = &registered.registration;
    let outcome = if rows.is_new { EventOutcome::Registered } else { EventOutcome::Duplicate };
    tracing::info!(
        file.id = %rows.file_id,
        file_version.id = %rows.version_id,
        tenant = %new.tenant,
        source = new.source.display(),
        lane = new.lane.name(),
        current = rows.is_current,
        outcome = outcome.name(),
        "file version {} {}",
        rows.version_id,
        outcome.name(),
    );
    outcome
}
