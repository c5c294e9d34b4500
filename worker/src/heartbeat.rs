//! Keeps a claim while its work goes on: extends the lease every third of it, and tells when the lease is lost.

use std::sync::Arc;
use std::time::Duration;

use crate::worker::Worker;
use shared::domain::ids::ClaimToken;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A lease that is being extended until this is dropped.
pub(crate) struct Heartbeat {
    lost: CancellationToken,
    _stop: DropGuard,
}

impl Heartbeat {
    /// Begins right after the claim, which was asked for at `asked`: the lease began no earlier.
    pub(crate) fn start(worker: &Arc<Worker>, token: &ClaimToken, asked: Instant) -> Self {
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let beats = beat(Arc::clone(worker), token.clone(), asked, lost.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(beats));
        Self { lost, _stop: stop.drop_guard() }
    }

    /// Cancelled once the lease is not ours any more: whatever is still going on is for nothing.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

async fn beat(worker: Arc<Worker>, token: ClaimToken, asked: Instant, lost: CancellationToken) {
    let lease = worker.deps.config.lease();
    let mut held_until = asked + lease;
    let mut wait = lease / 3;
    loop {
        let asked = Instant::now() + wait;
        // An answer that comes after the lease has run out is as good as none.
        match tokio::time::timeout_at(held_until, pause_and_extend(&worker, &token, lease, wait)).await {
            Ok(Some(true)) => (held_until, wait) = (asked + lease, lease / 3),
            Ok(None) => wait = (lease / 12).min(Duration::from_secs(1)),
            #[cfg(feature = "test-hooks")]
            Ok(Some(false)) | Err(_) if shared::test_hooks::breaks(shared::test_hooks::Broken::NoLeaseCheck) => return,
            Ok(Some(false)) | Err(_) => return lost.cancel(),
        }
    }
}

/// Whether the lease is held still; `None` when the database did not say.
async fn pause_and_extend(worker: &Worker, token: &ClaimToken, lease: Duration, wait: Duration) -> Option<bool> {
    tokio::time::sleep(wait).await;
    worker.dependencies.database.note(worker.deps.store.extend(token, lease).await).ok()
}
