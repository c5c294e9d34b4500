//! What the name or the declared type of a version suggests that it is: by that, failures of versions are grouped and found
//! whose header nobody could read.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000041_add_declared_format"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "ALTER TABLE file_version ADD COLUMN declared_format TEXT";
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "ALTER TABLE file_version DROP COLUMN declared_format";
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }
}
