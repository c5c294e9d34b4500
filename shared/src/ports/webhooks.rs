//! Webhooks: their rows, and the requests that deliver to them.

use std::time::Duration;

use async_trait::async_trait;

use super::state_store::StoreError;
use crate::domain::announcement::{Announcement, Position};
use crate::domain::ids::ClaimToken;
use crate::domain::webhook::{Secret, Subscription, Webhook, WebhookId};

/// Rows of webhooks, and of deliveries that failed. Every method is one short transaction.
#[async_trait]
pub trait WebhookStore: Send + Sync + 'static {
    /// Makes a webhook. It is told what is announced from now on.
    async fn create(&self, subscription: &Subscription, secret: &Secret) -> Result<Webhook, StoreError>;

    /// One of them.
    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// All of them after the webhook `after` when given, oldest first; at most `limit`.
    async fn webhooks(&self, after: Option<WebhookId>, limit: u32) -> Result<Vec<Webhook>, StoreError>;

    /// Removes one with everything that was to be delivered to it. `false` when there is none.
    async fn remove(&self, id: WebhookId) -> Result<bool, StoreError>;

    /// Switches one off, with the reason, or on: then it goes on where it stopped, at once. `false` when there is none.
    async fn switch(&self, id: WebhookId, off: Option<&str>) -> Result<bool, StoreError>;

    /// Gives it another secret; the one before counts for `grace` longer, and the one before that no more. `None` when there
    /// is none.
    async fn rotate(&self, id: WebhookId, secret: &Secret, grace: Duration) -> Result<Option<Webhook>, StoreError>;

    /// Takes turns, for `lease`, with those that are on, whose pause is over and for whom there is something to deliver; at
    /// most `limit`.
    async fn take_turns(&self, token: &ClaimToken, lease: Duration, limit: u32) -> Result<Vec<Webhook>, StoreError>;

    /// Deliveries to this one that failed and are due again, those that are due for longest first; at most `limit`.
    async fn due_again(&self, id: WebhookId, limit: u32) -> Result<Vec<Tried>, StoreError>;

    /// Writes how a round went and ends the turn. `false` when it was somebody else's by then, and nothing was written.
    async fn end_round(&self, id: WebhookId, token: &ClaimToken, round: &Round) -> Result<bool, StoreError>;
}

/// A delivery that has failed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What is to be delivered; `None` when it is not kept any more.
    pub announcement: Option<Announcement>,
    /// Where it stands in the log.
    pub position: Position,
    /// How often it was tried.
    pub attempts: u32,
}

/// How a round of deliveries to one webhook went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Up to where the log was looked at.
    pub position: Position,
    /// Deliveries that are done with: they succeeded, or were given up.
    pub done: Vec<Position>,
    /// Deliveries to try again.
    pub again: Vec<Again>,
    /// Whether any delivery succeeded.
    pub succeeded: bool,
    /// What the last delivery that failed ran into.
    pub failure: Option<String>,
    /// How long nothing more is delivered.
    pub pause: Duration,
    /// Switched off when every round has failed for so long.
    pub patience: Duration,
    /// The receiver wants nothing more, for good.
    pub is_gone: bool,
}

/// A delivery to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Of what.
    pub position: Position,
    /// How often it was tried.
    pub attempts: u32,
    /// How long to wait.
    pub wait: Duration,
}

/// Posts to webhooks. Never to addresses that the configuration does not allow, whatever a name resolves to and whenever.
#[async_trait]
pub trait WebhookSender: Send + Sync + 'static {
    /// Whether anything could be posted there, as far as can be told without doing it.
    async fn check(&self, url: &str) -> Result<(), Undeliverable>;

    /// Posts once. Redirects are not followed, and no more of the answer is read than is needed; all of it takes a bounded
    /// time.
    async fn post(&self, delivery: &Delivery<'_>) -> Result<Receipt, Undeliverable>;
}

/// One request.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// Where to.
    pub url: &'a str,
    /// The event's id: the same with every try.
    pub id: &'a str,
    /// Unix seconds of this try.
    pub timestamp: u64,
    /// Of id, timestamp and body.
    pub signature: &'a str,
    /// A CloudEvent in structured mode.
    pub body: &'a str,
}

/// What a receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The status of HTTP.
    pub status: u16,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Receipt {
    /// Whether the delivery succeeded.
    pub fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the receiver wants nothing more, for good.
    pub fn is_gone(self) -> bool {
        self.status == 410
    }
}

/// Why nothing could be posted.
#[derive(Debug, thiserror::Error)]
pub enum Undeliverable {
    /// The address is none that we post to.
    #[error("{0}")]
    Refused(String),
    /// The receiver does not answer as it should.
    #[error("{0}")]
    Unreachable(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}
