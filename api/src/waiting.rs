//! Requests that wait until nothing of a version is pending: one query now and then for all of them together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::domain::ids::FileVersionId;
use shared::ports::state_store::StateStore;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest time that a request may wait, in seconds.
pub(crate) const WAIT_SECONDS_MAX: u64 = 60;
/// Time between two looks.
const LOOK_PERIOD: Duration = Duration::from_millis(200);
/// Most versions that are looked at with one statement.
const VERSIONS_PER_LOOK: usize = 500;

/// All requests of this process that wait. They hold neither rows nor connections of the database.
pub(crate) struct WaitingRoom {
    store: Arc<dyn StateStore>,
    seats: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Each tells those who wait for it when nothing of it is pending.
    versions: HashMap<FileVersionId, watch::Sender<bool>>,
    requests: usize,
    somebody_looks: bool,
}

/// A request that waits; dropped, it has left.
struct Seat {
    room: Arc<WaitingRoom>,
    version: FileVersionId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut waiting = self.room.lock();
        waiting.requests -= 1;
        // The receiver is gone already: see `settles`.
        if waiting.versions.get(&self.version).is_some_and(|sender| sender.receiver_count() == 0) {
            waiting.versions.remove(&self.version);
        }
    }
}

impl WaitingRoom {
    pub(crate) fn new(store: Arc<dyn StateStore>, seats: usize) -> Arc<Self> {
        Arc::new(Self { store, seats, waiting: Mutex::default() })
    }

    /// Waits until nothing of the version is pending, or until the deadline. `false` at once when so many wait already that
    /// this request gets no seat: it is answered as things stand.
    pub(crate) async fn settles(self: &Arc<Self>, version: FileVersionId, deadline: Instant) -> bool {
        let Some((seat, mut settled)) = self.enter(version) else { return false };
        let outcome = tokio::time::timeout_at(deadline, settled.wait_for(|settled| *settled)).await;
        let has_settled = matches!(outcome, Ok(Ok(_)));
        drop(outcome);
        drop(settled);
        drop(seat);
        has_settled
    }

    fn enter(self: &Arc<Self>, version: FileVersionId) -> Option<(Seat, watch::Receiver<bool>)> {
        let mut waiting = self.lock();
        if waiting.requests >= self.seats {
            return None;
        }
        waiting.requests += 1;
        let sender = waiting.versions.entry(version).or_insert_with(|| watch::Sender::new(false));
        let receiver = sender.subscribe();
        if !std::mem::replace(&mut waiting.somebody_looks, true) {
            tokio::spawn(Arc::clone(self).look());
        }
        Some((Seat { room: Arc::clone(self), version }, receiver))
    }

    /// Looks until nobody waits any more. An answer that does not come keeps everybody waiting, each to its own deadline.
    async fn look(self: Arc<Self>) {
        while let Some(versions) = self.wanted() {
            tokio::time::sleep(LOOK_PERIOD).await;
            for some in versions.chunks(VERSIONS_PER_LOOK) {
                match self.store.unsettled(some).await {
                    Ok(unsettled) => self.tell(some.iter().filter(|version| !unsettled.contains(version))),
                    Err(error) => tracing::debug!(error = %error, "nobody can say what is pending: {error}"),
                }
            }
        }
    }

    /// What is waited for; `None`, and the end of the looking, when nothing is.
    fn wanted(&self) -> Option<Vec<FileVersionId>> {
        let mut waiting = self.lock();
        waiting.somebody_looks = !waiting.versions.is_empty();
        waiting.somebody_looks.then(|| waiting.versions.keys().copied().collect())
    }

    fn tell<'a>(&self, settled: impl Iterator<Item = &'a FileVersionId>) {
        let mut waiting = self.lock();
        for version in settled {
            // Whoever comes next waits anew: more may have been asked for by then.
            if let Some(sender) = waiting.versions.remove(version) {
                sender.send_replace(true);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
