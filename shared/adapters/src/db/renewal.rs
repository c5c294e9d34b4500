//! Preset changes: what was made by which recipe, renewals, and the way back; the statements, and the port over them.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, FromQueryResult, Value};
use shared::domain::announcement::News;
use shared::domain::file::FileState;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::ledger::EntryKind;
use shared::domain::preset::{PresetName, RecipeHash};
use shared::ports::renewal::{RecipeLine, RecipePage, Renewal, RenewalStore, Renewed};
use shared::ports::state_store::StoreError;

use super::Database;
use super::announcements::outbox;
use super::collection::condemn_of;
use super::convert::{Place, millis, natural, version_id};
use super::error::store_error;
use super::ledger::{ChangedRow, NOT_TRASHED, NewEntry, changed, write};
use super::read::state_of_version;
use super::sql::Sql;

/// Versions that are returned for a sample at most.
const SAMPLE_MAX: usize = 20;

#[derive(Debug, FromQueryResult)]
struct LineRow {
    preset: String,
    recipe: String,
    representations: i64,
    renewing: i64,
    bytes: i64,
}

#[derive(Debug, FromQueryResult)]
struct FormerRow {
    file_version_id: i64,
    preset: String,
}

#[async_trait]
impl RenewalStore for Database {
    async fn recipes(&self, after: Option<FileVersionId>, limit: u32) -> Result<RecipePage, StoreError> {
        self.bounded(|| self.read_recipes(after, limit)).await
    }

    async fn stale(
        &self,
        renewals: &[Renewal],
        after: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError> {
        self.bounded(|| self.read_stale(renewals, after, limit)).await
    }

    async fn renew(
        &self,
        renewals: &[Renewal],
        after: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Renewed, StoreError> {
        self.bounded(|| self.begin_renewals(renewals, after, limit)).await
    }

    async fn roll_back(&self, preset: Option<&PresetName>, limit: u32) -> Result<Renewed, StoreError> {
        self.bounded(|| self.put_back(preset, limit)).await
    }

    async fn forget_former(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        self.bounded(|| self.forget_replaced(keep, limit)).await
    }
}

/// Versions in the order of their ids, from `$1` on up to `$2`.
const RANGE: &str = "representation.file_version_id > $1 AND representation.file_version_id <= $2";
/// Rows that a renewal is meant for.
const STALE: &str = "state = 'success' AND (representation.preset, representation.recipe) IN (VALUES {stale})";

impl Database {
    /// Where the page ends that begins after this version; `None` when there is no version any more.
    async fn page_end(&self, after: Option<FileVersionId>, limit: u32) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT max(id) FROM (SELECT id FROM file_version WHERE id > $1 ORDER BY id LIMIT $2) AS page";
        let sql = Sql::new(sql).value(start(after)).value(i64::from(limit));
        Ok(sql.column::<Option<i64>>(&self.connection).await?.pop().flatten())
    }

    async fn read_recipes(&self, after: Option<FileVersionId>, limit: u32) -> Result<RecipePage, StoreError> {
        let Some(end) = self.page_end(after, limit).await? else { return Ok(RecipePage::default()) };
        let rows: Vec<LineRow> = recipes(start(after), end).all(&self.connection).await?;
        let lines = rows.iter().map(line).collect::<Result<_, _>>()?;
        Ok(RecipePage { lines, last: Some(version_id(end)?) })
    }

    async fn read_stale(
        &self,
        renewals: &[Renewal],
        after: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError> {
        let end = self.page_end(after, limit).await?;
        let (Some(end), false) = (end, renewals.is_empty()) else { return Ok(Vec::new()) };
        let found: Vec<i64> = stale_versions(renewals, start(after), end).column(&self.connection).await?;
        // Spread over the page: neighbours tend to be alike.
        let step = found.len().div_ceil(SAMPLE_MAX).max(1);
        let mut states = Vec::new();
        for version in found.into_iter().step_by(step) {
            states.extend(state_of_version(&self.connection, version_id(version)?).await?);
        }
        Ok(states)
    }

    async fn begin_renewals(
        &self,
        renewals: &[Renewal],
        after: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Renewed, StoreError> {
        let Some(end) = self.page_end(after, limit).await? else { return Ok(Renewed::default()) };
        let last = Some(version_id(end)?);
        if renewals.is_empty() {
            return Ok(Renewed { last, ..Renewed::default() });
        }
        let (start, transaction) = (start(after), self.begin().await?);
        keep_former(&transaction, renewals, start, end).await?;
        retarget(renewals, start, end).run(&transaction).await?;
        let rows: Vec<ChangedRow> = renew(renewals, start, end).all(&transaction).await?;
        write(&transaction, &changed(&rows, |version| NewEntry::new(version, EntryKind::Renewing))?).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Renewed { last, ..count(&rows) })
    }

    async fn put_back(&self, preset: Option<&PresetName>, limit: u32) -> Result<Renewed, StoreError> {
        let transaction = self.begin().await?;
        let former: Vec<FormerRow> = newest_former(preset, limit).all(&transaction).await?;
        if former.is_empty() {
            return Ok(Renewed::default());
        }
        condemn_replacing(&former).run(&transaction).await?;
        let rows: Vec<ChangedRow> = put_back(&former).all(&transaction).await?;
        for sql in [PAGES_AWAY, PAGES_BACK, FORGET] {
            of_former(Sql::new(sql), &former).run(&transaction).await?;
        }
        write(&transaction, &changed(&rows, |version| NewEntry::new(version, EntryKind::RolledBack))?).await?;
        outbox::write(&transaction, &news(&rows)?).await?;
        transaction.commit().await.map_err(store_error)?;
        let last = former.last().map(|row| version_id(row.file_version_id)).transpose()?;
        Ok(Renewed { last, ..count(&rows) })
    }

    async fn forget_replaced(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        let transaction = self.begin().await?;
        let former: Vec<FormerRow> = oldest_former(keep, limit).all(&transaction).await?;
        if former.is_empty() {
            return Ok(0);
        }
        condemn_former(&former).run(&transaction).await?;
        of_former(Sql::new(FORGET), &former).run(&transaction).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(former.len() as u64)
    }
}

/// Other bytes than a moment ago can be read.
fn news(rows: &[ChangedRow]) -> Result<Vec<(FileVersionId, News)>, StoreError> {
    let of = |row: &ChangedRow| {
        let preset = Place::new("representation", &row.preset).parse("preset", &row.preset)?;
        Ok((version_id(row.file_version_id)?, News::Success(preset)))
    };
    rows.iter().map(of).collect()
}

fn start(after: Option<FileVersionId>) -> i64 {
    after.map_or(0, FileVersionId::get)
}

fn count(rows: &[ChangedRow]) -> Renewed {
    let versions: BTreeSet<i64> = rows.iter().map(|row| row.file_version_id).collect();
    Renewed { representations: rows.len() as u64, versions: versions.len() as u64, last: None }
}

fn line(row: &LineRow) -> Result<RecipeLine, StoreError> {
    Ok(RecipeLine {
        preset: Place::new("representation", &row.preset).parse("preset", &row.preset)?,
        recipe: RecipeHash::from_stored(row.recipe.clone()),
        representations: natural(row.representations),
        renewing: natural(row.renewing),
        bytes: natural(row.bytes),
    })
}

pub(super) fn recipes(start: i64, end: i64) -> Sql {
    Sql::new(
        "SELECT preset, coalesce(old_recipe, recipe) AS recipe, count(*) AS representations,
             count(old_recipe) AS renewing, CAST(coalesce(sum(length_bytes), 0) AS BIGINT) AS bytes
         FROM representation
         WHERE {range} AND (state = 'success' OR old_recipe IS NOT NULL) AND {not_trashed}
         GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .part("range", RANGE)
    .part("not_trashed", NOT_TRASHED)
    .value(start)
    .value(end)
}

/// A statement about the stale rows of a range of versions; `{where}` stands for which they are.
fn of_stale(sql: &str, renewals: &[Renewal], start: i64, end: i64) -> Sql {
    let pairs = renewals
        .iter()
        .map(|renewal| -> Vec<Value> { vec![renewal.preset.as_str().into(), renewal.made_by.as_str().into()] });
    Sql::new(sql)
        .part("where", "{range} AND {is_stale} AND {not_trashed}")
        .part("range", RANGE)
        .part("is_stale", STALE)
        .part("not_trashed", NOT_TRASHED)
        .value(start)
        .value(end)
        .rows("stale", pairs)
}

pub(super) fn stale_versions(renewals: &[Renewal], start: i64, end: i64) -> Sql {
    let sql = "SELECT DISTINCT file_version_id FROM representation WHERE {where} ORDER BY file_version_id";
    of_stale(sql, renewals, start, end)
}

/// What there is now is what there is to go back to; what was kept before that goes.
async fn keep_former(on: &DatabaseTransaction, renewals: &[Renewal], start: i64, end: i64) -> Result<(), StoreError> {
    let replaced = condemn_of(
        "SELECT former.blob AS key, former.packed_offset AS packed_offset, former.length_bytes AS length_bytes
         FROM former JOIN representation
           ON representation.file_version_id = former.file_version_id AND representation.preset = former.preset
         WHERE {where}
         UNION ALL
         SELECT former_page.blob, former_page.packed_offset, former_page.length_bytes
         FROM former_page JOIN representation
           ON representation.file_version_id = former_page.file_version_id AND representation.preset = former_page.preset
         WHERE {where}",
    );
    let pages = "INSERT INTO former_page
                     (file_version_id, preset, number, blob, packed_name, packed_offset, width, height, length_bytes)
                 SELECT page.file_version_id, page.preset, page.number, page.blob, page.packed_name, page.packed_offset,
                     page.width, page.height, page.length_bytes
                 FROM page JOIN representation
                   ON representation.file_version_id = page.file_version_id AND representation.preset = page.preset
                 WHERE {where} AND page.number <= representation.pages";
    let no_pages = "DELETE FROM former_page WHERE (file_version_id, preset) IN (
                        SELECT representation.file_version_id, representation.preset FROM representation WHERE {where}
                    )";
    for sql in [replaced.as_str(), no_pages, FORMER, pages] {
        of_stale(sql, renewals, start, end).run(on).await?;
    }
    Ok(())
}

const FORMER: &str = "
INSERT INTO former (file_version_id, preset, recipe, blob, packed_name, packed_offset, width, height, length_bytes, pages,
    settled_at, replaced_at)
SELECT file_version_id, preset, recipe, blob, packed_name, packed_offset, width, height, length_bytes, pages, settled_at,
    {now}
FROM representation WHERE {where}
ON CONFLICT (file_version_id, preset) DO UPDATE
SET recipe = excluded.recipe, blob = excluded.blob, packed_name = excluded.packed_name,
    packed_offset = excluded.packed_offset, width = excluded.width, height = excluded.height, length_bytes = excluded.length_bytes, pages = excluded.pages, settled_at = excluded.settled_at,
    replaced_at = excluded.replaced_at";

/// As if just asked for, on the lane that can wait; the sweeper wakes it. The content stays: it goes on being read.
pub(super) fn renew(renewals: &[Renewal], start: i64, end: i64) -> Sql {
    let sql = "UPDATE representation
               SET state = 'pending', old_recipe = recipe, recipe = {target}, lane = '{lane}', settled_at = NULL,
                   pending_since = {now}, due_at = {now}, attempts = 0, crashes = 0, first_attempt_at = NULL,
                   excused_ms = 0, code = NULL, reason = NULL, woken_at = NULL, wakes = 0
               WHERE {where} RETURNING file_version_id, preset, lane";
    let sql = sql.replace("{lane}", Lane::Backfill.name());
    targeted(of_stale(&sql, renewals, start, end), renewals, "recipe")
}

/// What is being made anew already, but by a recipe that is not in force any more either.
fn retarget(renewals: &[Renewal], start: i64, end: i64) -> Sql {
    let sql = "UPDATE representation SET recipe = {target}
               WHERE {range} AND (representation.preset, representation.old_recipe) IN (VALUES {stale})
                 AND lease_token IS NULL";
    let pairs = renewals
        .iter()
        .map(|renewal| -> Vec<Value> { vec![renewal.preset.as_str().into(), renewal.made_by.as_str().into()] });
    let sql = Sql::new(sql).part("range", RANGE).value(start).value(end).rows("stale", pairs);
    targeted(sql, renewals, "old_recipe")
}

/// Puts the recipe that a row is to be made by in place of `{target}`; `column` has the one that it was made by.
fn targeted(sql: Sql, renewals: &[Renewal], column: &str) -> Sql {
    let target = format!(
        "(SELECT column3 FROM (VALUES {{targets}}) AS target
          WHERE column1 = representation.preset AND column2 = representation.{column} LIMIT 1)"
    );
    let targets = renewals.iter().map(|renewal| -> Vec<Value> {
        vec![renewal.preset.as_str().into(), renewal.made_by.as_str().into(), renewal.recipe.as_str().into()]
    });
    sql.part("target", &target).rows("targets", targets)
}

fn newest_former(preset: Option<&PresetName>, limit: u32) -> Sql {
    let sql = Sql::new("SELECT file_version_id, preset FROM former {which} ORDER BY file_version_id, preset LIMIT $1")
        .part("which", if preset.is_some() { "WHERE preset = $2" } else { "" })
        .value(i64::from(limit));
    match preset {
        Some(preset) => sql.value(preset.as_str()),
        None => sql,
    }
}

/// Not of what is still being made anew.
pub(super) fn oldest_former(keep: Duration, limit: u32) -> Sql {
    Sql::new(
        "SELECT file_version_id, preset FROM former
         WHERE replaced_at <= {now} - $1 AND (
             SELECT old_recipe FROM representation
             WHERE representation.file_version_id = former.file_version_id AND representation.preset = former.preset
         ) IS NULL
         ORDER BY replaced_at LIMIT $2",
    )
    .value(millis(keep))
    .value(i64::from(limit))
}

fn of_former(sql: Sql, former: &[FormerRow]) -> Sql {
    let rows = former.iter().map(|row| -> Vec<Value> { vec![row.file_version_id.into(), row.preset.as_str().into()] });
    sql.rows("former", rows)
}

/// The bytes that took the place of what is put back.
fn condemn_replacing(former: &[FormerRow]) -> Sql {
    let made_since = condemn_of(
        "SELECT blob AS key, packed_offset, length_bytes FROM representation
         WHERE (file_version_id, preset) IN (VALUES {former}) AND blob IS NOT NULL
         UNION ALL
         SELECT blob, packed_offset, length_bytes FROM page WHERE (file_version_id, preset) IN (VALUES {former})",
    );
    of_former(Sql::new(&made_since), former)
}

fn condemn_former(former: &[FormerRow]) -> Sql {
    let kept = condemn_of(
        "SELECT blob AS key, packed_offset, length_bytes FROM former WHERE (file_version_id, preset) IN (VALUES {former})
         UNION ALL
         SELECT blob, packed_offset, length_bytes FROM former_page WHERE (file_version_id, preset) IN (VALUES {former})",
    );
    of_former(Sql::new(&kept), former)
}

/// Whoever was making it anew finds its lease lost.
fn put_back(former: &[FormerRow]) -> Sql {
    let sql = "UPDATE representation
               SET state = 'success', recipe = former.recipe, old_recipe = NULL, settled_at = {now}, code = NULL,
                   reason = NULL, blob = former.blob, packed_name = former.packed_name,
                   packed_offset = former.packed_offset, width = former.width, height = former.height,
                   length_bytes = former.length_bytes, pages = former.pages, lease_token = NULL, claimed_at = NULL,
                   lease_until = NULL, woken_at = NULL, wakes = 0
               FROM former
               WHERE former.file_version_id = representation.file_version_id AND former.preset = representation.preset
                 AND (representation.file_version_id, representation.preset) IN (VALUES {former})
               RETURNING representation.file_version_id, representation.preset, representation.lane";
    of_former(Sql::new(sql), former)
}

const PAGES_AWAY: &str = "DELETE FROM page WHERE (file_version_id, preset) IN (VALUES {former})";
const PAGES_BACK: &str = "
INSERT INTO page (file_version_id, preset, number, blob, packed_name, packed_offset, width, height, length_bytes)
SELECT file_version_id, preset, number, blob, packed_name, packed_offset, width, height, length_bytes FROM former_page
WHERE (file_version_id, preset) IN (VALUES {former})";
/// Its pages go with it.
const FORGET: &str = "DELETE FROM former WHERE (file_version_id, preset) IN (VALUES {former})";
