//! Somebody asks for presets: absent rows begin, waiting ones move to a more urgent lane.

use sea_orm::DatabaseTransaction;
use shared::domain::file::Wanted;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::ledger::EntryKind;
use shared::ports::state_store::{Asked, StoreError};

use super::Database;
use super::convert::urgency;
use super::error::{is_missing_reference, store_error};
use super::ledger::{NewEntry, write};
use super::register::insert_representations;
use super::sql::Sql;

impl Database {
    pub(super) async fn ask_for(
        &self,
        version: FileVersionId,
        wanted: &[Wanted],
        lane: Lane,
    ) -> Result<Asked, StoreError> {
        let transaction = self.begin().await?;
        let asked = match ask(&transaction, version, wanted, lane).await {
            // Another worker has found meanwhile that this version is the same as an older one.
            Err(error) if is_missing_reference(&error) => return Err(StoreError::NotFound),
            asked => asked?,
        };
        transaction.commit().await.map_err(store_error)?;
        Ok(asked)
    }

    pub(super) async fn ask_within(
        &self,
        version: FileVersionId,
        wanted: &Wanted,
        (prefix, kept_max): (&str, u32),
        lane: Lane,
    ) -> Result<Option<Asked>, StoreError> {
        let transaction = self.begin().await?;
        // Whoever asks for a preset of this family at the same time waits here, and counts this one.
        if lock(version).run(&transaction).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let kept: Vec<String> = names(version, prefix).column(&transaction).await?;
        if kept.len() >= kept_max as usize && !kept.iter().any(|name| name == wanted.preset.as_str()) {
            return Ok(None);
        }
        let asked = ask(&transaction, version, std::slice::from_ref(wanted), lane).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Some(asked))
    }
}

/// Locks the version without getting in the way of rows that only refer to it.
fn lock(version: FileVersionId) -> Sql {
    Sql::new("UPDATE file_version SET name = name WHERE id = $1").value(version.get())
}

pub(super) fn names(version: FileVersionId, prefix: &str) -> Sql {
    Sql::new("SELECT preset FROM representation WHERE file_version_id = $1 AND substr(preset, 1, length($2)) = $2")
        .value(version.get())
        .value(prefix)
}

async fn ask(
    on: &DatabaseTransaction,
    version: FileVersionId,
    wanted: &[Wanted],
    lane: Lane,
) -> Result<Asked, StoreError> {
    if exists(version).column::<i64>(on).await?.is_empty() {
        return Err(StoreError::NotFound);
    }
    if wanted.is_empty() {
        return Ok(Asked { started: 0, promoted: 0 });
    }
    // First what is absent: then every row is there, whoever else asks at the same time, and none is missed.
    let started = insert_representations(version, wanted, lane).run(on).await?;
    let promoted = match promote(version, wanted, lane) {
        Some(promote) => promote.run(on).await?,
        None => 0,
    };
    if started > 0 || promoted > 0 {
        let presets = wanted.iter().map(|wanted| wanted.preset.as_str());
        write(on, &[NewEntry::new(version, EntryKind::Asked).lane(lane).presets(presets)]).await?;
    }
    Ok(Asked { started: count(started), promoted: count(promoted) })
}

fn count(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// Not in the trash, nor its file: a request must not bring back what was removed.
fn exists(version: FileVersionId) -> Sql {
    Sql::new(
        "SELECT file_version.id FROM file_version JOIN file ON file.id = file_version.file_id
         WHERE file_version.id = $1 AND file_version.trashed_at IS NULL AND file.trashed_at IS NULL",
    )
    .value(version.get())
}

/// Moves rows of less urgent lanes to this one; `None` when no lane is less urgent. Rows that a worker could take now
/// count as woken, for a wake follows; those under a lease or before their time stay with the sweeper.
pub(super) fn promote(version: FileVersionId, wanted: &[Wanted], lane: Lane) -> Option<Sql> {
    let less_urgent: Vec<_> = Lane::ALL.into_iter().filter(|other| urgency(*other) > urgency(lane)).collect();
    if less_urgent.is_empty() {
        return None;
    }
    let sql = Sql::new(
        "UPDATE representation
         SET lane = $2,
             woken_at = CASE WHEN lease_until IS NULL AND due_at <= {now} THEN {now} ELSE woken_at END,
             wakes = CASE WHEN lease_until IS NULL AND due_at <= {now} THEN 1 ELSE wakes END
         WHERE file_version_id = $1 AND state = 'pending' AND preset IN {presets} AND lane IN {less_urgent}",
    )
    .value(version.get())
    .value(lane.name())
    .list("presets", wanted.iter().map(|wanted| wanted.preset.as_str()))
    .list("less_urgent", less_urgent.into_iter().map(Lane::name));
    Some(sql)
}
