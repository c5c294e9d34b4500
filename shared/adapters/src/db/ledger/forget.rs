//! Retention: old entries go, in bounded batches, the oldest first.

use std::time::Duration;

use shared::ports::state_store::StoreError;

use crate::db::Database;
use crate::db::convert::millis;
use crate::db::sql::Sql;

impl Database {
    pub(in crate::db) async fn delete_entries(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        oldest(keep, limit).run(&self.connection).await
    }
}

/// Looks at the entries with the lowest ids only: ids grow with time, give or take the length of a transaction.
pub(in crate::db) fn oldest(keep: Duration, limit: u32) -> Sql {
    Sql::new(
        "DELETE FROM ledger WHERE id IN (
             SELECT id FROM (SELECT id, at FROM ledger ORDER BY id LIMIT $2) AS oldest WHERE at < {now} - $1
         )",
    )
    .value(millis(keep))
    .value(i64::from(limit))
}
