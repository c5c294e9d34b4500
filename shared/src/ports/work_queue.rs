//! The queue: upload events come in, wakes go round. A message only wakes; it never carries a decision.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::ids::{FileVersionId, Tenant};
use crate::domain::lane::Lane;

/// Events from producers, wakes between our own roles, and the parking queue for what nobody can read.
///
/// A delivery that is neither acked nor released comes again when its consumer is gone. Order is not promised, nor
/// that a message comes only once: whoever consumes is idempotent.
#[async_trait]
pub trait WorkQueue: Send + Sync + 'static {
    /// Publishes a wake to its lane and its tenant's shard; returns once the queue has taken responsibility.
    async fn wake(&self, wake: &Wake) -> Result<(), QueueError>;

    /// Publishes an upload event, as a producer would.
    async fn publish_upload(&self, message: &Message) -> Result<(), QueueError>;

    /// Tells others under a topic, one of [`TOPICS`](crate::domain::announcement::TOPICS); returns once the queue has taken
    /// responsibility for everybody who listens. That nobody does is no error.
    async fn announce(&self, topic: &str, id: &str, message: &Message) -> Result<(), QueueError>;

    /// Puts a message that cannot be understood into the parking queue, with its own headers and the reason.
    async fn park(&self, message: &Message, reason: &ParkingReason) -> Result<(), QueueError>;

    /// Starts consuming. At most `prefetch` deliveries are unsettled at a time; what was handed over stays valid.
    async fn subscribe(&self, channel: Channel, prefetch: u16) -> Result<Box<dyn Subscription>, QueueError>;

    /// Whether messages outlive this process. Where they do not, wakes from before its start are known to be lost.
    fn outlives_process(&self) -> bool {
        true
    }

    /// Answers when messages can be published.
    async fn ping(&self) -> Result<(), QueueError>;
}

/// Deliveries as they come. Connection losses are bridged inside: it reconnects and goes on.
#[async_trait]
pub trait Subscription: Send {
    /// The next delivery; `None` once the queue was closed for good. Cancel-safe.
    async fn next(&mut self) -> Option<Delivery>;
}

/// What can be consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Events from producers.
    Uploads,
    /// Wakes of one lane, all its shards in turn.
    Wakes(Lane),
    /// What could not be understood.
    Parking,
    /// Wakes that were delivered too often without being settled.
    DeadWakes,
}

/// "Look at this file version again."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// Which version.
    pub version: FileVersionId,
    /// Whose; decides the shard.
    pub tenant: Tenant,
    /// Which lane.
    pub lane: Lane,
}

impl Wake {
    /// The wake as a message; the lane and the tenant are in the routing, not in the body.
    pub fn to_body(&self) -> Bytes {
        format!(r#"{{"v":1,"file_version_id":"{}"}}"#, self.version).into()
    }

    /// The version that a wake's body names; `None` when it is not a wake.
    pub fn version_in(body: &[u8]) -> Option<FileVersionId> {
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        value.get("file_version_id")?.as_str()?.parse().ok()
    }
}

/// What travels: bytes with headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The body as it was sent.
    pub body: Bytes,
    /// The declared media type of the body.
    pub content_type: Option<String>,
    /// Text headers; values of other types are shown as text.
    pub headers: BTreeMap<String, String>,
}

/// The header that says why a message was parked, in one sentence.
pub const REASON_HEADER: &str = "x-thumbline-reason";
/// The header that says why a message was parked, in one word.
pub const CODE_HEADER: &str = "x-thumbline-code";

/// Why a message was parked; travels in [`CODE_HEADER`] and [`REASON_HEADER`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkingReason {
    /// A stable snake_case word.
    pub code: &'static str,
    /// One sentence for people.
    pub reason: String,
}

/// One arrival of a message. Dropped unsettled, it is released.
pub struct Delivery {
    /// What arrived.
    pub message: Message,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    receipt: Option<Box<dyn Receipt>>,
}

/// How an adapter settles one delivery. Dropping it unused must release the delivery.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// The message is done with.
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
    /// The message is to come again, to anybody.
    async fn release(self: Box<Self>) -> Result<(), QueueError>;
}

impl Delivery {
    /// For adapters: a message with the way to settle it.
    pub fn new(message: Message, redelivered: bool, receipt: Box<dyn Receipt>) -> Self {
        Self { message, redelivered, receipt: Some(receipt) }
    }

    /// Done with: it will not come again. An error means that it may; the work stays idempotent.
    pub async fn ack(mut self) -> Result<(), QueueError> {
        match self.receipt.take() {
            Some(receipt) => receipt.ack().await,
            None => Ok(()),
        }
    }

    /// Hands it back: it will come again, to anybody.
    pub async fn release(mut self) -> Result<(), QueueError> {
        match self.receipt.take() {
            Some(receipt) => receipt.release().await,
            None => Ok(()),
        }
    }
}

/// Why the queue could not do it.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker did not answer, or the connection was lost; the same call may succeed later.
    #[error("the queue is away: {0}")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The broker took the message but has no queue for it.
    #[error("nobody takes messages of {0}: the broker returned it")]
    Unroutable(String),
    /// The queue is full and refuses; what was to be said is still in the rows.
    #[error("the queue {0} is full")]
    Full(String),
    /// The broker has queues or exchanges that differ from what we need, or refuses us; needs an operator.
    #[error("{0}")]
    Misconfigured(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_round_trip_and_other_bodies_are_none() {
        let wake =
            Wake { version: FileVersionId::new(77).unwrap(), tenant: "acme".parse().unwrap(), lane: Lane::Normal };
        assert_eq!(Wake::version_in(&wake.to_body()), Some(wake.version));
        for bad in ["", "{}", "[]", r#"{"file_version_id":77}"#, r#"{"file_version_id":"-1"}"#, "\u{0}"] {
            assert_eq!(Wake::version_in(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
