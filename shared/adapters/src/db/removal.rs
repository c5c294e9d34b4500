//! What retention removes for good: files and versions that were in the trash for long enough, then what is left of them.

use std::time::Duration;

use sea_orm::DatabaseTransaction;
use shared::domain::ids::FileVersionId;
use shared::domain::ledger::EntryKind;
use shared::ports::state_store::StoreError;

use super::change::{LockedFile, lock_trashed, purge};
use super::convert::{millis, version_id};
use super::error::store_error;
use super::ledger::{NewEntry, write};
use super::sql::Sql;
use super::{Database, collection};

impl Database {
    /// File after file, each in a transaction of its own.
    pub(super) async fn purge_old(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        let files: Vec<i64> = self.bounded(|| trashed_files(keep, limit).column(&self.connection)).await?;
        let mut purged = 0;
        for file in files {
            purged += self.bounded(|| self.purge_file(file, keep)).await?;
        }
        let versions: Vec<i64> = self.bounded(|| trashed_versions(keep, limit).column(&self.connection)).await?;
        for version in versions {
            purged += self.bounded(|| self.purge_version(version, keep)).await?;
        }
        Ok(purged)
    }

    /// Unless somebody has restored it since it was found.
    async fn purge_file(&self, file: i64, keep: Duration) -> Result<u64, StoreError> {
        let transaction = self.begin().await?;
        let Some(file) = lock_trashed(file, keep).first::<LockedFile>(&transaction).await? else { return Ok(0) };
        purge(&transaction, &file).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(1)
    }

    async fn purge_version(&self, version: i64, keep: Duration) -> Result<u64, StoreError> {
        let version = version_id(version)?;
        let transaction = self.begin().await?;
        // The file's lock comes first, as everywhere.
        lock_file_of(version).run(&transaction).await?;
        let still_there = still_trashed(version, keep).column::<i64>(&transaction).await?;
        if still_there.is_empty() {
            return Ok(0);
        }
        remove_version(&transaction, version).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(1)
    }
}

/// Its blobs are condemned, its entries go with it, and the version that its file shows keeps word of it.
pub(super) async fn remove_version(on: &DatabaseTransaction, version: FileVersionId) -> Result<(), StoreError> {
    collection::condemn_versions("file_version.id = $1", version.get()).run(on).await?;
    let shown = "SELECT file.current_version_id FROM file JOIN file_version ON file_version.file_id = file.id
                 WHERE file_version.id = $1 AND file.current_version_id <> $1";
    let shown: Vec<i64> = Sql::new(shown).value(version.get()).column(on).await?;
    for shown in shown {
        let gone = NewEntry::new(version_id(shown)?, EntryKind::Purged).reason(&format!("version {version}"));
        write(on, &[gone]).await?;
    }
    Sql::new("DELETE FROM file_version WHERE id = $1").value(version.get()).run(on).await.map(|_| ())
}

pub(super) fn trashed_files(keep: Duration, limit: u32) -> Sql {
    let sql = "SELECT id FROM file
               WHERE trashed_at IS NOT NULL AND current_version_id IS NOT NULL AND trashed_at <= {now} - $1
               ORDER BY trashed_at LIMIT $2";
    Sql::new(sql).value(millis(keep)).value(i64::from(limit))
}

pub(super) fn trashed_versions(keep: Duration, limit: u32) -> Sql {
    let sql = "SELECT id FROM file_version WHERE trashed_at IS NOT NULL AND trashed_at <= {now} - $1
               ORDER BY trashed_at LIMIT $2";
    Sql::new(sql).value(millis(keep)).value(i64::from(limit))
}

fn still_trashed(version: FileVersionId, keep: Duration) -> Sql {
    Sql::new("SELECT id FROM file_version WHERE id = $1 AND trashed_at <= {now} - $2")
        .value(version.get())
        .value(millis(keep))
}

fn lock_file_of(version: FileVersionId) -> Sql {
    let sql = "UPDATE file SET modified_at = modified_at
               WHERE id = (SELECT file_id FROM file_version WHERE file_version.id = $1)";
    Sql::new(sql).value(version.get())
}

pub(super) fn forget(keep: Duration, limit: u32) -> Sql {
    let sql = "DELETE FROM file WHERE id IN (
                   SELECT id FROM file
                   WHERE trashed_at IS NOT NULL AND current_version_id IS NULL
                     AND coalesce(purged_at, trashed_at) <= {now} - $1
                   ORDER BY coalesce(purged_at, trashed_at) LIMIT $2
               ) AND current_version_id IS NULL";
    Sql::new(sql).value(millis(keep)).value(i64::from(limit))
}
