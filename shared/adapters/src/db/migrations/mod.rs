//! The schema as dated steps, one file each; both databases take the same steps.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use shared::ports::state_store::StoreError;

use super::Database;
use super::error::{SchemaMismatch, store_error};

mod m20261121_000001_create_tables;
mod m20261122_000002_create_ledger;
mod m20261122_000003_create_parked;
mod m20261122_000004_file_life;
mod m20261122_000005_add_placeholders;
mod m20261122_000006_credentials;
mod m20261122_000013_create_scan;
mod m20261122_000023_create_announcements;
mod m20261122_000024_create_webhooks;
mod m20261122_000026_file_removal;
mod m20261122_000027_create_condemned_blobs;
mod m20261122_000028_share_renders;
mod m20261122_000029_create_former;
mod m20261122_000041_add_declared_format;
mod m20261122_000051_add_object_versions;
mod m20261122_000052_rotate_webhook_secrets;
mod m20261122_000053_add_packs;

/// Names the advisory lock that keeps two processes from migrating one PostgreSQL database at the same time.
const LOCK_KEY: i64 = 0x7468_756D_626C_696E; // "thumblin"
/// Longest time that all migrations, or the wait for another process's, may take.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_tables::Migration),
            Box::new(m20261122_000002_create_ledger::Migration),
            Box::new(m20261122_000003_create_parked::Migration),
            Box::new(m20261122_000004_file_life::Migration),
            Box::new(m20261122_000005_add_placeholders::Migration),
            Box::new(m20261122_000006_credentials::Migration),
            Box::new(m20261122_000013_create_scan::Migration),
            Box::new(m20261122_000023_create_announcements::Migration),
            Box::new(m20261122_000024_create_webhooks::Migration),
            Box::new(m20261122_000026_file_removal::Migration),
            Box::new(m20261122_000027_create_condemned_blobs::Migration),
            Box::new(m20261122_000028_share_renders::Migration),
            Box::new(m20261122_000029_create_former::Migration),
            Box::new(m20261122_000041_add_declared_format::Migration),
            Box::new(m20261122_000051_add_object_versions::Migration),
            Box::new(m20261122_000052_rotate_webhook_secrets::Migration),
            Box::new(m20261122_000053_add_packs::Migration),
        ]
    }
}

/// Which way to go.
enum Direction {
    Up,
    Down,
}

impl Database {
    /// Brings the schema up to date: all missing migrations or none. Any number of processes may call it at once:
    /// they pass one after the other, and all but the first find nothing to do. PostgreSQL holds them back with an
    /// advisory lock that ends with the transaction, SQLite with its one writer.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.bounded_by(MIGRATION_TIMEOUT, || self.go(Direction::Up)).await
    }

    /// Takes every migration back, and the data with it.
    pub async fn migrate_down(&self) -> Result<(), StoreError> {
        self.bounded_by(MIGRATION_TIMEOUT, || self.go(Direction::Down)).await
    }

    /// Names of the migrations that are missing, in order; changes nothing. Fails with [`SchemaMismatch::Unknown`]
    /// when the database has migrations that this program does not know.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.bounded(|| self.missing()).await
    }

    /// Fails with [`SchemaMismatch`] unless the schema is the expected one.
    pub(super) async fn expect_schema(&self) -> Result<(), StoreError> {
        let pending = self.missing().await?;
        if pending.is_empty() { Ok(()) } else { Err(StoreError::Schema(Box::new(SchemaMismatch::Behind { pending }))) }
    }

    async fn missing(&self) -> Result<Vec<String>, StoreError> {
        let pending = Migrator::get_pending_migrations_read_only(&self.connection).await.map_err(schema_error)?;
        Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
    }

    async fn go(&self, direction: Direction) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            let patience = format!("SET LOCAL statement_timeout = {}", MIGRATION_TIMEOUT.as_millis());
            transaction.execute_unprepared(&patience).await.map_err(store_error)?;
            let lock = "SELECT pg_advisory_xact_lock($1)";
            let lock = Statement::from_sql_and_values(DbBackend::Postgres, lock, [LOCK_KEY.into()]);
            transaction.execute_raw(lock).await.map_err(store_error)?;
        }
        match direction {
            Direction::Up => Migrator::up(&transaction, None).await,
            Direction::Down => Migrator::down(&transaction, None).await,
        }
        .map_err(schema_error)?;
        transaction.commit().await.map_err(store_error)
    }
}

fn schema_error(error: DbErr) -> StoreError {
    match error {
        // What sea-orm-migration says when the table of migrations names one that it was not given.
        DbErr::Custom(_) => StoreError::Schema(Box::new(SchemaMismatch::Unknown(error))),
        other => store_error(other),
    }
}
