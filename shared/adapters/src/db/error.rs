//! What goes wrong between us and the database, in the port's words.

use std::error::Error;

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};
use shared::ports::state_store::StoreError;
use shared::telemetry::DEPENDENCY_ERRORS;

/// The schema is not the one that this program was built for.
#[derive(Debug, thiserror::Error)]
pub enum SchemaMismatch {
    /// Migrations of this program were not applied yet.
    #[error("the schema is not the expected one, {} is missing: run `thumbline migrate`", pending.join(", "))]
    Behind {
        /// Names of the migrations, in order.
        pending: Vec<String>,
    },
    /// A newer program has migrated the database, or it is not ours at all.
    #[error("the schema is not the expected one, update this program: {0}")]
    Unknown(#[source] DbErr),
}

/// The port's error for an error of sea-orm.
pub(super) fn store_error(error: DbErr) -> StoreError {
    match database_code(&error).as_deref() {
        Some("13") => StoreError::NoSpace(Box::new(error)),    // SQLITE_FULL
        Some("53100") => StoreError::NoSpace(Box::new(error)), // PostgreSQL: disk_full
        _ => StoreError::Away(Box::new(error)),
    }
}

/// Whether a row pointed at a version that is not there (any more).
pub(super) fn is_missing_reference(error: &StoreError) -> bool {
    matches!(database_error(error).and_then(DbErr::sql_err), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}

/// Whether a row would have been the second of its kind.
pub(super) fn is_duplicate(error: &StoreError) -> bool {
    matches!(database_error(error).and_then(DbErr::sql_err), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether PostgreSQL ended the transaction so that another one could go on; the same call succeeds when repeated.
pub(super) fn is_deadlock(error: &StoreError) -> bool {
    let code = database_error(error).and_then(database_code);
    matches!(code.as_deref(), Some("40P01" | "40001"))
}

/// Counts errors of the database itself.
pub(super) fn count<T>(outcome: &Result<T, StoreError>) {
    match outcome {
        Ok(_) | Err(StoreError::NotFound | StoreError::Refused(_)) => {}
        Err(StoreError::Away(_) | StoreError::NoSpace(_) | StoreError::Inconsistent { .. }) => {
            metrics::counter!(DEPENDENCY_ERRORS, "dependency" => "database").increment(1);
        }
    }
}

fn database_error(error: &StoreError) -> Option<&DbErr> {
    match error {
        StoreError::Away(source) | StoreError::NoSpace(source) => {
            (source.as_ref() as &(dyn Error + 'static)).downcast_ref()
        }
        StoreError::NotFound | StoreError::Refused(_) | StoreError::Inconsistent { .. } => None,
    }
}

/// SQLSTATE of PostgreSQL, or the result code of SQLite in decimal.
fn database_code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    match error.as_ref() {
        sqlx::Error::Database(error) => error.code().map(String::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::super::{Config, Database};
    use super::*;

    #[tokio::test]
    async fn a_full_database_has_no_space_and_goes_on_when_there_is_some() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("full.db").display());
        // Limits of this kind are the connection's, so there is only one.
        let config = Config { url, connections_max: 1, acquire_timeout_seconds: 10 };
        let database = Database::connect(&config).await.unwrap();
        database.migrate().await.unwrap();
        let fill = || async {
            let fill = "CREATE TABLE filler AS SELECT randomblob(1000000) AS bytes";
            database.connection.execute_unprepared(fill).await.map_err(store_error)
        };
        database.connection.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let full = fill().await.unwrap_err();
        assert!(matches!(full, StoreError::NoSpace(_)), "{full:?}");
        database.connection.execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
        fill().await.unwrap();
        database.close().await.unwrap();
    }

    #[tokio::test]
    async fn what_the_database_says_stays_in_the_chain_of_sources() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("empty.db").display());
        let config = Config { url, connections_max: 1, acquire_timeout_seconds: 10 };
        let database = Database::connect(&config).await.unwrap();
        let error =
            database.connection.execute_unprepared("SELECT * FROM nowhere").await.map_err(store_error).unwrap_err();
        let mut chain = Vec::new();
        let mut source = error.source();
        while let Some(error) = source {
            chain.push(error.to_string());
            source = error.source();
        }
        assert!(chain.iter().any(|said| said.contains("no such table: nowhere")), "{chain:?}");
        assert!(!is_deadlock(&error) && !is_missing_reference(&error));
        database.close().await.unwrap();
    }
}
