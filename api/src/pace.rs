//! How long a client should wait before it looks again, estimated from the backlog.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::domain::lane::Lane;
use shared::ports::state_store::StateStore;

/// Shortest and longest wait that is asked for, in seconds.
const WAIT_SECONDS: RangeInclusive<u64> = 1..=30;
/// Age at which the estimate is made anew: many clients poll, one of them pays for it.
const ESTIMATE_AGE_MAX: Duration = Duration::from_secs(1);

/// The estimate, shared by all requests of this process.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Estimate>);

#[derive(Debug, Clone, Copy, Default)]
struct Estimate {
    seconds: u64,
    /// When it was made, or began to be made by the request that saw it expire.
    at: Option<Instant>,
}

impl Pace {
    /// Seconds for `Retry-After`. Whoever asks is on the interactive lane, and lanes are first in, first out: the age
    /// of the oldest row there is about what a newcomer will wait, whatever the rate. Without an answer from the
    /// database it is the longest wait: this is no time for more questions.
    pub(crate) async fn retry_after_seconds(&self, store: &dyn StateStore) -> u64 {
        if let Some(seconds) = self.fresh() {
            return bounded(seconds);
        }
        let seconds = oldest_interactive_seconds(store).await;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seconds = seconds;
        bounded(seconds)
    }

    /// The estimate, unless it is for this caller to make it anew; the others use the old one meanwhile.
    fn fresh(&self) -> Option<u64> {
        let mut estimate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if estimate.at.is_some_and(|at| at.elapsed() < ESTIMATE_AGE_MAX) {
            return Some(estimate.seconds);
        }
        estimate.at = Some(Instant::now());
        None
    }
}

fn bounded(seconds: u64) -> u64 {
    seconds.clamp(*WAIT_SECONDS.start(), *WAIT_SECONDS.end())
}

async fn oldest_interactive_seconds(store: &dyn StateStore) -> u64 {
    match store.backlog().await {
        Ok(lanes) => {
            let interactive = lanes.iter().find(|waiting| waiting.lane == Lane::Interactive);
            interactive.map_or(0, |waiting| waiting.oldest.as_secs())
        }
        Err(error) => {
            tracing::debug!(error = %error, "no backlog to estimate a wait from: {error}");
            *WAIT_SECONDS.end()
        }
    }
}
