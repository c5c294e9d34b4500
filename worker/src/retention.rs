//! Section `[retention]` of the configuration, and the timed pass that forgets what is older.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::ports::state_store::StoreError;
use tokio::time::MissedTickBehavior;

use crate::Deps;
use crate::dependency::{MayBeAway as _, chain};
use crate::worker::{Ended, Worker};

/// Ten years.
const DAYS_MAX: u32 = 3650;
/// A webhook's last try comes a day and more after the first.
const ANNOUNCEMENT_DAYS_MIN: u32 = 2;
const DAY: Duration = Duration::from_secs(86_400);
/// Seconds between two passes.
const PASS_SECONDS: u64 = 60;
/// Rows forgotten with one statement, so that none takes long.
const BATCH: u32 = 1000;
/// Files removed for good in one go, each in a transaction of its own.
const PURGE_BATCH: u32 = 100;
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
    /// Days that files and versions stay in the trash before they are removed for good.
    pub trash_days: u32,
    /// Days that a file which was removed for good is known as removed.
    pub removed_days: u32,
    /// Days that bytes which were replaced because their preset has changed are kept for the way back.
    pub former_days: u32,
    /// Days that a message which nobody could read is kept.
    pub parked_days: u32,
}

impl RetentionConfig {
    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        let days = [
            ("ledger_days", self.ledger_days, 1),
            ("announcement_days", self.announcement_days, ANNOUNCEMENT_DAYS_MIN),
            ("trash_days", self.trash_days, 1),
            ("removed_days", self.removed_days, 1),
            ("former_days", self.former_days, 1),
            ("parked_days", self.parked_days, 1),
        ];
        for (key, days, least) in days {
            if !(least..=DAYS_MAX).contains(&days) {
                let remedy = format!("days from {least} to {DAYS_MAX}");
                problems.push(Problem::new(format!("retention.{key}"), days, remedy));
            }
        }
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
        if let Err(error) = pass(&worker).await
            && !error.is_away()
        {
            tracing::error!(error = chain(&error), "what is old could not be deleted");
        }
    }
}

async fn pass(worker: &Worker) -> Result<(), StoreError> {
    let Deps { store, files, parking, announcements, retention, .. } = &worker.deps;
    let days = |days: u32| DAY * days;
    batches(worker, BATCH, "entries of the ledger", || store.forget_entries(days(retention.ledger_days), BATCH))
        .await?;
    let told = || announcements.forget(days(retention.announcement_days), BATCH);
    batches(worker, BATCH, "announcements", told).await?;
    let purging = || files.purge_trashed(days(retention.trash_days), PURGE_BATCH);
    batches(worker, PURGE_BATCH, "files and versions of the trash", purging).await?;
    let forgetting = || files.forget_removed(days(retention.removed_days), BATCH);
    batches(worker, BATCH, "files that were removed", forgetting).await?;
    let forgetting = || store.forget_former(days(retention.former_days), PURGE_BATCH);
    batches(worker, PURGE_BATCH, "replaced representations", forgetting).await?;
    batches(worker, BATCH, "parked messages", || parking.forget_parked(days(retention.parked_days), BATCH)).await
}

/// Deletes batch after batch, as long as they are full.
async fn batches<Call: Future<Output = Result<u64, StoreError>>>(
    worker: &Worker,
    batch: u32,
    what: &str,
    delete: impl Fn() -> Call,
) -> Result<(), StoreError> {
    let mut total = 0;
    for _ in 0..BATCHES_MAX {
        let deleted = worker.dependencies.database.note(delete().await)?;
        total += deleted;
        if deleted < u64::from(batch) || worker.shutdown.is_cancelled() {
            break;
        }
    }
    if total > 0 {
        tracing::info!(rows = total, "{total} {what} were kept for long enough, and are gone");
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
            let (trash_days, removed_days, former_days, parked_days) = (30, 90, 7, 30);
            RetentionConfig { ledger_days, announcement_days, trash_days, removed_days, former_days, parked_days }
                .check(&mut problems);
            problems.len()
        };
        assert_eq!([problems(0, 7), problems(1, 2), problems(90, 7), problems(100_000, 1)], [1, 0, 0, 2]);
    }
}
