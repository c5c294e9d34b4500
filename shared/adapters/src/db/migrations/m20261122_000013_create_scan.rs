//! Cursors of bucket scans.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000013_create_scan"
    }
}

/// A scan is under way while `ended_at` is null; `lease_until` is 0 when nobody has its next page.
const SCAN: &str = "
CREATE TABLE scan (
    name TEXT PRIMARY KEY,
    after_key TEXT,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    lease_until BIGINT NOT NULL,
    listed BIGINT NOT NULL,
    registered BIGINT NOT NULL
)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(SCAN).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("scan").to_owned()).await
    }
}
