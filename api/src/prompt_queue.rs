//! The queue as requests see it: a wake is worth a moment and no more, for the row is there and the sweeper finds it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use shared::ports::work_queue::{Channel, Message, ParkingReason, QueueError, Subscription, Wake, WorkQueue};

/// What one wake may cost a request.
const WAKE_PATIENCE: Duration = Duration::from_millis(500);
/// For so long nobody tries again after a wake was too slow: a broker that froze would cost every request its patience.
const RESPITE: Duration = Duration::from_secs(2);

/// A queue whose wakes are quick or not at all.
pub(crate) struct PromptQueue {
    queue: Arc<dyn WorkQueue>,
    slow_at: Mutex<Option<Instant>>,
}

impl PromptQueue {
    pub(crate) fn new(queue: Arc<dyn WorkQueue>) -> Self {
        Self { queue, slow_at: Mutex::new(None) }
    }

    fn is_resting(&self) -> bool {
        let slow_at = *self.slow_at.lock().unwrap_or_else(PoisonError::into_inner);
        slow_at.is_some_and(|at| at.elapsed() < RESPITE)
    }

    fn note(&self, slow_at: Option<Instant>) {
        *self.slow_at.lock().unwrap_or_else(PoisonError::into_inner) = slow_at;
    }
}

#[async_trait]
impl WorkQueue for PromptQueue {
    async fn wake(&self, wake: &Wake) -> Result<(), QueueError> {
        if self.is_resting() {
            return Err(QueueError::Away("it did not answer a moment ago".into()));
        }
        // Given up, the message may still arrive: one wake more does no harm.
        match tokio::time::timeout(WAKE_PATIENCE, self.queue.wake(wake)).await {
            Ok(answer) => {
                self.note(None);
                answer
            }
            Err(_) => {
                self.note(Some(Instant::now()));
                let milliseconds = WAKE_PATIENCE.as_millis();
                Err(QueueError::Away(format!("no answer within {milliseconds} ms").into()))
            }
        }
    }

    async fn publish_upload(&self, message: &Message) -> Result<(), QueueError> {
        self.queue.publish_upload(message).await
    }

    async fn announce(&self, topic: &str, id: &str, message: &Message) -> Result<(), QueueError> {
        self.queue.announce(topic, id, message).await
    }

    async fn park(&self, message: &Message, reason: &ParkingReason) -> Result<(), QueueError> {
        self.queue.park(message, reason).await
    }

    async fn subscribe(&self, channel: Channel, prefetch: u16) -> Result<Box<dyn Subscription>, QueueError> {
        self.queue.subscribe(channel, prefetch).await
    }

    fn outlives_process(&self) -> bool {
        self.queue.outlives_process()
    }

    async fn ping(&self) -> Result<(), QueueError> {
        self.queue.ping().await
    }
}
