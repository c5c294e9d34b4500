//! Opens the pool of connections, with everything set that keeps a wait bounded.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnectionMetadata;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxPostgresConnector, SqlxSqliteConnector};
use shared::ports::state_store::StoreError;

use super::config::{Config, Location};
use super::error::{read_only, store_error};
use super::moment::Moments;
use super::reach::Reach;

/// Longest time that one statement may take; ours take milliseconds.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that was used a moment ago is not asked whether it still lives: that would double every statement's way.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Rows that SQLite may read before somebody takes them: more than any query of ours has.
const ROWS_AHEAD: usize = 2048;

/// Opens the database; fails when it cannot be reached within the acquire timeout.
pub(super) async fn open(config: &Config) -> Result<DatabaseConnection, StoreError> {
    match config.location().map_err(|reason| StoreError::Away(reason.into()))? {
        Location::Sqlite(path) => open_sqlite(config, &path).await,
        Location::Postgres(options) => open_postgres(config, *options).await,
    }
}

/// Where the server listens.
pub(super) fn reach(config: &Config) -> Reach {
    match config.location() {
        Ok(Location::Postgres(options)) => Reach::of(&options),
        Ok(Location::Sqlite(_)) | Err(_) => Reach::File,
    }
}

/// How the database is asked whether anything was committed.
pub(super) fn moments(config: &Config) -> Moments {
    match config.location() {
        Ok(Location::Sqlite(path)) => Moments::of_sqlite(sqlite_options(config, &path)),
        Ok(Location::Postgres(_)) | Err(_) => Moments::Postgres,
    }
}

async fn open_sqlite(config: &Config, path: &Path) -> Result<DatabaseConnection, StoreError> {
    if let Some(parent) = path.parent() {
        tokio::fs::create_dir_all(parent).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::NoSpace(Box::new(error)),
            _ => StoreError::Away(Box::new(error)),
        })?;
    }
    expect_writable(path)?;
    let pool = SqlitePoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(config.acquire_timeout())
        .test_before_acquire(false)
        .before_acquire(|connection, used| Box::pin(still_lives(connection, used)))
        .connect_with(sqlite_options(config, path))
        .await
        .map_err(connect_error)?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

fn sqlite_options(config: &Config, path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        // Readers and the one writer do not wait for one another.
        .journal_mode(SqliteJournalMode::Wal)
        // After a power failure the last commits may be gone, but the file is whole; events come again.
        .synchronous(SqliteSynchronous::Normal)
        // The thread that reads a row hands it over; with a small buffer the two take turns after every few rows.
        .row_buffer_size(ROWS_AHEAD)
        .busy_timeout(config.acquire_timeout())
}

async fn open_postgres(config: &Config, options: PgConnectOptions) -> Result<DatabaseConnection, StoreError> {
    let timeout_ms = STATEMENT_TIMEOUT.as_millis().to_string();
    let options = options.application_name("thumbline").options([
        ("statement_timeout", timeout_ms.as_str()),
        // A worker that froze inside a transaction must not keep its locks.
        ("idle_in_transaction_session_timeout", timeout_ms.as_str()),
    ]);
    // The pool would hide why the server cannot be reached behind a timeout of its own.
    let mut first = tokio::time::timeout(config.acquire_timeout(), options.connect())
        .await
        .map_err(|elapsed| StoreError::Away(Box::new(elapsed)))?
        .map_err(connect_error)?;
    expect_primary(&mut first).await?;
    first.close().await.map_err(connect_error)?;
    let pool = PgPoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(config.acquire_timeout())
        .test_before_acquire(false)
        .before_acquire(|connection, used| Box::pin(still_lives(connection, used)))
        .connect_lazy_with(options);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// Asks a connection that nobody has used for a while; one that fails is replaced by the pool.
async fn still_lives<C: sqlx::Connection>(
    connection: &mut C,
    used: PoolConnectionMetadata,
) -> Result<bool, sqlx::Error> {
    if used.idle_for > TRUSTED_FOR {
        connection.ping().await?;
    }
    Ok(true)
}

/// SQLite opens what it may not write, and says so only when somebody writes.
fn expect_writable(path: &Path) -> Result<(), StoreError> {
    match std::fs::OpenOptions::new().append(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            Err(read_only(error))
        }
        Err(error) => Err(StoreError::Away(Box::new(error))),
    }
}

/// A standby, or a server that an operator has set to read-only.
async fn expect_primary(connection: &mut sqlx::PgConnection) -> Result<(), StoreError> {
    let asked = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean";
    let is_read_only: bool = sqlx::query_scalar(asked).fetch_one(connection).await.map_err(connect_error)?;
    if is_read_only { Err(read_only(std::io::Error::other("the server says so"))) } else { Ok(()) }
}

fn connect_error(error: sqlx::Error) -> StoreError {
    store_error(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}
