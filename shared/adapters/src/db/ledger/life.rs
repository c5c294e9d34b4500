//! Reading a file's life back: versions, entries, quarantines.

use sea_orm::FromQueryResult;
use shared::domain::failure::FailureCode;
use shared::domain::file::UnixMillis;
use shared::domain::ids::FileId;
use shared::domain::lane::Lane;
use shared::domain::ledger::{Entry, EntryKind, FileLife, Quarantine};
use shared::ports::state_store::StoreError;

use crate::db::Database;
use crate::db::convert::{duration, version_id};
use crate::db::sql::Sql;

/// Entries that are read of one file, the newest.
const ENTRIES_MAX: i64 = 1000;

#[derive(Debug, FromQueryResult)]
struct EntryRow {
    id: i64,
    file_version_id: i64,
    at: i64,
    kind: String,
    claim: Option<String>,
    lane: Option<String>,
    presets: String,
    code: Option<String>,
    reason: Option<String>,
    wait_ms: Option<i64>,
    stages: Option<String>,
}

#[derive(Debug, FromQueryResult)]
struct QuarantineRow {
    file_version_id: i64,
    at: i64,
    reproducer: String,
}

impl Database {
    pub(in crate::db) async fn read_life(&self, file: FileId) -> Result<Option<FileLife>, StoreError> {
        let versions = crate::db::read::all_versions(&self.connection, file).await?;
        let ids: Vec<i64> = versions.iter().map(|version| version.version.id.get()).collect();
        if ids.is_empty() {
            return self.read_end(file).await;
        }
        let mut rows: Vec<EntryRow> = entries_of(&ids).all(&self.connection).await?;
        let is_cut = rows.len() as i64 > ENTRIES_MAX;
        rows.truncate(ENTRIES_MAX as usize);
        let entries = rows.iter().rev().map(entry).collect::<Result<_, _>>()?;
        let rows: Vec<QuarantineRow> = quarantines_of(&ids).all(&self.connection).await?;
        let quarantines = rows.iter().map(quarantine).collect::<Result<_, _>>()?;
        Ok(Some(FileLife { versions, entries, is_cut, quarantines, purged_at: None, read_at: self.now().await? }))
    }

    /// What is left of a file that was removed for good: the moment.
    async fn read_end(&self, file: FileId) -> Result<Option<FileLife>, StoreError> {
        let sql = Sql::new("SELECT purged_at FROM file WHERE id = $1 AND purged_at IS NOT NULL").value(file.get());
        let Some(purged_at) = sql.column(&self.connection).await?.pop() else { return Ok(None) };
        Ok(Some(FileLife {
            versions: Vec::new(),
            entries: Vec::new(),
            is_cut: false,
            quarantines: Vec::new(),
            purged_at: Some(purged_at),
            read_at: self.now().await?,
        }))
    }

    /// The moment of the database's clock.
    pub(super) async fn now(&self) -> Result<UnixMillis, StoreError> {
        Ok(Sql::new("SELECT {now} AS now").column(&self.connection).await?.pop().unwrap_or_default())
    }
}

/// The newest first, one more than is read.
pub(in crate::db) fn entries_of(versions: &[i64]) -> Sql {
    Sql::new(
        "SELECT id, file_version_id, at, kind, claim, lane, presets, code, reason, wait_ms, stages FROM ledger
         WHERE file_version_id IN {versions} ORDER BY id DESC LIMIT $1",
    )
    .value(ENTRIES_MAX + 1)
    .list("versions", versions.iter().copied())
}

fn quarantines_of(versions: &[i64]) -> Sql {
    Sql::new("SELECT file_version_id, at, reproducer FROM quarantine WHERE file_version_id IN {versions}")
        .list("versions", versions.iter().copied())
}

fn impossible(table: &'static str, column: &'static str, id: i64, problem: String) -> StoreError {
    StoreError::Inconsistent { table, column, id: id.to_string(), problem }
}

fn entry(row: &EntryRow) -> Result<Entry, StoreError> {
    let unknown = |column, value: &str| impossible("ledger", column, row.id, format!("{value:?} is none we know"));
    let lane = |name: &String| Lane::from_name(name).ok_or_else(|| unknown("lane", name));
    let code = |name: &String| FailureCode::from_name(name).ok_or_else(|| unknown("code", name));
    let names = row.presets.split(',').filter(|name| !name.is_empty());
    let presets = names.map(|name| name.parse().map_err(|_| unknown("presets", name)));
    Ok(Entry {
        number: row.id,
        version: version_id(row.file_version_id)?,
        at: row.at,
        kind: EntryKind::from_name(&row.kind).ok_or_else(|| unknown("kind", &row.kind))?,
        claim: row.claim.clone(),
        lane: row.lane.as_ref().map(lane).transpose()?,
        presets: presets.collect::<Result<_, _>>()?,
        code: row.code.as_ref().map(code).transpose()?,
        reason: row.reason.clone(),
        wait: row.wait_ms.map(duration),
        stages: stages(row)?,
    })
}

fn stages(row: &EntryRow) -> Result<Vec<(String, u64)>, StoreError> {
    let Some(json) = &row.stages else { return Ok(Vec::new()) };
    serde_json::from_str(json).map_err(|error| impossible("ledger", "stages", row.id, error.to_string()))
}

fn quarantine(row: &QuarantineRow) -> Result<Quarantine, StoreError> {
    let reproducer = serde_json::from_str(&row.reproducer)
        .map_err(|error| impossible("quarantine", "reproducer", row.file_version_id, error.to_string()))?;
    Ok(Quarantine { version: version_id(row.file_version_id)?, since: row.at, reproducer })
}
