//! The list of condemned blobs: the statements, and the port over them.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use shared::domain::blob_key::BlobKey;
use shared::domain::ids::{ClaimToken, FileVersionId};
use shared::ports::blob_store::StoredBlob;
use shared::ports::collection::{CollectionStore, Condemned, CondemnedBlob, SETTLE_SECONDS_MAX};
use shared::ports::state_store::StoreError;

use super::Database;
use super::convert::{Place, bytes, millis, natural};
use super::error::store_error;
use super::sql::Sql;

#[derive(Debug, FromQueryResult)]
struct TakenRow {
    key: String,
    length_bytes: i64,
}

#[derive(Debug, FromQueryResult)]
struct EntryRow {
    key: String,
    taken_at: Option<i64>,
    deleted_at: Option<i64>,
}

#[derive(Debug, FromQueryResult)]
struct CountRow {
    blobs: i64,
    bytes: i64,
}

#[async_trait]
impl CollectionStore for Database {
    async fn unreferenced(&self, blobs: &[StoredBlob], grace: Duration) -> Result<Vec<StoredBlob>, StoreError> {
        self.bounded(|| self.find_unreferenced(blobs, grace)).await
    }

    async fn condemn(&self, blobs: &[StoredBlob], grace: Duration) -> Result<Vec<StoredBlob>, StoreError> {
        self.bounded(|| async {
            let unreferenced = self.find_unreferenced(blobs, grace).await?;
            if unreferenced.is_empty() {
                return Ok(unreferenced);
            }
            let new: Vec<String> = condemn_leaked(&unreferenced).column(&self.connection).await?;
            Ok(unreferenced.into_iter().filter(|blob| new.contains(&blob.key.to_string())).collect())
        })
        .await
    }

    async fn take_condemned(
        &self,
        grace: Duration,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<CondemnedBlob>, StoreError> {
        self.bounded(|| self.take(grace, lease, limit)).await
    }

    async fn deleted(&self, keys: &[BlobKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let sql =
            "UPDATE condemned_blob SET deleted_at = {now}, condemned_at = NULL, taken_at = NULL WHERE key IN {keys}";
        self.bounded(|| Sql::new(sql).list("keys", texts(keys)).run(&self.connection)).await.map(drop)
    }

    async fn put_again(&self, key: &BlobKey) -> Result<bool, StoreError> {
        let forget = "DELETE FROM condemned_blob WHERE key = $1 AND taken_at IS NULL";
        let is_there = "SELECT key FROM condemned_blob WHERE key = $1";
        self.bounded(|| async {
            Sql::new(forget).value(key.to_string()).run(&self.connection).await?;
            let left: Vec<String> = Sql::new(is_there).value(key.to_string()).column(&self.connection).await?;
            Ok(left.is_empty())
        })
        .await
    }

    async fn forget_deleted(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM condemned_blob WHERE key IN (
                       SELECT key FROM condemned_blob WHERE condemned_at IS NULL AND deleted_at < {now} - $1 LIMIT $2
                   )";
        self.bounded(|| Sql::new(sql).value(millis(keep)).value(i64::from(limit)).run(&self.connection)).await
    }

    async fn count_condemned(&self) -> Result<Condemned, StoreError> {
        let sql = "SELECT count(*) AS blobs, CAST(coalesce(sum(length_bytes), 0) AS BIGINT) AS bytes
                   FROM condemned_blob WHERE condemned_at IS NOT NULL";
        let row: Option<CountRow> = self.bounded(|| Sql::new(sql).first(&self.connection)).await?;
        Ok(row
            .map_or_else(Condemned::default, |row| Condemned { blobs: natural(row.blobs), bytes: natural(row.bytes) }))
    }
}

impl Database {
    async fn find_unreferenced(&self, blobs: &[StoredBlob], grace: Duration) -> Result<Vec<StoredBlob>, StoreError> {
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let now: i64 = Sql::new("SELECT {now}").column(&self.connection).await?.pop().unwrap_or_default();
        let is_old = |blob: &&StoredBlob| blob.modified_at.is_none_or(|at| at <= now - millis(grace));
        let old: Vec<&StoredBlob> = blobs.iter().filter(is_old).collect();
        let keys: Vec<String> = old.iter().map(|blob| blob.key.to_string()).collect();
        let referenced = referenced(&self.connection, &keys).await?;
        Ok(old.into_iter().filter(|blob| !referenced.contains(&blob.key.to_string())).cloned().collect())
    }

    async fn take(&self, grace: Duration, lease: Duration, limit: u32) -> Result<Vec<CondemnedBlob>, StoreError> {
        let transaction = self.begin().await?;
        // From here on each of them is locked: a settle that is about to refer to one waits, and finds it taken.
        let taken: Vec<TakenRow> = take(grace, lease, limit).all(&transaction).await?;
        let keys: Vec<String> = taken.iter().map(|row| row.key.clone()).collect();
        let referenced = referenced(&transaction, &keys).await?;
        if !referenced.is_empty() {
            let sql = Sql::new("DELETE FROM condemned_blob WHERE key IN {keys}");
            sql.list("keys", referenced.iter().cloned()).run(&transaction).await?;
        }
        transaction.commit().await.map_err(store_error)?;
        taken.iter().filter(|row| !referenced.contains(&row.key)).map(condemned).collect()
    }
}

fn condemned(row: &TakenRow) -> Result<CondemnedBlob, StoreError> {
    let key = Place::new("condemned_blob", &row.key).parse("key", &row.key)?;
    Ok(CondemnedBlob { key, length_bytes: natural(row.length_bytes) })
}

fn texts(keys: &[BlobKey]) -> impl Iterator<Item = String> {
    keys.iter().map(ToString::to_string)
}

/// Those of these keys that a row refers to.
async fn referenced(on: &impl ConnectionTrait, keys: &[String]) -> Result<BTreeSet<String>, StoreError> {
    if keys.is_empty() {
        return Ok(BTreeSet::new());
    }
    let found: Vec<String> = references(keys).column(on).await?;
    Ok(found.into_iter().collect())
}

pub(super) fn references(keys: &[String]) -> Sql {
    Sql::new(
        "SELECT blob FROM representation WHERE blob IN {keys}
         UNION SELECT blob FROM page WHERE blob IN {keys}
         UNION SELECT source_blob FROM file_version WHERE source_blob IN {keys}
         UNION SELECT blob FROM former WHERE blob IN {keys}
         UNION SELECT blob FROM former_page WHERE blob IN {keys}",
    )
    .list("keys", keys.iter().cloned())
}

/// What was put, and then no row was written: the grace was over before anybody looked.
fn condemn_leaked(blobs: &[StoredBlob]) -> Sql {
    let rows =
        blobs.iter().map(|blob| -> Vec<Value> { vec![blob.key.to_string().into(), bytes(blob.length_bytes).into()] });
    Sql::new(
        "WITH leaked (key, length_bytes) AS (VALUES {blobs})
         INSERT INTO condemned_blob (key, length_bytes, since, condemned_at)
         SELECT key, length_bytes, 0, {now} FROM leaked WHERE true
         ON CONFLICT (key) DO UPDATE SET since = 0, condemned_at = {now} WHERE condemned_blob.condemned_at IS NULL
         RETURNING key",
    )
    .rows("blobs", rows)
}

/// Condemns everything that the versions of this condition on `file_version` refer to; `$1` is the id in it. Comes before
/// their rows are deleted, in the same transaction. What other rows refer to as well is found out when the grace is over.
pub(super) fn condemn_versions(which: &str, id: i64) -> Sql {
    let freed = condemn_of(
        "SELECT source_blob AS key, 0 AS packed_offset, coalesce(file_version.length_bytes, 0) AS length_bytes
         FROM file_version WHERE {which} AND source_blob IS NOT NULL
         UNION ALL
         SELECT blob, packed_offset, representation.length_bytes
         FROM representation JOIN file_version ON file_version.id = representation.file_version_id
         WHERE {which} AND blob IS NOT NULL
         UNION ALL
         SELECT blob, packed_offset, page.length_bytes
         FROM page JOIN file_version ON file_version.id = page.file_version_id WHERE {which}
         UNION ALL
         SELECT blob, packed_offset, former.length_bytes
         FROM former JOIN file_version ON file_version.id = former.file_version_id WHERE {which}
         UNION ALL
         SELECT blob, packed_offset, former_page.length_bytes
         FROM former_page JOIN file_version ON file_version.id = former_page.file_version_id WHERE {which}",
    );
    Sql::new(&freed).part("which", which).value(id)
}

/// Condemns what a selection of `key`, `packed_offset` and `length_bytes` finds, from now on. A pack is as long as the last of its
/// pages that is found.
pub(super) fn condemn_of(selection: &str) -> String {
    format!(
        "INSERT INTO condemned_blob (key, length_bytes, since, condemned_at)
         SELECT key, max(coalesce(packed_offset, 0) + length_bytes), {{now}}, {{now}} FROM ({selection}) AS freed
         WHERE true GROUP BY key ORDER BY key
         ON CONFLICT (key) DO UPDATE SET since = {{now}}, condemned_at = {{now}} WHERE condemned_blob.taken_at IS NULL"
    )
}

/// Of the entries whose grace is over, those that were not condemned just now, and that nobody has taken.
pub(super) fn take(grace: Duration, lease: Duration, limit: u32) -> Sql {
    Sql::new(
        "UPDATE condemned_blob SET taken_at = {now}
         WHERE key IN (
             SELECT key FROM condemned_blob
             WHERE condemned_at IS NOT NULL AND since <= {now} - $1 AND {takeable} ORDER BY since LIMIT $4
         ) AND {takeable}
         RETURNING key, length_bytes",
    )
    .part("takeable", "condemned_at <= {now} - $2 AND (taken_at IS NULL OR taken_at <= {now} - $3)")
    .value(millis(grace))
    .value(millis(Duration::from_secs(SETTLE_SECONDS_MAX)))
    .value(millis(lease))
    .value(i64::from(limit))
}

/// Whoever is about to write rows that refer to these blobs calls this in the same transaction, before it commits: takes
/// them off the list, and returns those that are lost. Under a claim a blob that was deleted before the claim began was
/// put since; without one nobody knows.
pub(super) async fn secure(
    on: &impl ConnectionTrait,
    keys: &[String],
    claim: Option<(FileVersionId, &ClaimToken)>,
) -> Result<Vec<String>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let entries: Vec<EntryRow> = entries(keys).all(on).await?;
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let claimed_at = match claim {
        Some((version, token)) => claimed_at(version, token).column::<i64>(on).await?.pop(),
        None => None,
    };
    let was_put_since = |row: &EntryRow| row.deleted_at.is_none_or(|at| claimed_at.is_some_and(|claimed| claimed > at));
    let (safe, mut lost): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|row| row.taken_at.is_none() && was_put_since(row));
    for row in safe {
        // Somebody may have taken it meanwhile; the condition is looked at again under the lock of the entry.
        let spared = Sql::new("DELETE FROM condemned_blob WHERE key = $1 AND taken_at IS NULL");
        if spared.value(row.key.as_str()).run(on).await? == 0 {
            lost.push(row);
        }
    }
    Ok(lost.into_iter().map(|row| row.key).collect())
}

pub(super) fn entries(keys: &[String]) -> Sql {
    Sql::new("SELECT key, taken_at, deleted_at FROM condemned_blob WHERE key IN {keys} ORDER BY key")
        .list("keys", keys.iter().cloned())
}

fn claimed_at(version: FileVersionId, token: &ClaimToken) -> Sql {
    Sql::new("SELECT claimed_at FROM representation WHERE file_version_id = $1 AND lease_token = $2 LIMIT 1")
        .value(version.get())
        .value(token.as_str())
}
