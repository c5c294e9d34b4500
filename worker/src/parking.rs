//! Parked messages: out of the queue into rows, and back into the queue when an operator wants them read again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::event::MESSAGE_BYTES_MAX;
use shared::ports::parking::{Parked, ParkedMessage};
use shared::ports::work_queue::{CODE_HEADER, Delivery, Message, REASON_HEADER, Subscription};
use tokio::time::MissedTickBehavior;

use crate::dependency::{MayBeAway, Unanswered, chain};
use crate::metrics;
use crate::worker::{Ended, Worker};

/// Unsettled parked messages.
pub(crate) const PARKED_PREFETCH: u16 = 4;
/// Longest body that is kept, bytes. What is longer than a message may be is never read, so its beginning is enough.
const KEPT_BYTES_MAX: usize = MESSAGE_BYTES_MAX;
/// Time between two looks at what is to be replayed.
const REPLAY_PERIOD: Duration = Duration::from_secs(1);
/// Messages replayed in one look.
const REPLAY_BATCH: u32 = 100;
/// What we and brokers add to a message on its way into the parking queue.
const ADDED_HEADERS: [&str; 4] = ["x-thumbline-", "x-death", "x-first-death-", "x-last-death-"];

/// Drains the parking queue into rows until the worker drains. A message is acked once its row is committed.
pub(crate) async fn drain(worker: Arc<Worker>, mut parked: Box<dyn Subscription>) -> Ended {
    loop {
        let next = tokio::select! {
            biased;
            () = worker.shutdown.cancelled() => return Ended::Drained,
            next = parked.next() => next,
        };
        let Some(delivery) = next else { return Ended::QueueClosed };
        keep(&worker, delivery).await;
    }
}

async fn keep(worker: &Worker, delivery: Delivery) {
    let parked = parked(&delivery.message);
    let keeping = || worker.deps.parking.keep(&parked);
    match worker.dependencies.database.patiently(&worker.shutdown, keeping).await {
        Ok(()) => worker.ack(delivery).await,
        Err(unanswered) => {
            if let Unanswered::Refused(error) = unanswered {
                tracing::error!(error = chain(&error), parking.code = parked.code, "a parked message has no row");
            }
            worker.release(delivery).await;
        }
    }
}

/// The message as it came, and the reason out of the headers that brought it.
fn parked(message: &Message) -> ParkedMessage {
    let mut original = message.clone();
    let code = original.headers.remove(CODE_HEADER).unwrap_or_else(|| "unknown".to_owned());
    let reason = original.headers.remove(REASON_HEADER).unwrap_or_else(|| "nothing says why".to_owned());
    let length_bytes = original.body.len() as u64;
    if original.body.len() > KEPT_BYTES_MAX {
        original.body = Bytes::copy_from_slice(&original.body[..KEPT_BYTES_MAX]);
    }
    ParkedMessage { message: original, length_bytes, code, reason }
}

/// Publishes again what operators want replayed, until the worker drains.
pub(crate) async fn replay(worker: Arc<Worker>) -> Ended {
    let mut ticks = tokio::time::interval(REPLAY_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return Ended::Drained,
            _ = ticks.tick() => {}
        }
        match worker.dependencies.database.note(worker.deps.parking.to_replay(REPLAY_BATCH).await) {
            Ok(waiting) => {
                for parked in &waiting {
                    publish(&worker, parked).await;
                }
            }
            Err(error) => report(&error, "parked messages could not be read"),
        }
    }
}

/// First the message, then the row: between the two it is published twice at worst, which changes nothing.
async fn publish(worker: &Worker, parked: &Parked) {
    let message = as_sent(&parked.parked.message);
    if let Err(error) = worker.dependencies.queue.note(worker.deps.queue.publish_upload(&message).await) {
        return report(&error, "a parked message could not be published again");
    }
    match worker.dependencies.database.note(worker.deps.parking.replayed(parked.id).await) {
        Ok(()) => tracing::info!(parked.id = parked.id, parking.code = parked.parked.code, "message replayed"),
        Err(error) => report(&error, "a replayed message could not be removed"),
    }
}

/// The message without what was added since it was sent.
fn as_sent(message: &Message) -> Message {
    let mut sent = message.clone();
    sent.headers.retain(|name, _| !ADDED_HEADERS.iter().any(|added| name.starts_with(added)));
    sent
}

/// Outages are told where they begin and end.
fn report<E: MayBeAway>(error: &E, what: &str) {
    if !error.is_away() {
        tracing::error!(error = chain(error), "{what}");
    }
}

/// Measures how much is parked.
pub(crate) async fn measure(worker: &Worker) {
    match worker.dependencies.database.note(worker.deps.parking.count().await) {
        Ok(count) => metrics::parked(count),
        Err(error) => report(&error, "parked messages could not be counted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &[(&str, &str)], length: usize) -> Message {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Message { body: vec![b'x'; length].into(), headers, ..Message::default() }
    }

    #[test]
    fn the_reason_leaves_the_headers_and_long_bodies_are_cut() {
        let kept = parked(&message(&[(CODE_HEADER, "not_json"), (REASON_HEADER, "why"), ("own", "1")], 3));
        assert_eq!((kept.code.as_str(), kept.reason.as_str(), kept.is_cut()), ("not_json", "why", false));
        assert_eq!(kept.message, message(&[("own", "1")], 3));
        let long = parked(&message(&[], KEPT_BYTES_MAX + 1));
        assert_eq!((long.is_cut(), long.message.body.len()), (true, KEPT_BYTES_MAX));
    }

    #[test]
    fn only_the_senders_headers_are_sent_again() {
        let waited = message(&[("x-death", "[]"), ("x-first-death-queue", "q"), ("ce-type", "t")], 1);
        assert_eq!(as_sent(&waited), message(&[("ce-type", "t")], 1));
    }
}
