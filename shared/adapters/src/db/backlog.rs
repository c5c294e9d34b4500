//! Counts for people and metrics: what is waiting, and how many rows stand where.

use std::time::Duration;

use sea_orm::FromQueryResult;
use shared::domain::lane::Lane;
use shared::ports::state_store::{CensusLine, LaneBacklog, StoreError};

use super::Database;
use super::convert::{duration, natural};
use super::sql::Sql;

#[derive(Debug, FromQueryResult)]
struct LaneRow {
    lane: String,
    pending: i64,
    oldest_ms: i64,
}

#[derive(Debug, FromQueryResult)]
struct StateRow {
    state: String,
    failure_code: Option<String>,
    number: i64,
}

impl Database {
    pub(super) async fn count_backlog(&self) -> Result<Vec<LaneBacklog>, StoreError> {
        let rows: Vec<LaneRow> = lanes().all(&self.connection).await?;
        let backlog = |lane: Lane| match rows.iter().find(|row| row.lane == lane.name()) {
            Some(row) => LaneBacklog { lane, pending: natural(row.pending), oldest: duration(row.oldest_ms) },
            None => LaneBacklog { lane, pending: 0, oldest: Duration::ZERO },
        };
        Ok(Lane::ALL.into_iter().map(backlog).collect())
    }

    /// Reads the whole table: for people, not for every second.
    pub(super) async fn count_states(&self) -> Result<Vec<CensusLine>, StoreError> {
        let sql = Sql::new(
            "SELECT state, CASE WHEN state = 'error' THEN code END AS failure_code, count(*) AS number
             FROM representation GROUP BY 1, 2 ORDER BY 1, 2",
        );
        let rows: Vec<StateRow> = sql.all(&self.connection).await?;
        let line = |row: StateRow| CensusLine { state: row.state, code: row.failure_code, rows: natural(row.number) };
        Ok(rows.into_iter().map(line).collect())
    }
}

pub(super) fn lanes() -> Sql {
    Sql::new(
        "SELECT lane, count(*) AS pending, {now} - min(pending_since) AS oldest_ms
         FROM representation WHERE state IN ('pending', 'viewable') GROUP BY lane",
    )
}
