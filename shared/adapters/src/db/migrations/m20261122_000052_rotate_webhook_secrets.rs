//! The secret that a webhook had before, for as long as deliveries are signed with it as well.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000052_rotate_webhook_secrets"
    }
}

const STEPS: &[&str] =
    &["ALTER TABLE webhook ADD COLUMN old_secret TEXT", "ALTER TABLE webhook ADD COLUMN old_secret_until BIGINT"];
const STEPS_BACK: &[&str] =
    &["ALTER TABLE webhook DROP COLUMN old_secret_until", "ALTER TABLE webhook DROP COLUMN old_secret"];

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
