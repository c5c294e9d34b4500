//! Whose turn it is to render a content that several versions have.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000028_share_renders"
    }
}

/// Set once a version has begun to render its content, or has taken over what another one has made: the claim token of that
/// attempt, and the tenant. Versions of before have neither: nothing is taken over from them.
const STEPS: &[&str] = &[
    "ALTER TABLE file_version ADD COLUMN turn TEXT",
    "ALTER TABLE file_version ADD COLUMN turn_tenant TEXT",
    "CREATE INDEX file_version_turn ON file_version (sha256, turn_tenant, id) WHERE turn IS NOT NULL",
];
const STEPS_BACK: &[&str] = &[
    "DROP INDEX file_version_turn",
    "ALTER TABLE file_version DROP COLUMN turn_tenant",
    "ALTER TABLE file_version DROP COLUMN turn",
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
