//! Blobs that no row refers to any more, and how to find the rows that refer to a blob.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000027_create_condemned_blobs"
    }
}

/// Condemned while `condemned_at` is set: nothing has referred to it since `since`, and whoever deletes it has set `taken_at`.
/// Afterwards `deleted_at` is kept for a while.
const CONDEMNED: &str = "
CREATE TABLE condemned_blob (
    key TEXT PRIMARY KEY,
    length_bytes BIGINT NOT NULL,
    since BIGINT NOT NULL,
    condemned_at BIGINT,
    taken_at BIGINT,
    deleted_at BIGINT
)";

const INDEXES: &[&str] = &[
    "CREATE INDEX condemned_blob_due ON condemned_blob (since) WHERE condemned_at IS NOT NULL",
    "CREATE INDEX condemned_blob_deleted ON condemned_blob (deleted_at) WHERE condemned_at IS NULL",
];

/// Keys are long and asked for by equality only: PostgreSQL keeps four bytes of each.
const REFERENCES: [(&str, &str, &str); 3] = [
    ("representation_blob", "representation", "blob"),
    ("page_blob", "page", "blob"),
    ("file_version_source_blob", "file_version", "source_blob"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared(CONDEMNED).await?;
        for sql in INDEXES {
            connection.execute_unprepared(sql).await?;
        }
        for (index, table, column) in REFERENCES {
            let sql = match manager.get_database_backend() {
                DbBackend::Postgres => format!("CREATE INDEX {index} ON {table} USING hash ({column})"),
                _ => format!("CREATE INDEX {index} ON {table} ({column}) WHERE {column} IS NOT NULL"),
            };
            connection.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (index, ..) in REFERENCES {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {index}")).await?;
        }
        manager.drop_table(Table::drop().table("condemned_blob").to_owned()).await
    }
}
