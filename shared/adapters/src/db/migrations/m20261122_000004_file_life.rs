//! Files go to the trash and come back, have a name that only one of them can have, and belong to a parent.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000004_file_life"
    }
}

/// `folded_name` is compared byte by byte, so that both databases order names alike. `revision` counts every change,
/// `removed_…` is the order of the removal: only what is newer brings the file back. A purged file is a row in the trash
/// without a current version; it stays, so that a late event of what was purged does not make a file of it again.
const COLUMNS: &[&str] = &[
    "ALTER TABLE file ADD COLUMN revision BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE file ADD COLUMN folded_name TEXT{bytewise} NOT NULL DEFAULT ''",
    "ALTER TABLE file ADD COLUMN name_is_reserved BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE file ADD COLUMN trashed_at BIGINT",
    "ALTER TABLE file ADD COLUMN removed_sequence TEXT",
    "ALTER TABLE file ADD COLUMN removed_occurred_at BIGINT",
    "ALTER TABLE file_version ADD COLUMN trashed_at BIGINT",
    "UPDATE file SET revision = generation, folded_name = lower(name)",
];

const INDEXES: &[&str] = &[
    "CREATE INDEX file_of_parent ON file ((coalesce(parent, '0')), folded_name, id) WHERE trashed_at IS NULL",
    "CREATE UNIQUE INDEX file_reserved_name ON file (tenant, (coalesce(parent, '0')), folded_name)
     WHERE name_is_reserved = 1 AND trashed_at IS NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let bytewise = match manager.get_database_backend() {
            DbBackend::Postgres => " COLLATE \"C\"",
            _ => "",
        };
        for sql in COLUMNS.iter().chain(INDEXES) {
            manager.get_connection().execute_unprepared(&sql.replace("{bytewise}", bytewise)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for index in ["file_reserved_name", "file_of_parent"] {
            connection.execute_unprepared(&format!("DROP INDEX {index}")).await?;
        }
        connection.execute_unprepared("ALTER TABLE file_version DROP COLUMN trashed_at").await?;
        let added =
            ["removed_occurred_at", "removed_sequence", "trashed_at", "name_is_reserved", "folded_name", "revision"];
        for column in added {
            connection.execute_unprepared(&format!("ALTER TABLE file DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}
