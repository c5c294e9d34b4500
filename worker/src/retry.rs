//! Section `[retry]` of the configuration, and what follows from a failure: again later, or the end.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::domain::failure::{Disposition, Failure, FailureCode};
use shared::domain::lane::Lane;
use shared::domain::representation::Outcome;
use shared::domain::retry::RetrySchedule;

/// A week: whatever has not succeeded by then never will.
const DEADLINE_SECONDS_MAX: u64 = 7 * 86_400;

/// The wait is doubled every time, so that more would be years.
const REDRIVES_MAX: u32 = 10;

/// How often and how long a failed attempt is tried again. Every field is a key of `config.default.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// Waits after the first, second, … failed attempt, in seconds; the last one from then on.
    pub schedule_seconds: RetrySchedule,
    /// Attempts ended by the death of the render child before the file version is given up.
    pub crashes_max: u32,
    /// Seconds for a source that was announced to appear in its bucket.
    pub source_grace_seconds: u64,
    /// Seconds from the first attempt until a representation that did not succeed ends, in the interactive lane.
    pub deadline_interactive_seconds: u64,
    /// The same for the normal lane.
    pub deadline_normal_seconds: u64,
    /// The same for the heavy lane.
    pub deadline_heavy_seconds: u64,
    /// The same for the backfill lane.
    pub deadline_backfill_seconds: u64,
    /// Times that a representation which ended at its deadline is tried anew by itself.
    pub redrives_max: u32,
    /// Seconds after the deadline until the first of those; doubled with each.
    pub redrive_after_seconds: u64,
}

/// What is known of a row whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Attempts begun, this one included.
    pub attempts: u32,
    /// Earlier attempts that ended with the death of the render child.
    pub crashes: u32,
    /// Since the first attempt began, by the database's clock.
    pub since_first_attempt: Duration,
}

impl RetryConfig {
    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        let mut refuse = |key: String, value: u64, remedy: String| {
            problems.push(Problem::new(format!("retry.{key}"), value, remedy));
        };
        if !(1..=100).contains(&self.crashes_max) {
            refuse("crashes_max".into(), self.crashes_max.into(), "from 1 to 100".into());
        }
        if self.redrives_max > REDRIVES_MAX {
            refuse("redrives_max".into(), self.redrives_max.into(), format!("from 0 to {REDRIVES_MAX}"));
        }
        if !(1..=DEADLINE_SECONDS_MAX).contains(&self.redrive_after_seconds) {
            let remedy = format!("seconds from 1 to {DEADLINE_SECONDS_MAX}");
            refuse("redrive_after_seconds".into(), self.redrive_after_seconds, remedy);
        }
        if self.source_grace_seconds > DEADLINE_SECONDS_MAX {
            let remedy = format!("at most {DEADLINE_SECONDS_MAX} seconds");
            refuse("source_grace_seconds".into(), self.source_grace_seconds, remedy);
        }
        for (lane, deadline) in self.deadlines() {
            if !(1..=DEADLINE_SECONDS_MAX).contains(&deadline.as_secs()) {
                let remedy = format!("seconds from 1 to {DEADLINE_SECONDS_MAX}");
                refuse(format!("deadline_{}_seconds", lane.name()), deadline.as_secs(), remedy);
            }
        }
    }

    /// The deadline of every lane, counted from the first attempt.
    pub fn deadlines(&self) -> [(Lane, Duration); 4] {
        Lane::ALL.map(|lane| {
            let seconds = match lane {
                Lane::Interactive => self.deadline_interactive_seconds,
                Lane::Normal => self.deadline_normal_seconds,
                Lane::Heavy => self.deadline_heavy_seconds,
                Lane::Backfill => self.deadline_backfill_seconds,
            };
            (lane, Duration::from_secs(seconds))
        })
    }

    pub(crate) fn redrive_after(&self) -> Duration {
        Duration::from_secs(self.redrive_after_seconds)
    }

    /// What follows from a failure; `jitter` is random in 0.0..1.0. The deadline is the sweeper's.
    pub fn outcome(&self, failure: Failure, tried: Tried, jitter: f64) -> Outcome {
        let wait = self.schedule_seconds.wait_after(tried.attempts, jitter);
        let missing = failure.code == FailureCode::SourceMissing;
        let grace_left = Duration::from_secs(self.source_grace_seconds).saturating_sub(tried.since_first_attempt);
        match failure.code.disposition() {
            Disposition::GiveUp => Outcome::Error(failure),
            Disposition::Crash if tried.crashes + 1 >= self.crashes_max => Outcome::Error(failure),
            Disposition::Retry if missing && grace_left.is_zero() => Outcome::Error(failure),
            // The last look at a missing source is at the end of its grace, not a whole wait later.
            Disposition::Retry if missing => Outcome::Retry { failure, wait: wait.min(grace_left), excused: false },
            Disposition::Retry | Disposition::Crash => {
                let excused = failure.code == FailureCode::DependencyDown;
                Outcome::Retry { failure, wait, excused }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RetryConfig {
        RetryConfig {
            schedule_seconds: RetrySchedule::try_from(vec![10.0, 40.0]).unwrap(),
            crashes_max: 3,
            source_grace_seconds: 60,
            deadline_interactive_seconds: 900,
            deadline_normal_seconds: 900,
            deadline_heavy_seconds: 7200,
            deadline_backfill_seconds: 86_400,
            redrives_max: 3,
            redrive_after_seconds: 3600,
        }
    }

    fn after(code: FailureCode, attempts: u32, crashes: u32, seconds: u64) -> Outcome {
        let tried = Tried { attempts, crashes, since_first_attempt: Duration::from_secs(seconds) };
        config().outcome(Failure::new(code, "why"), tried, 0.5)
    }

    fn wait(outcome: &Outcome) -> Option<(u64, bool)> {
        match outcome {
            Outcome::Retry { wait, excused, .. } => Some((wait.as_secs(), *excused)),
            Outcome::Error(_)
            | Outcome::Success(_)
            | Outcome::Viewable(_)
            | Outcome::HandBack
            | Outcome::Wait { .. }
            | Outcome::Move { .. } => None,
        }
    }

    #[test]
    fn what_never_will_succeed_ends_at_once() {
        assert_eq!(wait(&after(FailureCode::CorruptSource, 1, 0, 0)), None);
    }

    #[test]
    fn only_time_without_a_dependency_is_excused() {
        assert_eq!(wait(&after(FailureCode::DependencyDown, 9, 0, 9_000)), Some((40, true)));
        assert_eq!(wait(&after(FailureCode::WorkerOverloaded, 1, 0, 0)), Some((10, false)));
    }

    #[test]
    fn a_missing_source_is_looked_for_until_the_end_of_its_grace() {
        assert_eq!(wait(&after(FailureCode::SourceMissing, 1, 0, 0)), Some((10, false)));
        assert_eq!(wait(&after(FailureCode::SourceMissing, 2, 0, 50)), Some((10, false)));
        assert_eq!(after(FailureCode::SourceMissing, 3, 0, 60).code(), Some(FailureCode::SourceMissing));
        assert_eq!(wait(&after(FailureCode::SourceMissing, 3, 0, 60)), None);
    }

    #[test]
    fn the_third_crash_is_the_last() {
        assert!(wait(&after(FailureCode::ChildCrashed, 1, 0, 0)).is_some());
        assert!(wait(&after(FailureCode::ChildTimeout, 9, 1, 0)).is_some());
        assert!(wait(&after(FailureCode::ChildOutOfMemory, 3, 2, 0)).is_none());
    }

    #[test]
    fn absurd_values_are_told_with_their_keys() {
        let mut problems = Vec::new();
        config().check(&mut problems);
        assert!(problems.is_empty());
        let absurd =
            RetryConfig { crashes_max: 0, source_grace_seconds: u64::MAX, deadline_heavy_seconds: 0, ..config() };
        absurd.check(&mut problems);
        let keys: Vec<_> = problems.into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["retry.crashes_max", "retry.source_grace_seconds", "retry.deadline_heavy_seconds"]);
    }
}
