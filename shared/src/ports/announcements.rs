//! What is told to others: left in an outbox by the transactions that settle, put into a log in one order, read from there.

use std::time::Duration;

use async_trait::async_trait;

use super::state_store::StoreError;
use crate::domain::announcement::{Announcement, Position};
use crate::domain::file::UnixMillis;
use crate::domain::ids::ClaimToken;
use crate::domain::lane::Lane;

/// The log of announcements, and the outbox that feeds it.
///
/// A [`StateStore`](super::state_store::StateStore) fills the outbox in the transactions that settle representations, so
/// that nothing settles without being told and nothing is told that did not happen. [`collect`](Self::collect) moves it to
/// the log, where everything has a position: whoever has read up to a position has missed nothing before it.
#[async_trait]
pub trait AnnouncementLog: Send + Sync + 'static {
    /// Moves the oldest news of the outbox, at most `limit`, to the end of the log, and adds that a version is complete
    /// where nothing of it waits. Any number may call it at once. Returns how many it took from the outbox.
    async fn collect(&self, limit: u32) -> Result<u32, StoreError>;

    /// Announcements after this position, oldest first; at most `limit`.
    async fn after(&self, position: Position, limit: u32) -> Result<Vec<Announcement>, StoreError>;

    /// What the log has now.
    async fn span(&self) -> Result<Span, StoreError>;

    /// The representations that settled last: those of the newest `limit` announcements, not older than `age`.
    async fn service(&self, limit: u32, age: Duration) -> Result<Service, StoreError>;

    /// Who publishes to the exchange: takes that turn for `lease`, when something is to be published and nobody has it.
    /// Returns the position up to which everything was published.
    async fn take_turn(&self, token: &ClaimToken, lease: Duration) -> Result<Option<Position>, StoreError>;

    /// Everything up to `position` was published; the turn goes on for `lease`. `false` when somebody else has it now.
    async fn published(&self, token: &ClaimToken, position: Position, lease: Duration) -> Result<bool, StoreError>;

    /// Ends the turn.
    async fn end_turn(&self, token: &ClaimToken) -> Result<(), StoreError>;

    /// Deletes the oldest announcements that are older than `keep` and that everybody was told; at most `limit`. Returns
    /// how many.
    async fn forget(&self, keep: Duration, limit: u32) -> Result<u64, StoreError>;
}

/// What the log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first position that is still there; the one after the newest when there is none.
    pub oldest: Position,
    /// The newest position there ever was; 0 when there was none.
    pub newest: Position,
    /// Up to where everything was published to the exchange.
    pub published: Position,
}

/// What was served lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// When this was read, by the database's clock.
    pub read_at: UnixMillis,
    /// In no particular order.
    pub served: Vec<Served>,
}

/// A representation that settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// In which lane.
    pub lane: Lane,
    /// When, by the database's clock.
    pub at: UnixMillis,
    /// How long after it had become `pending`.
    pub waited: Duration,
}
