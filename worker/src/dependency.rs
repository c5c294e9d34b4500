//! What the worker depends on: each outage is logged once and waited out with growing pauses.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::ports::blob_store::BlobError;
use shared::ports::state_store::StoreError;
use shared::ports::work_queue::QueueError;
use tokio_util::sync::CancellationToken;

/// First pause between two tries of the same call; doubled every time.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause, so that work goes on soon after an outage.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// One thing that the worker depends on, and whether it answers.
#[derive(Debug)]
pub(crate) struct Dependency {
    name: &'static str,
    away_since: Mutex<Option<Instant>>,
}

/// Everything that the worker depends on.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) database: Dependency,
    pub(crate) queue: Dependency,
    pub(crate) blobs: Dependency,
    pub(crate) sources: Dependency,
}

impl Dependencies {
    pub(crate) fn new() -> Self {
        Self {
            database: Dependency::new("database"),
            queue: Dependency::new("queue"),
            blobs: Dependency::new("blobs"),
            sources: Dependency::new("sources"),
        }
    }
}

impl Dependency {
    fn new(name: &'static str) -> Self {
        Self { name, away_since: Mutex::new(None) }
    }

    /// It did not answer: logged for the first time in an outage. Adapters count every time.
    pub(crate) fn failed(&self, error: &dyn Error) {
        let mut away_since = self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        if away_since.is_none() {
            *away_since = Some(Instant::now());
            tracing::warn!(
                dependency = self.name,
                error = chain(error),
                "{} is away: going on when it is back",
                self.name
            );
        }
    }

    /// It answered: the end of an outage, if there was one.
    pub(crate) fn answered(&self) {
        let away_since = self.away_since.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(since) = away_since {
            let away_ms = since.elapsed().as_millis() as u64;
            tracing::info!(dependency = self.name, away_ms, "{} is back", self.name);
        }
    }

    /// Notes whether it answered, and hands the answer on.
    pub(crate) fn note<T, E: MayBeAway>(&self, answer: Result<T, E>) -> Result<T, E> {
        match &answer {
            Err(error) if error.is_away() => self.failed(error),
            Err(_) | Ok(_) => self.answered(),
        }
        answer
    }

    /// Calls until there is an answer, pausing while the dependency is away, until `stop` is cancelled. A call that has
    /// begun is never interrupted, so what it did is known.
    pub(crate) async fn patiently<T, E: MayBeAway, Call: Future<Output = Result<T, E>>>(
        &self,
        stop: &CancellationToken,
        mut call: impl FnMut() -> Call,
    ) -> Result<T, Unanswered<E>> {
        let mut pause = Pause::new();
        loop {
            match self.note(call().await) {
                Ok(answer) => return Ok(answer),
                Err(error) if !error.is_away() => return Err(Unanswered::Refused(error)),
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Err(Unanswered::Stopped),
                () = tokio::time::sleep(pause.next()) => {}
            }
        }
    }
}

/// Why [`Dependency::patiently`] has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered<E> {
    /// Waiting was given up.
    Stopped,
    /// It answered, with an error that waiting does not mend.
    Refused(E),
}

/// Pauses that double up to a bound, each spread by half so that what failed together does not come back together.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Pause {
    pub(crate) fn new() -> Self {
        Self(PAUSE_MIN)
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(0.5 + 0.5 * rand::random::<f64>());
        self.0 = (self.0 * 2).min(PAUSE_MAX);
        pause
    }
}

/// Errors that may only mean "not now".
pub(crate) trait MayBeAway: Error + Sized + 'static {
    /// Whether the same call may succeed later without anybody changing anything.
    fn is_away(&self) -> bool;
}

impl MayBeAway for StoreError {
    fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::NoSpace(_) | Self::Schema(_) | Self::Refused(_))
    }
}

impl MayBeAway for QueueError {
    fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Full(_))
    }
}

impl MayBeAway for BlobError {
    fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::NoSpace)
    }
}

/// The error with all its causes, without repeating a cause that a message already contains.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> StoreError {
        StoreError::Away("connection refused".into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_out() {
        let database = Dependency::new("database");
        let mut tries = 0;
        let answer = database
            .patiently(&CancellationToken::new(), || {
                tries += 1;
                std::future::ready(if tries < 20 { Err(away()) } else { Ok(tries) })
            })
            .await;
        assert!(matches!(answer, Ok(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_told_and_refusals_are_not_repeated() {
        let database = Dependency::new("database");
        let stop = CancellationToken::new();
        stop.cancel();
        let answer = database.patiently(&stop, || std::future::ready(Err::<(), _>(away()))).await;
        assert!(matches!(answer, Err(Unanswered::Stopped)));
        let mut tries = 0;
        let answer = database
            .patiently(&CancellationToken::new(), || {
                tries += 1;
                std::future::ready(Err::<(), _>(StoreError::NotFound))
            })
            .await;
        assert!(matches!(answer, Err(Unanswered::Refused(StoreError::NotFound))));
        assert_eq!(tries, 1);
    }

    #[test]
    fn pauses_double_and_stay_bounded() {
        let mut pause = Pause::new();
        let pauses: Vec<_> = (0..50).map(|_| pause.next()).collect();
        assert!(pauses[0] <= PAUSE_MIN && pauses[0] >= PAUSE_MIN / 2);
        assert!(pauses[40..].iter().all(|pause| (PAUSE_MAX / 2..=PAUSE_MAX).contains(pause)));
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        assert_eq!(chain(&away()), "the database is away: connection refused");
    }
}
