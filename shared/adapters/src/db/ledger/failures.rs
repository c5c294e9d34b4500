//! What ended as `error`: counted, grouped, and given another chance.

use std::time::Duration;

use sea_orm::{DatabaseTransaction, FromQueryResult};
use shared::domain::failure::FailureCode;
use shared::domain::format::SourceFormat;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::ledger::{EntryKind, FailureCount, FailureFilter, FailureGroup, Redriven};
use shared::ports::state_store::StoreError;

use super::{ChangedRow, NewEntry, changed, write};
use crate::db::Database;
use crate::db::convert::{millis, natural, version_id};
use crate::db::error::store_error;
use crate::db::sql::Sql;

/// Times that the wait of rows that are redriven by themselves is doubled at most.
const DOUBLINGS_MAX: u32 = 16;

#[derive(Debug, FromQueryResult)]
struct CountRow {
    representations: i64,
    versions: i64,
    counted_at: i64,
}

#[derive(Debug, FromQueryResult)]
struct GroupRow {
    format: Option<String>,
    code: String,
    representations: i64,
    versions: i64,
    first_at: i64,
    last_at: i64,
    example: i64,
    reason: Option<String>,
}

impl Database {
    pub(in crate::db) async fn group_failures(&self, limit: u32) -> Result<Vec<FailureGroup>, StoreError> {
        let rows: Vec<GroupRow> = group(limit).all(&self.connection).await?;
        rows.iter().map(failure_group).collect()
    }

    pub(in crate::db) async fn count_matching(&self, filter: &FailureFilter) -> Result<FailureCount, StoreError> {
        let row: Option<CountRow> = count(filter).first(&self.connection).await?;
        let row = row.unwrap_or(CountRow { representations: 0, versions: 0, counted_at: 0 });
        let (representations, versions) = (natural(row.representations), natural(row.versions));
        Ok(FailureCount { representations, versions, counted_at: row.counted_at })
    }

    pub(in crate::db) async fn redrive_matching(
        &self,
        filter: &FailureFilter,
        lane: Lane,
        limit: u32,
    ) -> Result<Redriven, StoreError> {
        let transaction = self.begin().await?;
        let versions: Vec<i64> = find(filter, limit).column(&transaction).await?;
        let redriven = redrive(&transaction, filter, &versions, lane).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(redriven)
    }

    pub(in crate::db) async fn redrive_by_schedule(
        &self,
        code: FailureCode,
        wait: Duration,
        times_max: u32,
        limit: u32,
    ) -> Result<Redriven, StoreError> {
        if times_max == 0 {
            return Ok(Redriven::default());
        }
        let transaction = self.begin().await?;
        let versions: Vec<i64> = scheduled(code, wait, times_max, limit).column(&transaction).await?;
        let rows = if versions.is_empty() {
            Vec::new()
        } else {
            again_by_schedule(code, wait, times_max, &versions).all(&transaction).await?
        };
        let redriven = note(&transaction, &rows, "by itself, as it ended at its deadline").await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(redriven)
    }

    pub(in crate::db) async fn note_dead_wake(&self, version: FileVersionId) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let waiting = Sql::new(
            "UPDATE representation SET woken_at = NULL
             WHERE file_version_id = $1 AND state IN ('pending', 'viewable') AND lease_until IS NULL
             RETURNING file_version_id, preset, lane",
        );
        let rows: Vec<ChangedRow> = waiting.value(version.get()).all(&transaction).await?;
        let entries = changed(&rows, |version| NewEntry::new(version, EntryKind::DeadLettered))?;
        write(&transaction, &entries).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(!rows.is_empty())
    }
}

/// As if never tried; the sweeper wakes it at once. The content of an `error` is empty already.
const AGAIN: &str = "
state = 'pending', settled_at = NULL, pending_since = {now}, due_at = {now}, attempts = 0, crashes = 0,
first_attempt_at = NULL, excused_ms = 0, woken_at = NULL, wakes = 0";

async fn redrive(
    on: &DatabaseTransaction,
    filter: &FailureFilter,
    versions: &[i64],
    lane: Lane,
) -> Result<Redriven, StoreError> {
    if versions.is_empty() {
        return Ok(Redriven::default());
    }
    Sql::new("DELETE FROM quarantine WHERE file_version_id IN {versions}")
        .list("versions", versions.iter().copied())
        .run(on)
        .await?;
    let again = "UPDATE representation SET lane = $1, {again}
                 WHERE file_version_id IN {versions} AND {matches} RETURNING file_version_id, preset, lane";
    let sql = matching(Sql::new(again).part("again", AGAIN).value(lane.name()), filter, 2);
    let rows: Vec<ChangedRow> = sql.list("versions", versions.iter().copied()).all(on).await?;
    note(on, &rows, "redriven by an operator").await
}

async fn note(on: &DatabaseTransaction, rows: &[ChangedRow], why: &str) -> Result<Redriven, StoreError> {
    write(on, &changed(rows, |version| NewEntry::new(version, EntryKind::Redriven).reason(why))?).await?;
    let versions: std::collections::BTreeSet<i64> = rows.iter().map(|row| row.file_version_id).collect();
    Ok(Redriven { representations: rows.len() as u64, versions: versions.len() as u64 })
}

/// What is in the trash waits for its file: tried again, it would only be stopped again. The subquery asks for one row by
/// its id, where a join would read both tables.
pub(in crate::db) const NOT_TRASHED: &str = "
(SELECT coalesce(file_version.trashed_at, file.trashed_at) FROM file_version JOIN file ON file.id = file_version.file_id
 WHERE file_version.id = representation.file_version_id) IS NULL";

/// Rows that failed. What is in the trash did not: it waits to be restored or removed.
const FAILED: &str = "representation.state = 'error' AND representation.code <> 'trashed'";

/// The format that was found, else the one that the name or the declared type suggests: most of what ends as corrupt does
/// so before its header is read.
const FORMAT: &str = "coalesce(file_version.format, file_version.declared_format)";

/// The condition on rows, with values from `$first` on.
fn matching(sql: Sql, filter: &FailureFilter, first: usize) -> Sql {
    let mut conditions = vec![FAILED.to_owned(), NOT_TRASHED.to_owned()];
    let mut values: Vec<sea_orm::Value> = Vec::new();
    let mut also = |condition: &str, value: sea_orm::Value| {
        conditions.push(format!("{condition} ${}", first + values.len()));
        values.push(value);
    };
    if let Some(code) = filter.code {
        also("representation.code =", code.name().into());
    }
    if let Some(preset) = &filter.preset {
        also("representation.preset =", preset.as_str().into());
    }
    if let Some(since) = filter.since {
        also("representation.settled_at >=", since.into());
    }
    if let Some(until) = filter.until {
        also("representation.settled_at <", until.into());
    }
    if let Some(format) = filter.format {
        let number = first + values.len();
        conditions.push(format!(
            "EXISTS (SELECT 1 FROM file_version
                     WHERE file_version.id = representation.file_version_id AND {FORMAT} = ${number})"
        ));
        values.push(format.name().into());
    }
    values.into_iter().fold(sql.part("matches", &conditions.join(" AND ")), Sql::value)
}

fn count(filter: &FailureFilter) -> Sql {
    let sql = "SELECT count(*) AS representations, count(DISTINCT file_version_id) AS versions, {now} AS counted_at
               FROM representation WHERE {matches}";
    matching(Sql::new(sql), filter, 1)
}

/// Versions with matching rows, those that ended first.
pub(in crate::db) fn find(filter: &FailureFilter, limit: u32) -> Sql {
    let sql = "SELECT file_version_id FROM representation WHERE {matches}
               GROUP BY file_version_id ORDER BY min(settled_at) LIMIT $1";
    matching(Sql::new(sql).value(i64::from(limit)), filter, 2)
}

/// Rows whose time to be redriven by themselves has come: `$2` after they ended, doubled with every time.
const SCHEDULED: &str = "
state = 'error' AND code = $1 AND redrives < $3 AND {not_trashed}
AND settled_at <= {now} - $2 * (CASE WHEN redrives > {doublings} THEN 0 ELSE 1 << CAST(redrives AS INTEGER) END)";

pub(in crate::db) fn scheduled(code: FailureCode, wait: Duration, times_max: u32, limit: u32) -> Sql {
    Sql::new(
        "SELECT DISTINCT file_version_id FROM representation WHERE {scheduled} AND settled_at <= {now} - $2 LIMIT $4",
    )
    .part("scheduled", SCHEDULED)
    .part("not_trashed", NOT_TRASHED)
    .part("doublings", &DOUBLINGS_MAX.to_string())
    .value(code.name())
    .value(millis(wait))
    .value(i64::from(times_max.min(DOUBLINGS_MAX)))
    .value(i64::from(limit))
}

fn again_by_schedule(code: FailureCode, wait: Duration, times_max: u32, versions: &[i64]) -> Sql {
    Sql::new(
        "UPDATE representation SET redrives = redrives + 1, {again}
         WHERE file_version_id IN {versions} AND {scheduled} RETURNING file_version_id, preset, lane",
    )
    .part("again", AGAIN)
    .part("scheduled", SCHEDULED)
    .part("not_trashed", NOT_TRASHED)
    .part("doublings", &DOUBLINGS_MAX.to_string())
    .value(code.name())
    .value(millis(wait))
    .value(i64::from(times_max.min(DOUBLINGS_MAX)))
    .list("versions", versions.iter().copied())
}

/// Reads every row that ended as `error`: for people, not for every second.
fn group(limit: u32) -> Sql {
    Sql::new(
        "SELECT format, code, representations, versions, first_at, last_at, example,
             (SELECT max(one.reason) FROM representation AS one
              WHERE one.file_version_id = example AND one.state = 'error' AND one.code = failed.code) AS reason
         FROM (
             SELECT {format} AS format, representation.code AS code, count(*) AS representations,
                 count(DISTINCT file_version_id) AS versions, min(settled_at) AS first_at, max(settled_at) AS last_at,
                 max(file_version_id) AS example
             FROM representation JOIN file_version ON file_version.id = representation.file_version_id
             WHERE {failed} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $1
         ) AS failed
         ORDER BY representations DESC, format, code",
    )
    .part("format", FORMAT)
    .part("failed", FAILED)
    .value(i64::from(limit))
}

fn failure_group(row: &GroupRow) -> Result<FailureGroup, StoreError> {
    let unknown = |column, value: &String| StoreError::Inconsistent {
        table: "representation",
        column,
        id: row.example.to_string(),
        problem: format!("{value:?} is none we know"),
    };
    let format = |name: &String| SourceFormat::from_name(name).ok_or_else(|| unknown("format", name));
    Ok(FailureGroup {
        format: row.format.as_ref().map(format).transpose()?,
        code: FailureCode::from_name(&row.code).ok_or_else(|| unknown("code", &row.code))?,
        representations: natural(row.representations),
        versions: natural(row.versions),
        first_at: row.first_at,
        last_at: row.last_at,
        example: version_id(row.example)?,
        reason: row.reason.clone().unwrap_or_default(),
    })
}
