//! Section `[retention]` of the configuration, and the timed pass that forgets what is older.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::ports::state_store::StoreError;
use tokio::time::MissedTickBehavior;

use crate::dependency::{MayBeAway as _, chain};
use crate::worker::{Ended, Worker};

/// Ten years.
const DAYS_MAX: u32 = 3650;
/// A webhook's last try comes a day and more after the first.
const ANNOUNCEMENT_DAYS_MIN: u32 = 2;
const DAY: Duration = Duration::from_secs(86_400);
/// Seconds between two passes.
const PASS_SECONDS: u64 = 60;
/// Entries forgotten with one statement, so that none takes long.
const BATCH: u32 = 1000;
/// Full batches in one pass at most: 20,000 entries a minute and worker.
const BATCHES_MAX: usize = 20;

/// How long what happened is remembered. Every field is a key of `config.default.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// Days that attempts and events of files are kept in the ledger.
    pub ledger_days: u32,
    /// Days that announcements are kept, for those who were away.
    pub announcement_days: u32,
}

impl RetentionConfig {
    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        let days = [
            ("ledger_days", self.ledger_days, 1),
            ("announcement_days", self.announcement_days, ANNOUNCEMENT_DAYS_MIN),
        ];
        for (key, days, least) in days {
            if !(least..=DAYS_MAX).contains(&days) {
                let remedy = format!("days from {least} to {DAYS_MAX}");
                problems.push(Problem::new(format!("retention.{key}"), days, remedy));
            }
        }
    }

    fn announcements(&self) -> Duration {
        DAY * self.announcement_days
    }

    fn ledger(&self) -> Duration {
        DAY * self.ledger_days
    }
}

/// Forgets until the worker drains.
pub(crate) async fn forget(worker: Arc<Worker>) -> Ended {
    let mut ticks = tokio::time::interval(Duration::from_secs(PASS_SECONDS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return Ended::Drained,
            _ = ticks.tick() => {}
        }
        report(forget_entries(&worker).await, "old entries of the ledger could not be deleted");
        report(forget_announcements(&worker).await, "old announcements could not be deleted");
    }
}

fn report(forgotten: Result<(), StoreError>, what: &str) {
    if let Err(error) = forgotten
        && !error.is_away()
    {
        tracing::error!(error = chain(&error), "{what}");
    }
}

async fn forget_announcements(worker: &Worker) -> Result<(), StoreError> {
    let keep = worker.deps.retention.announcements();
    for _ in 0..BATCHES_MAX {
        let forgotten = worker.deps.announcements.forget(keep, BATCH).await;
        if worker.dependencies.database.note(forgotten)? < u64::from(BATCH) || worker.shutdown.is_cancelled() {
            break;
        }
    }
    Ok(())
}

async fn forget_entries(worker: &Worker) -> Result<(), StoreError> {
    let keep = worker.deps.retention.ledger();
    for _ in 0..BATCHES_MAX {
        let forgotten = worker.deps.store.forget_entries(keep, BATCH).await;
        if worker.dependencies.database.note(forgotten)? < u64::from(BATCH) || worker.shutdown.is_cancelled() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_retentions_are_refused() {
        let problems = |ledger_days, announcement_days| {
            let mut problems = Vec::new();
            RetentionConfig { ledger_days, announcement_days }.check(&mut problems);
            problems.len()
        };
        assert_eq!([problems(0, 7), problems(1, 2), problems(90, 7), problems(100_000, 1)], [1, 0, 0, 2]);
    }
}
