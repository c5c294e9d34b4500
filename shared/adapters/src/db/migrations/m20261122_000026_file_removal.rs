//! When files were removed for good, and what has been in the trash, removed or parked for longest.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000026_file_removal"
    }
}

/// Set while the file has no version any more; the indexes are retention's.
const STEPS: &[&str] = &[
    "ALTER TABLE file ADD COLUMN purged_at BIGINT",
    "CREATE INDEX file_trashed ON file (trashed_at) WHERE trashed_at IS NOT NULL AND current_version_id IS NOT NULL",
    "CREATE INDEX file_removed ON file ((coalesce(purged_at, trashed_at)))
     WHERE trashed_at IS NOT NULL AND current_version_id IS NULL",
    "CREATE INDEX file_version_trashed ON file_version (trashed_at) WHERE trashed_at IS NOT NULL",
    "CREATE INDEX parked_last ON parked (last_at)",
];
const STEPS_BACK: &[&str] = &[
    "DROP INDEX parked_last",
    "DROP INDEX file_version_trashed",
    "DROP INDEX file_removed",
    "DROP INDEX file_trashed",
    "ALTER TABLE file DROP COLUMN purged_at",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in STEPS {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in STEPS_BACK {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}
