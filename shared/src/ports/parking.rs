//! Messages that nobody could read, kept in rows until an operator has looked at them.

use std::time::Duration;

use async_trait::async_trait;

use super::state_store::StoreError;
use super::work_queue::Message;
use crate::domain::file::UnixMillis;

/// Parked messages. The queue's parking channel is drained into here, so that they can be listed, replayed and dropped.
///
/// A worker publishes what is to be replayed again and removes its row; parked once more, it is a row again.
#[async_trait]
pub trait ParkingStore: Send + Sync + 'static {
    /// Keeps a message. The same bytes with the same headers again are the same row: it only counts them.
    async fn keep(&self, message: &ParkedMessage) -> Result<(), StoreError>;

    /// Rows, newest first, before the row `before` when given; at most `limit`.
    async fn list(&self, filter: &ParkedFilter, before: Option<i64>, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// One row.
    async fn get(&self, id: i64) -> Result<Option<Parked>, StoreError>;

    /// Marks rows for replay; returns how many. Rows whose body was cut cannot be replayed and are left out.
    async fn request_replay(&self, filter: &ParkedFilter) -> Result<u64, StoreError>;

    /// Rows marked for replay, oldest first; at most `limit`.
    async fn to_replay(&self, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// Removes a row that was replayed; one that was parked again meanwhile stays.
    async fn replayed(&self, id: i64) -> Result<(), StoreError>;

    /// Removes rows for good; returns how many.
    async fn discard(&self, filter: &ParkedFilter) -> Result<u64, StoreError>;

    /// Removes rows whose message came last longer ago than `keep`, at most `limit`; returns how many.
    async fn forget_parked(&self, keep: Duration, limit: u32) -> Result<u64, StoreError>;

    /// How many rows there are.
    async fn count(&self) -> Result<u64, StoreError>;
}

/// Which parked messages are meant; what is not said is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    /// This row.
    pub id: Option<i64>,
    /// Parked with this code.
    pub code: Option<String>,
}

/// A message with the reason why it was parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// As it came, without the two headers that say why; a body that is too long to keep is cut.
    pub message: Message,
    /// Length of the body as it came, in bytes.
    pub length_bytes: u64,
    /// Why, for machines.
    pub code: String,
    /// Why, for people.
    pub reason: String,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Ours.
    pub id: i64,
    /// What was parked, and why the last time.
    pub parked: ParkedMessage,
    /// How often it came.
    pub times: u64,
    /// When it came first, by the database's clock.
    pub first_at: UnixMillis,
    /// When it came last, by the database's clock.
    pub last_at: UnixMillis,
    /// Whether it waits to be published again.
    pub replay_requested: bool,
}

impl ParkedMessage {
    /// Whether the body was cut.
    pub fn is_cut(&self) -> bool {
        self.message.body.len() as u64 != self.length_bytes
    }
}
