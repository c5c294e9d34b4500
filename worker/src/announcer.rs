//! Tells others: collects the news of the outbox into the log, and publishes the log to the exchange.
//!
//! The two go their own ways, so that a broker that is away holds up neither webhooks nor server-sent events.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use shared::announcement;
use shared::domain::announcement::{Announcement, Position};
use shared::domain::ids::ClaimToken;
use shared::ports::announcements::Span;
use shared::ports::state_store::StoreError;
use shared::ports::work_queue::QueueError;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::dependency::{MayBeAway, chain};
use crate::metrics;
use crate::worker::{Ended, Worker};

/// Time between two looks when nobody calls: what other processes have left is found then.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// News collected in one transaction.
const COLLECT_BATCH: u32 = 200;
/// Announcements published before that is noted: so many may come twice.
const PUBLISH_BATCH: u32 = 64;
/// Announcements whose confirms are waited for at the same time.
const CONFIRMS: usize = 16;
/// Time until the broker is tried again that did not take an announcement.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// How long a turn to publish lasts after the last that was noted; then another worker takes over.
const LEASE: Duration = Duration::from_secs(20);

/// Collects until the worker drains, and once more then: what it has settled last is told at once.
pub(crate) async fn collect(worker: Arc<Worker>) -> Ended {
    let pass = || collect_all(&worker);
    repeat(&worker, &worker.news, pass, "news could not be collected").await;
    Ended::Drained
}

/// Publishes until the worker drains.
pub(crate) async fn publish(worker: Arc<Worker>) -> Ended {
    let pass = || publish_all(&worker);
    repeat(&worker, &worker.collected, pass, "announcements could not be published").await;
    Ended::Drained
}

/// A pass whenever somebody calls, and from time to time.
async fn repeat<Pass: Future<Output = Result<(), StoreError>>>(
    worker: &Worker,
    call: &Notify,
    pass: impl Fn() -> Pass,
    trouble: &str,
) {
    let mut ticks = tokio::time::interval(LOOK_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drains = false;
    while !drains {
        tokio::select! {
            () = worker.shutdown.cancelled() => drains = true,
            () = call.notified() => {}
            _ = ticks.tick() => {}
        }
        if let Err(error) = pass().await {
            report(&error, trouble);
        }
    }
}

async fn collect_all(worker: &Worker) -> Result<(), StoreError> {
    loop {
        let collected = worker.dependencies.database.note(worker.deps.announcements.collect(COLLECT_BATCH).await)?;
        if collected == 0 {
            return Ok(());
        }
        worker.collected.notify_one();
        worker.announced.notify_one();
    }
}

/// One turn: page after page, until there is no more or the broker does not take it. What is published and not noted comes
/// again, to the worker that has the next turn.
async fn publish_all(worker: &Worker) -> Result<(), StoreError> {
    let log = &worker.deps.announcements;
    let token = ClaimToken::new(&worker.deps.worker_name, rand::random());
    let taken = worker.dependencies.database.note(log.take_turn(&token, LEASE).await)?;
    let Some(mut position) = taken else { return Ok(()) };
    let is_taken = loop {
        let page = worker.dependencies.database.note(log.after(position, PUBLISH_BATCH).await)?;
        let Some(last) = page.last().map(|announcement| announcement.position) else { break true };
        let reached = publish_page(worker, &page, position).await;
        if reached > position && !worker.dependencies.database.note(log.published(&token, reached, LEASE).await)? {
            // Too slow: somebody else goes on, from where that one believes we are.
            return Ok(());
        }
        if reached < last || worker.shutdown.is_cancelled() {
            break reached == last;
        }
        if page.len() < PUBLISH_BATCH as usize {
            break true;
        }
        position = reached;
    };
    worker.dependencies.database.note(log.end_turn(&token).await)?;
    if !is_taken {
        // Long enough that an outage of hours does not fill the log.
        let _ = tokio::time::timeout(REFUSED_PAUSE, worker.shutdown.cancelled()).await;
    }
    Ok(())
}

/// Publishes in the order of the log as far as the broker takes it; returns up to where all of it was taken.
async fn publish_page(worker: &Worker, page: &[Announcement], from: Position) -> Position {
    let mut reached = from;
    for some in page.chunks(CONFIRMS) {
        for (announcement, taken) in some.iter().zip(join_all(some.iter().map(|one| announce(worker, one))).await) {
            if !taken {
                return reached;
            }
            reached = announcement.position;
        }
    }
    reached
}

async fn announce(worker: &Worker, announcement: &Announcement) -> bool {
    let message = announcement::message(&announcement.body);
    let id = announcement.position.to_string();
    let announced = worker.deps.queue.announce(&announcement.topic, &id, &message).await;
    if let Err(QueueError::Full(exchange)) = &announced {
        // The broker is there: a queue of somebody else's refuses.
        tracing::warn!("a queue that is bound to {exchange} is full and refuses announcements; all of them wait");
        return false;
    }
    match worker.dependencies.queue.note(announced) {
        Ok(()) => {
            metrics::announced(&announcement.topic);
            true
        }
        Err(error) => {
            report(&error, "an announcement could not be published");
            false
        }
    }
}

/// Measures how much waits to be published.
pub(crate) async fn measure(worker: &Worker) {
    match worker.dependencies.database.note(worker.deps.announcements.span().await) {
        Ok(Span { newest, published, .. }) => {
            metrics::announcements_waiting(u64::try_from(newest - published).unwrap_or(0));
        }
        Err(error) => report(&error, "announcements could not be counted"),
    }
}

/// Outages are told where they begin and end.
fn report<E: MayBeAway>(error: &E, what: &str) {
    if !error.is_away() {
        tracing::error!(error = chain(error), "{what}");
    }
}
