//! Equal content: who renders it, and what may be taken over from a version that has it already.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, FromQueryResult};
use shared::domain::file::{ByteFacts, FileState, Wanted};
use shared::domain::ids::{ClaimToken, FileVersionId, Sha256Digest};
use shared::domain::representation::State;
use shared::ports::state_store::{Made, Rest, Shared, Sharing, StoreError};

use super::Database;
use super::convert::{bytes, version_id};
use super::error::store_error;
use super::read::state_of_version;
use super::sql::Sql;

/// Versions that are looked at, the newest: of those that had a turn, hardly any has failed.
const CANDIDATES_MAX: i64 = 32;

#[derive(Debug, FromQueryResult)]
struct CandidateRow {
    id: i64,
    is_live: i64,
    has_failed: i64,
}

#[derive(Debug, FromQueryResult)]
struct MadeRow {
    file_version_id: i64,
    preset: String,
    recipe: String,
}

impl Database {
    pub(super) async fn share_content(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        counted: ByteFacts,
        wanted: &[Wanted],
        sharing: Sharing,
    ) -> Result<Shared, StoreError> {
        let transaction = self.begin().await?;
        let Some(tenant) = tenant_of(version).column::<String>(&transaction).await?.pop() else {
            return Err(StoreError::NotFound);
        };
        let scope = (sharing == Sharing::WithinTenant).then_some(tenant.as_str());
        // One after the other for each content: who comes second sees who came first.
        lock(&transaction, scope, counted.sha256).await?;
        let candidates: Vec<CandidateRow> = candidates(version, counted, scope).all(&transaction).await?;
        let made = made(&transaction, &candidates, wanted).await?;
        let is_made = |wanted: &Wanted| made.iter().any(|made| made.preset == wanted.preset);
        let rest = if wanted.iter().all(is_made) {
            Rest::None
        } else if candidates.iter().any(|candidate| candidate.is_live != 0)
            // Waiting one after the other for what fails every time would keep the last of a thousand copies for hours.
            && !candidates.iter().any(|candidate| candidate.has_failed != 0)
        {
            Rest::Elsewhere
        } else {
            Rest::Mine
        };
        if rest != Rest::Elsewhere {
            take_turn(version, token, &tenant).run(&transaction).await?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(Shared { made, rest })
    }
}

async fn lock(on: &DatabaseTransaction, scope: Option<&str>, digest: Sha256Digest) -> Result<(), StoreError> {
    // SQLite has one writer.
    if on.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let name = Sha256Digest::of(format!("{digest}/{}", scope.unwrap_or_default()).as_bytes());
    let mut key = [0; 8];
    key.copy_from_slice(&name.as_bytes()[..8]);
    let sql = Sql::new("SELECT CAST(pg_advisory_xact_lock($1) AS TEXT)").value(i64::from_be_bytes(key));
    sql.column::<String>(on).await.map(drop)
}

fn tenant_of(version: FileVersionId) -> Sql {
    let sql = "SELECT file.tenant FROM file JOIN file_version ON file_version.file_id = file.id
               WHERE file_version.id = $1";
    Sql::new(sql).value(version.get())
}

/// Other versions with this content that had a turn, the newest first, whether they have it still, and whether anything of
/// them has failed.
pub(super) fn candidates(version: FileVersionId, counted: ByteFacts, scope: Option<&str>) -> Sql {
    let sql = Sql::new(
        "SELECT id, CASE WHEN EXISTS (
             SELECT 1 FROM representation
             WHERE representation.lease_token = file_version.turn AND representation.lease_until > {now}
         ) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS is_live,
         CASE WHEN EXISTS (
             SELECT 1 FROM representation
             WHERE representation.file_version_id = file_version.id AND representation.state = 'error'
         ) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS has_failed
         FROM file_version
         WHERE sha256 = $1 AND turn IS NOT NULL AND length_bytes = $2 AND id <> $3 {scope}
         ORDER BY id DESC LIMIT $4",
    )
    .part("scope", if scope.is_some() { "AND turn_tenant = $5" } else { "" })
    .value(counted.sha256.to_string())
    .value(bytes(counted.length_bytes))
    .value(version.get())
    .value(CANDIDATES_MAX);
    match scope {
        Some(tenant) => sql.value(tenant),
        None => sql,
    }
}

/// What can be taken over: of each preset, made by the recipe that is wanted now.
async fn made(
    on: &DatabaseTransaction,
    candidates: &[CandidateRow],
    wanted: &[Wanted],
) -> Result<Vec<Made>, StoreError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<MadeRow> = successes(candidates.iter().map(|candidate| candidate.id)).all(on).await?;
    let mut donors: BTreeMap<i64, FileState> = BTreeMap::new();
    let mut made = Vec::new();
    for wanted in wanted {
        let fits = |row: &&MadeRow| row.preset == wanted.preset.as_str() && row.recipe == wanted.recipe.as_str();
        let Some(row) = rows.iter().find(fits) else { continue };
        let donor = match donors.entry(row.file_version_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let donor = state_of_version(on, version_id(row.file_version_id)?).await?;
                new.insert(donor.ok_or(StoreError::NotFound)?)
            }
        };
        let row = donor.representation(&wanted.preset);
        if let (Some(State::Success(content)), Some(picture)) = (row.map(|row| &row.state), donor.version.picture) {
            let (preset, content) = (wanted.preset.clone(), content.clone());
            made.push(Made { preset, content, version: donor.version.id, picture });
        }
    }
    Ok(made)
}

pub(super) fn successes(versions: impl IntoIterator<Item = i64>) -> Sql {
    let sql = "SELECT file_version_id, preset, recipe FROM representation
               WHERE file_version_id IN {versions} AND state = 'success' ORDER BY file_version_id DESC";
    Sql::new(sql).list("versions", versions)
}

fn take_turn(version: FileVersionId, token: &ClaimToken, tenant: &str) -> Sql {
    Sql::new("UPDATE file_version SET turn = $2, turn_tenant = $3 WHERE id = $1")
        .value(version.get())
        .value(token.as_str())
        .value(tenant)
}
