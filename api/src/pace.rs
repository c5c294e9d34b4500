//! How long a client should wait before it looks again: what `shared::pace` tells, read anew now and then.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::domain::file::FileState;
use shared::domain::lane::Lane;
use shared::domain::preset::PresetName;
use shared::pace::Pace;
use shared::ports::announcements::AnnouncementLog;
use shared::ports::state_store::{StateStore, StoreError};

/// Shortest and longest wait that is asked for, in seconds.
const WAIT_SECONDS: RangeInclusive<u64> = 1..=30;
/// Age at which the pace is read anew: many clients poll, one of them pays for it.
const PACE_AGE_MAX: Duration = Duration::from_secs(1);
/// Representations that were served last, of which the rate is made.
const SERVED_MAX: u32 = 1000;
/// What was served longer ago says nothing of now.
const SERVED_AGE_MAX: Duration = Duration::from_secs(600);

/// The pace, shared by all requests of this process.
pub(crate) struct Clock {
    store: Arc<dyn StateStore>,
    announcements: Arc<dyn AnnouncementLog>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// With the moment when it was read; `None` while the database does not tell.
    pace: Option<(Arc<Pace>, Instant)>,
    /// When it was asked for last.
    asked_at: Option<Instant>,
}

/// The value of `Retry-After` for it.
pub(crate) fn retry_after_seconds(eta: Duration) -> u64 {
    let seconds = eta.as_secs() + u64::from(eta.subsec_nanos() > 0);
    seconds.clamp(*WAIT_SECONDS.start(), *WAIT_SECONDS.end())
}

impl Clock {
    pub(crate) fn new(store: Arc<dyn StateStore>, announcements: Arc<dyn AnnouncementLog>) -> Self {
        Self { store, announcements, known: Mutex::default() }
    }

    /// Milliseconds until nothing of the version waits; `None` when nothing does, or when the database does not tell.
    pub(crate) async fn eta_ms(&self, file: &FileState) -> Option<u64> {
        if file.representations.iter().all(|row| row.state.has_settled()) {
            return None;
        }
        let (pace, read_at) = self.pace().await?;
        let eta = pace.eta_of(&file.representations, read_at.elapsed())?;
        Some(u64::try_from(eta.as_millis()).unwrap_or(u64::MAX))
    }

    /// Seconds for `Retry-After` of one representation that somebody waits for, and that is on the interactive lane
    /// therefore. Without an answer from the database it is the longest wait: this is no time for more questions.
    pub(crate) async fn retry_after_seconds(&self, file: &FileState, preset: &PresetName) -> u64 {
        let Some((pace, read_at)) = self.pace().await else { return *WAIT_SECONDS.end() };
        let row = file.representation(preset).filter(|row| row.lane == Lane::Interactive && !row.state.has_settled());
        let eta = match row {
            Some(row) => pace.eta_of(std::slice::from_ref(row), read_at.elapsed()).unwrap_or_default(),
            // Asked for a moment ago: a newcomer of that lane.
            None => pace.eta(Lane::Interactive, Duration::ZERO, 1),
        };
        retry_after_seconds(eta)
    }

    /// The pace as it was a moment ago. The one who finds it too old reads it, the others use the old one meanwhile.
    async fn pace(&self) -> Option<(Arc<Pace>, Instant)> {
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.asked_at.is_some_and(|at| at.elapsed() < PACE_AGE_MAX) {
                return known.pace.clone();
            }
            known.asked_at = Some(Instant::now());
        }
        let read = match self.read().await {
            Ok(pace) => Some((Arc::new(pace), Instant::now())),
            Err(error) => {
                tracing::debug!(error = %error, "no backlog to estimate a wait from: {error}");
                None
            }
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).pace.clone_from(&read);
        read
    }

    async fn read(&self) -> Result<Pace, StoreError> {
        let service = self.announcements.service(SERVED_MAX, SERVED_AGE_MAX);
        let (backlog, service) = futures_util::future::try_join(self.store.backlog(), service).await?;
        Ok(Pace::new(&backlog, &service))
    }
}
