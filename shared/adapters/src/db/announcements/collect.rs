//! From the outbox to the log: under one lock, so that positions appear in order and nobody who reads the log misses any.

use std::collections::BTreeMap;

use sea_orm::{DatabaseTransaction, FromQueryResult, Value};
use shared::announcement;
use shared::domain::announcement::{News, Position};
use shared::domain::failure::FailureCode;
use shared::domain::file::FileState;
use shared::ports::state_store::StoreError;

use crate::db::Database;
use crate::db::convert::{Place, version_id};
use crate::db::error::store_error;
use crate::db::read;
use crate::db::sql::Sql;

#[derive(Debug, FromQueryResult)]
struct OutboxRow {
    id: i64,
    file_version_id: i64,
    at: i64,
    topic: String,
    preset: String,
    code: Option<String>,
    lane: String,
    waited_ms: i64,
}

/// A row of the log to be.
struct Entry<'a> {
    at: i64,
    news: News,
    state: &'a FileState,
    served: Option<(&'a str, i64)>,
}

impl Database {
    pub(super) async fn collect_news(&self, limit: u32) -> Result<u32, StoreError> {
        // Most looks find nothing, and need no transaction for it.
        if oldest(1).all::<OutboxRow>(&self.connection).await?.is_empty() {
            return Ok(0);
        }
        let transaction = self.begin().await?;
        let last: Option<i64> = lock().column(&transaction).await?.pop();
        let last = last.ok_or_else(|| Place::new("announcement_log", 1).impossible("id", "is missing"))?;
        let mut rows: Vec<OutboxRow> = oldest(limit).all(&transaction).await?;
        leave_cut_version(&mut rows, limit);
        if rows.is_empty() {
            // Somebody else has collected them meanwhile.
            transaction.rollback().await.map_err(store_error)?;
            return Ok(0);
        }
        let states = states(&transaction, &rows).await?;
        let entries = entries(&rows, &states);
        if !entries.is_empty() {
            append(last, &entries).run(&transaction).await?;
            advance(last + entries.len() as i64).run(&transaction).await?;
        }
        let taken = rows.len();
        remove(&rows).run(&transaction).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(u32::try_from(taken).unwrap_or(limit))
    }
}

/// What one settle has left is collected together, or its version would be told to be complete twice.
fn leave_cut_version(rows: &mut Vec<OutboxRow>, limit: u32) {
    let is_cut = rows.len() >= limit as usize;
    if let Some(last) = rows.last().map(|row| row.file_version_id).filter(|_| is_cut) {
        let whole = rows.iter().rposition(|row| row.file_version_id != last).map_or(rows.len(), |index| index + 1);
        rows.truncate(whole);
    }
}

pub(in crate::db) fn oldest(limit: u32) -> Sql {
    Sql::new("SELECT id, file_version_id, at, topic, preset, code, lane, waited_ms FROM outbox ORDER BY id LIMIT $1")
        .value(i64::from(limit))
}

/// Whoever collects at the same time waits here until the transaction ends.
fn lock() -> Sql {
    Sql::new("UPDATE announcement_log SET last_position = last_position WHERE id = 1 RETURNING last_position")
}

fn advance(position: Position) -> Sql {
    Sql::new("UPDATE announcement_log SET last_position = $1 WHERE id = 1").value(position)
}

fn remove(rows: &[OutboxRow]) -> Sql {
    Sql::new("DELETE FROM outbox WHERE id IN {ids}").list("ids", rows.iter().map(|row| row.id))
}

/// The versions that the rows are about, as they stand now. Versions that are gone have none; nor has one whose rows
/// somebody's hand has spoilt, which must not hold up the others.
async fn states(on: &DatabaseTransaction, rows: &[OutboxRow]) -> Result<BTreeMap<i64, FileState>, StoreError> {
    let mut versions: Vec<i64> = rows.iter().map(|row| row.file_version_id).collect();
    versions.sort_unstable();
    versions.dedup();
    let by_version = |state: FileState| (state.version.id.get(), state);
    match read::states(on, of_versions(&versions)).await {
        Err(StoreError::Inconsistent { .. }) => {}
        states => return Ok(states?.into_iter().map(by_version).collect()),
    }
    let mut sound = BTreeMap::new();
    for version in versions {
        match read::state_of_version(on, version_id(version)?).await {
            Ok(state) => sound.extend(state.map(by_version)),
            Err(error @ StoreError::Inconsistent { .. }) => {
                tracing::error!(file_version.id = version, error = %error, "its news cannot be told: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sound)
}

pub(in crate::db) fn of_versions(versions: &[i64]) -> Sql {
    let which = "file_version.file_id = file.id WHERE file_version.id IN {versions}";
    Sql::new(read::FILES).part("which", which).list("versions", versions.iter().copied())
}

/// News in the order of the outbox; after the last of a version of which nothing waits, that it is complete.
fn entries<'a>(rows: &'a [OutboxRow], states: &'a BTreeMap<i64, FileState>) -> Vec<Entry<'a>> {
    let last_of: BTreeMap<i64, i64> = rows.iter().map(|row| (row.file_version_id, row.id)).collect();
    let mut entries = Vec::with_capacity(rows.len() + states.len());
    for row in rows {
        let Some(state) = states.get(&row.file_version_id) else { continue };
        match news(row) {
            Some(news) => {
                let served = Some((row.lane.as_str(), row.waited_ms));
                entries.push(Entry { at: row.at, news, state, served });
            }
            None => tracing::error!(outbox.id = row.id, "a row of the outbox says nothing that we know"),
        }
        let is_last = last_of.get(&row.file_version_id) == Some(&row.id);
        if is_last && state.representations.iter().all(|row| row.state.has_settled()) {
            entries.push(Entry { at: row.at, news: News::Completed, state, served: None });
        }
    }
    entries
}

fn news(row: &OutboxRow) -> Option<News> {
    let code = match &row.code {
        Some(code) => Some(FailureCode::from_name(code)?),
        None => None,
    };
    News::from_parts(&row.topic, Some(row.preset.parse().ok()?), code)
}

fn append(last: Position, entries: &[Entry<'_>]) -> Sql {
    let rows = (last + 1..).zip(entries).map(|(position, entry)| -> Vec<Value> {
        vec![
            position.into(),
            entry.at.into(),
            entry.news.topic().into(),
            entry.state.file.id.get().into(),
            entry.state.file.tenant.as_str().into(),
            entry.served.map(|(lane, _)| lane.to_owned()).into(),
            entry.served.map(|(_, waited_ms)| waited_ms).into(),
            announcement::body(position, entry.at, &entry.news, entry.state).into(),
        ]
    });
    Sql::new("INSERT INTO announcement (position, at, topic, file_id, tenant, lane, waited_ms, body) VALUES {entries}")
        .rows("entries", rows)
}
