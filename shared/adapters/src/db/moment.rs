//! Whether anything was committed since: what both databases can tell for the price of the smallest query.

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, SqliteConnection};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use shared::ports::state_store::StoreError;
use tokio::sync::Mutex;

use super::error::store_error;
use super::sql::Sql;

/// When two of them are equal, nobody has committed anything between them: not in this process and not in another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    /// `data_version` as this connection sees it: SQLite changes it when any other connection has committed.
    Sqlite { connection: u64, version: i64 },
    /// Which transactions have ended. One that writes has a number, and its end changes the snapshot for good.
    Postgres { snapshot: String },
}

/// Asks what moment it is.
#[derive(Debug)]
pub(super) enum Moments {
    /// By a connection that never writes: SQLite does not count what a connection commits itself.
    Sqlite { options: Box<SqliteConnectOptions>, watch: Mutex<Watch> },
    /// By any connection; from PostgreSQL 13 on.
    Postgres,
}

/// A connection that does nothing else.
#[derive(Debug, Default)]
pub(super) struct Watch {
    connection: Option<SqliteConnection>,
    /// How many there were: each counts from where it likes.
    opened: u64,
}

impl Moments {
    /// For SQLite's file.
    pub(super) fn of_sqlite(options: SqliteConnectOptions) -> Self {
        Self::Sqlite { options: Box::new(options), watch: Mutex::default() }
    }

    /// The moment at which this query runs.
    pub(super) async fn now(&self, connection: &DatabaseConnection) -> Result<Moment, StoreError> {
        match self {
            Self::Sqlite { options, watch } => watch.lock().await.now(options).await.map_err(sqlx_error),
            Self::Postgres => {
                let asked = Sql::new("SELECT CAST(pg_current_snapshot() AS text)").column(connection).await?;
                let missing = || StoreError::Away("a query of one row had none".into());
                Ok(Moment::Postgres { snapshot: asked.into_iter().next().ok_or_else(missing)? })
            }
        }
    }

    /// Closes what it has opened.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let Self::Sqlite { watch, .. } = self else { return Ok(()) };
        let Some(connection) = watch.lock().await.connection.take() else { return Ok(()) };
        connection.close().await.map_err(sqlx_error)
    }
}

impl Watch {
    /// A connection that did not answer, or was not waited for, is not asked again.
    async fn now(&mut self, options: &SqliteConnectOptions) -> Result<Moment, sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.opened += 1;
                options.connect().await?
            }
        };
        metrics::counter!(shared::telemetry::STATEMENTS).increment(1);
        let version = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut connection).await?;
        self.connection = Some(connection);
        Ok(Moment::Sqlite { connection: self.opened, version })
    }
}

fn sqlx_error(error: sqlx::Error) -> StoreError {
    store_error(DbErr::Query(RuntimeErr::SqlxError(error.into())))
}
