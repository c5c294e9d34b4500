//! The [`StateStore`] and the [`FileStore`] on PostgreSQL and SQLite, one code path for both.
//!
//! Modules in reading order:
//!
//! - `config`, `connect`, `reach`: section `[database]`, the pool that it opens, and whether anybody listens there.
//! - `migrations`: the schema.
//! - `sql`: a statement with its values; the clock is all that differs between the two databases.
//! - `convert`, `error`: rows and errors in the words of the core.
//! - `collection`: blobs that no row refers to any more.
//! - `renewal`: what is made anew because its preset has changed.
//! - `access`: who may see which file, tokens and logins.
//! - `scan`: how far buckets were looked through.
//! - `parked`: messages that nobody could read.
//! - `register`, `ask`, `claim`, `facts`, `share`, `settle`, `sweep`, `read`, `backlog`: the statements of the [`StateStore`];
//!   `listing`, `change`, `trash`, `removal`: those of the [`FileStore`].
//! - `together`: reads of files at the same moment, by one query, or by none while nothing is committed (`moment`, `kept`).
//! - `announcements`: what is told to others, left by those that settle; `webhooks`: to whom it is posted.
//! - `ledger`: what those statements leave behind, and what failed.

mod access;
mod announcements;
mod ask;
mod backlog;
mod change;
mod claim;
mod collection;
mod config;
mod connect;
mod convert;
mod error;
mod facts;
mod kept;
mod ledger;
mod listing;
mod migrations;
mod moment;
mod parked;
#[cfg(test)]
mod plans;
mod reach;
mod read;
mod register;
mod removal;
mod renewal;
mod scan;
mod settle;
mod share;
mod sql;
mod sweep;
mod together;
mod trash;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::file::{ByteFacts, FileState, NewFileVersion, PictureFacts, Wanted};
use shared::domain::file_change::FileDeletion;
use shared::domain::ids::{ClaimToken, FileId, FileVersionId, Tenant};
use shared::domain::lane::Lane;
use shared::domain::ledger::{AttemptNotes, FailureCount, FailureFilter, FailureGroup, FileLife, Redriven};
use shared::domain::preset::PresetName;
use shared::domain::representation::Outcome;
use shared::ports::file_store::{Change, FileStore, Listing, Parent, SourceRemoval};
use shared::ports::ledger::Ledger;
use shared::ports::state_store::{
    Asked, CensusLine, Claim, DueVersion, LaneBacklog, Registration, SameContent, Shared, Sharing, StateStore,
    StoreError,
};

use reach::Reach;
use together::{Together, Which};

pub use config::Config;
pub use error::{ReadOnly, SchemaMismatch};

/// Tries of one call that PostgreSQL ends because it and another one wait for each other's rows.
const DEADLOCK_TRIES_MAX: u32 = 5;

/// The database: a pool of connections.
#[derive(Debug, Clone)]
pub struct Database {
    connection: DatabaseConnection,
    call_timeout: Duration,
    read_timeout: Duration,
    reach: Reach,
    together: Arc<Together>,
}

impl Database {
    /// Opens the database. SQLite's file and its directory are made when missing; the schema is left as it is.
    pub async fn connect(config: &Config) -> Result<Self, StoreError> {
        let connection = connect::open(config).await;
        error::count(&connection);
        let call_timeout = config.acquire_timeout() + connect::STATEMENT_TIMEOUT;
        Ok(Self {
            connection: connection?,
            call_timeout,
            read_timeout: config.acquire_timeout(),
            reach: connect::reach(config),
            together: Arc::new(Together::new(connect::moments(config))),
        })
    }

    /// Closes every connection and waits until they are.
    pub async fn close(self) -> Result<(), StoreError> {
        self.together.close().await?;
        self.connection.close().await.map_err(error::store_error)
    }

    /// A transaction that may write. SQLite takes its write lock at once: taken later, it could only fail.
    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let immediate = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() };
        self.connection.begin_with_options(options).await.map_err(error::store_error)
    }

    async fn bounded<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.bounded_by(self.call_timeout, call).await
    }

    /// Every call of the port runs in here: it ends in time, soon when nobody listens, survives deadlocks, and its error is
    /// counted.
    async fn bounded_by<T, F>(&self, timeout: Duration, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let tries = async {
            for _ in 1..DEADLOCK_TRIES_MAX {
                match call().await {
                    Err(error) if error::is_deadlock(&error) => {}
                    done => return done,
                }
            }
            call().await
        };
        let outcome = tokio::select! {
            biased;
            done = tokio::time::timeout(timeout, tries) => {
                done.unwrap_or_else(|elapsed| Err(StoreError::Away(Box::new(elapsed))))
            }
            refused = self.reach.refused() => Err(refused),
        };
        error::count(&outcome);
        outcome
    }
}

#[async_trait]
impl StateStore for Database {
    async fn register(&self, new: &NewFileVersion) -> Result<Registration, StoreError> {
        self.bounded(|| self.register_version(new)).await
    }

    async fn ask(&self, version: FileVersionId, wanted: &[Wanted], lane: Lane) -> Result<Asked, StoreError> {
        self.bounded(|| self.ask_for(version, wanted, lane)).await
    }

    async fn ask_one_of_few(
        &self,
        version: FileVersionId,
        wanted: &Wanted,
        (prefix, kept_max): (&str, u32),
        lane: Lane,
    ) -> Result<Option<Asked>, StoreError> {
        self.bounded(|| self.ask_within(version, wanted, (prefix, kept_max), lane)).await
    }

    async fn claim(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        self.bounded(|| self.claim_rows(version, token, lease)).await
    }

    async fn extend(&self, token: &ClaimToken, lease: Duration) -> Result<bool, StoreError> {
        self.bounded(|| self.extend_lease(token, lease)).await
    }

    async fn record_bytes(&self, version: FileVersionId, bytes: ByteFacts) -> Result<SameContent, StoreError> {
        self.bounded(|| self.write_bytes(version, bytes)).await
    }

    async fn record_picture(&self, version: FileVersionId, picture: PictureFacts) -> Result<(), StoreError> {
        self.bounded(|| self.write_picture(version, picture)).await
    }

    async fn share(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        bytes: ByteFacts,
        wanted: &[Wanted],
        sharing: Sharing,
    ) -> Result<Shared, StoreError> {
        self.bounded(|| self.share_content(version, token, bytes, wanted, sharing)).await
    }

    async fn settle_attempt(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        outcomes: &[(PresetName, Outcome)],
        notes: &AttemptNotes,
    ) -> Result<Vec<PresetName>, StoreError> {
        self.bounded(|| self.settle_rows(version, token, outcomes, notes)).await
    }

    async fn due(&self, patience: Duration, limit: u32) -> Result<Vec<DueVersion>, StoreError> {
        self.bounded(|| self.wake_due(patience, limit)).await
    }

    async fn give_up_overdue(&self, deadlines: &[(Lane, Duration)], failure: &Failure) -> Result<u64, StoreError> {
        self.bounded(|| self.end_overdue(deadlines, failure)).await
    }

    async fn file(&self, id: FileId) -> Result<Option<FileState>, StoreError> {
        Ok(self.read_together(Which::Current(id)).await?.map(Arc::unwrap_or_clone))
    }

    async fn version(&self, file: FileId, version: FileVersionId) -> Result<Option<FileState>, StoreError> {
        Ok(self.read_together(Which::Version(file, version)).await?.map(Arc::unwrap_or_clone))
    }

    async fn version_with(
        &self,
        file: FileId,
        version: FileVersionId,
        preset: &PresetName,
    ) -> Result<Option<Arc<FileState>>, StoreError> {
        self.read_together(Which::Only(file, version, preset.clone())).await
    }

    async fn file_by_identity(&self, tenant: &Tenant, identity: &str) -> Result<Option<FileState>, StoreError> {
        self.bounded(|| self.read_by_identity(tenant, identity)).await
    }

    async fn files_by_source(
        &self,
        tenant: &Tenant,
        bucket: &str,
        key: &str,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError> {
        self.bounded(|| self.read_by_source(tenant, bucket, key, limit)).await
    }

    async fn recent(&self, before: Option<FileId>, limit: u32) -> Result<Vec<FileState>, StoreError> {
        self.bounded(|| self.read_recent(before, limit)).await
    }

    async fn unsettled(&self, versions: &[FileVersionId]) -> Result<Vec<FileVersionId>, StoreError> {
        self.bounded(|| self.read_unsettled(versions)).await
    }

    async fn backlog(&self) -> Result<Vec<LaneBacklog>, StoreError> {
        self.bounded(|| self.count_backlog()).await
    }

    async fn census(&self) -> Result<Vec<CensusLine>, StoreError> {
        self.bounded(|| self.count_states()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.bounded(|| self.expect_schema()).await
    }
}

#[async_trait]
impl FileStore for Database {
    async fn versions(
        &self,
        file: FileId,
        before: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError> {
        self.bounded(|| self.read_versions(file, before, limit)).await
    }

    async fn files_of(&self, listing: &Listing) -> Result<Vec<FileState>, StoreError> {
        self.bounded(|| self.read_listing(listing)).await
    }

    async fn count_of(&self, parent: &Parent) -> Result<u64, StoreError> {
        self.bounded(|| self.count_files(parent)).await
    }

    async fn file_named(&self, parent: &Parent, name: &str) -> Result<Option<FileState>, StoreError> {
        self.bounded(|| self.read_named(parent, name)).await
    }

    async fn change(&self, file: FileId, change: &Change, revision: Option<u32>) -> Result<(), StoreError> {
        self.bounded(|| self.change_file(file, change, revision)).await
    }

    async fn source_removed(&self, deletion: &FileDeletion) -> Result<SourceRemoval, StoreError> {
        self.bounded(|| self.remove_source(deletion)).await
    }

    async fn purge_trashed(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        self.purge_old(keep, limit).await
    }

    async fn forget_removed(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        self.bounded(|| removal::forget(keep, limit).run(&self.connection)).await
    }
}

#[async_trait]
impl Ledger for Database {
    async fn life(&self, file: FileId) -> Result<Option<FileLife>, StoreError> {
        self.bounded(|| self.read_life(file)).await
    }

    async fn failures(&self, limit: u32) -> Result<Vec<FailureGroup>, StoreError> {
        self.bounded(|| self.group_failures(limit)).await
    }

    async fn count_failures(&self, filter: &FailureFilter) -> Result<FailureCount, StoreError> {
        self.bounded(|| self.count_matching(filter)).await
    }

    async fn redrive(&self, filter: &FailureFilter, lane: Lane, limit: u32) -> Result<Redriven, StoreError> {
        self.bounded(|| self.redrive_matching(filter, lane, limit)).await
    }

    async fn redrive_ended(
        &self,
        code: FailureCode,
        wait: Duration,
        times_max: u32,
        limit: u32,
    ) -> Result<Redriven, StoreError> {
        self.bounded(|| self.redrive_by_schedule(code, wait, times_max, limit)).await
    }

    async fn look_after_dead_wake(&self, version: FileVersionId) -> Result<bool, StoreError> {
        self.bounded(|| self.note_dead_wake(version)).await
    }

    async fn forget_entries(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        self.bounded(|| self.delete_entries(keep, limit)).await
    }
}
