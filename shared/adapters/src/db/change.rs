//! Changes of a file: its place, the trash and the way back, for the file and for single versions of it.

use std::cmp::Ordering;
use std::time::Duration;

use sea_orm::{DatabaseTransaction, FromQueryResult};
use shared::domain::file::{VersionIdentity, VersionOrder, folded_name};
use shared::domain::file_change::{Deleted, FileDeletion};
use shared::domain::ids::{FileId, FileVersionId};
use shared::domain::ledger::EntryKind;
use shared::ports::file_store::{Change, Parent, SourceRemoval};
use shared::ports::state_store::{Conflict, StoreError};

use super::convert::{identity_text, millis, text, version_id};
use super::error::{is_duplicate, store_error};
use super::ledger::{NewEntry, write};
use super::listing::{expect_free, folder};
use super::register::{OrderRow, order_of};
use super::sql::Sql;
use super::{Database, collection, removal, trash};

/// The file with its row locked until the transaction ends.
#[derive(Debug, FromQueryResult)]
pub(super) struct LockedFile {
    id: i64,
    tenant: String,
    name: String,
    parent: Option<String>,
    current_version_id: Option<i64>,
    revision: i64,
    trashed_at: Option<i64>,
    removed_sequence: Option<String>,
    removed_occurred_at: Option<i64>,
}

#[derive(Debug, FromQueryResult)]
struct VersionRow {
    id: i64,
    trashed_at: Option<i64>,
    sequence: Option<String>,
    occurred_at: Option<i64>,
    source_version: Option<String>,
}

impl VersionRow {
    fn order(&self) -> VersionOrder {
        VersionOrder { sequence: self.sequence.clone(), occurred_at: self.occurred_at }
    }
}

impl Database {
    pub(super) async fn change_file(
        &self,
        file: FileId,
        change: &Change,
        revision: Option<u32>,
    ) -> Result<(), StoreError> {
        let on = self.begin().await?;
        let file: LockedFile = lock(file).first(&on).await?.ok_or(StoreError::NotFound)?;
        if revision.is_some_and(|seen| i64::from(seen) != file.revision) {
            return Err(Conflict::RevisionDiffers.into());
        }
        match apply(&on, &file, change).await {
            Err(error) if is_duplicate(&error) => return Err(Conflict::NameInUse.into()),
            applied => applied?,
        }
        on.commit().await.map_err(store_error)
    }

    pub(super) async fn remove_source(&self, deletion: &FileDeletion) -> Result<SourceRemoval, StoreError> {
        let on = self.begin().await?;
        let removal = match &deletion.what {
            Deleted::Version(version) => remove_version(&on, deletion, version).await?,
            Deleted::File => remove(&on, &remembered(&on, deletion).await?, &deletion.order).await?,
            Deleted::Unversioned => remove_unversioned(&on, deletion).await?,
        };
        on.commit().await.map_err(store_error)?;
        Ok(removal)
    }
}

async fn remove(
    on: &DatabaseTransaction,
    file: &LockedFile,
    order: &VersionOrder,
) -> Result<SourceRemoval, StoreError> {
    if file.trashed_at.is_some() {
        let removed = VersionOrder { sequence: file.removed_sequence.clone(), occurred_at: file.removed_occurred_at };
        // Removed once more, and later: what came in between stays removed, too.
        if order.compare(&removed) == Some(Ordering::Greater) {
            trash::put_away(file.id, order.sequence.as_deref().map(text), order.occurred_at).run(on).await?;
        }
        return Ok(SourceRemoval::AlreadyTrashed);
    }
    if let Some(current) = file.current_version_id {
        let shown: Option<OrderRow> = order_of(current).first(on).await?;
        let shown: VersionOrder = shown.ok_or(StoreError::NotFound)?.into();
        if shown.compare(order) == Some(Ordering::Greater) {
            return Ok(SourceRemoval::Superseded);
        }
        note(on, version_id(current)?, EntryKind::SourceRemoved).await?;
    }
    trash::put_away(file.id, order.sequence.as_deref().map(text), order.occurred_at).run(on).await?;
    trash::suspend(file.id).run(on).await?;
    Ok(SourceRemoval::Trashed)
}

/// One version, and with the last one the file.
async fn remove_version(
    on: &DatabaseTransaction,
    deletion: &FileDeletion,
    version: &str,
) -> Result<SourceRemoval, StoreError> {
    let Some(file) = lock_known(deletion).first::<LockedFile>(on).await? else {
        return Ok(SourceRemoval::UnknownVersion);
    };
    let identity = identity_text(&VersionIdentity::Named(version.to_owned()));
    let named = Sql::new("SELECT id FROM file_version WHERE file_id = $1 AND identity = $2");
    let Some(version) = named.value(file.id).value(identity).column::<i64>(on).await?.pop() else {
        return Ok(SourceRemoval::UnknownVersion);
    };
    if file.trashed_at.is_some() {
        return Ok(SourceRemoval::AlreadyTrashed);
    }
    let version = version_id(version)?;
    match trash_version(on, &file, version, EntryKind::SourceRemoved).await {
        Ok(()) => Ok(SourceRemoval::Trashed),
        Err(StoreError::Conflict(Conflict::Trashed)) => Ok(SourceRemoval::AlreadyTrashed),
        Err(StoreError::Conflict(Conflict::OnlyVersion)) => remove(on, &file, &deletion.order).await,
        Err(error) => Err(error),
    }
}

/// The versions whose source has none in its store, unless they are newer than that; all versions of the file: the file.
async fn remove_unversioned(on: &DatabaseTransaction, deletion: &FileDeletion) -> Result<SourceRemoval, StoreError> {
    let file = remembered(on, deletion).await?;
    let kept = versions_of(&file).all::<VersionRow>(on).await?.into_iter().filter(|row| row.trashed_at.is_none());
    let (versioned, unversioned): (Vec<_>, Vec<_>) = kept.partition(|row| row.source_version.is_some());
    if file.trashed_at.is_some() || versioned.is_empty() {
        return remove(on, &file, &deletion.order).await;
    }
    let mut removal = SourceRemoval::UnknownVersion;
    for row in unversioned {
        if row.order().compare(&deletion.order) == Some(Ordering::Greater) {
            continue;
        }
        // What the file shows may have changed with the one before.
        let file: LockedFile = lock_known(deletion).first(on).await?.ok_or(StoreError::NotFound)?;
        trash_version(on, &file, version_id(row.id)?, EntryKind::SourceRemoved).await?;
        removal = SourceRemoval::Trashed;
    }
    Ok(removal)
}

/// The file, locked; one that is not known is known from now on.
async fn remembered(on: &DatabaseTransaction, deletion: &FileDeletion) -> Result<LockedFile, StoreError> {
    lock_or_remember(deletion).first(on).await?.ok_or(StoreError::NotFound)
}

async fn note(on: &DatabaseTransaction, version: FileVersionId, kind: EntryKind) -> Result<(), StoreError> {
    write(on, &[NewEntry::new(version, kind)]).await
}

async fn apply(on: &DatabaseTransaction, file: &LockedFile, change: &Change) -> Result<(), StoreError> {
    // A purged file is gone for everybody but late events.
    let Some(current) = file.current_version_id else { return Err(StoreError::NotFound) };
    match (change, file.trashed_at) {
        (Change::Restore | Change::Purge, None) => return Err(Conflict::NotTrashed.into()),
        (Change::Restore | Change::Purge, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(Conflict::Trashed.into()),
    }
    match change {
        Change::Place { name, parent } => place(on, file, name.as_deref(), parent.as_deref()).await,
        Change::Trash => {
            let order: Option<OrderRow> = order_of(current).first(on).await?;
            let order: VersionOrder = order.map(Into::into).unwrap_or_default();
            note(on, version_id(current)?, EntryKind::Trashed).await?;
            trash::put_away(file.id, order.sequence, order.occurred_at).run(on).await?;
            trash::suspend(file.id).run(on).await.map(|_| ())
        }
        Change::Restore => {
            // A name that is reserved again fails here.
            trash::bring_back(file.id).run(on).await?;
            note(on, version_id(current)?, EntryKind::Restored).await?;
            trash::resume(file.id).run(on).await.map(|_| ())
        }
        Change::Purge => purge(on, file).await,
        Change::TrashVersion(version) => trash_version(on, file, *version, EntryKind::Trashed).await,
        Change::RestoreVersion(version) => {
            in_trash(on, file, *version).await?;
            set_trashed(*version, "NULL").run(on).await?;
            note(on, *version, EntryKind::Restored).await?;
            trash::resume_version(*version).run(on).await?;
            count(file).run(on).await.map(|_| ())
        }
        Change::PurgeVersion(version) => {
            in_trash(on, file, *version).await?;
            removal::remove_version(on, *version).await?;
            count(file).run(on).await.map(|_| ())
        }
    }
}

fn parent_of(file: &LockedFile) -> Result<Parent, StoreError> {
    let tenant = file.tenant.parse().map_err(|problem| StoreError::Inconsistent {
        table: "file",
        column: "tenant",
        id: file.id.to_string(),
        problem: format!("{problem}"),
    })?;
    Ok(Parent { tenant: Some(tenant), id: folder(file.parent.as_deref()) })
}

async fn place(
    on: &DatabaseTransaction,
    file: &LockedFile,
    name: Option<&str>,
    parent: Option<&str>,
) -> Result<(), StoreError> {
    let name = name.unwrap_or(&file.name);
    let parent = parent.or(file.parent.as_deref());
    let target = Parent { id: folder(parent), ..parent_of(file)? };
    expect_free(on, &target, name, file.id).await?;
    let sql = Sql::new(
        "UPDATE file SET name = $2, folded_name = $3, parent = $4, modified_at = {now}, revision = revision + 1
         WHERE id = $1",
    );
    let sql = sql.value(file.id).value(text(name)).value(text(&folded_name(name))).value(parent.map(text));
    sql.run(on).await.map(|_| ())
}

/// What remains tells late events that the file was removed, and nothing of what it was.
pub(super) async fn purge(on: &DatabaseTransaction, file: &LockedFile) -> Result<(), StoreError> {
    let gone = "UPDATE file SET current_version_id = NULL, name = '', folded_name = '', parent = NULL, access = NULL, access_at = NULL,
                    name_is_reserved = 0, purged_at = {now}
                WHERE id = $1";
    Sql::new(gone).value(file.id).run(on).await?;
    collection::condemn_versions("file_version.file_id = $1", file.id).run(on).await?;
    Sql::new("DELETE FROM file_version WHERE file_id = $1").value(file.id).run(on).await.map(|_| ())
}

async fn trash_version(
    on: &DatabaseTransaction,
    file: &LockedFile,
    version: FileVersionId,
    why: EntryKind,
) -> Result<(), StoreError> {
    let versions = versions_of(file).all::<VersionRow>(on).await?;
    let this = versions.iter().find(|row| row.id == version.get()).ok_or(StoreError::NotFound)?;
    if this.trashed_at.is_some() {
        return Err(Conflict::Trashed.into());
    }
    if file.current_version_id == Some(this.id) {
        // In the order of arrival, as each of them would have become current.
        let others = versions.iter().filter(|row| row.id != this.id && row.trashed_at.is_none());
        let newest = others.reduce(|newest, row| if row.order().supersedes(&newest.order()) { row } else { newest });
        show(file, version_id(newest.ok_or(Conflict::OnlyVersion)?.id)?).run(on).await?;
    }
    set_trashed(version, "{now}").run(on).await?;
    note(on, version, why).await?;
    trash::suspend_version(version).run(on).await?;
    count(file).run(on).await.map(|_| ())
}

async fn in_trash(on: &DatabaseTransaction, file: &LockedFile, version: FileVersionId) -> Result<(), StoreError> {
    let versions = versions_of(file).all::<VersionRow>(on).await?;
    let this = versions.iter().find(|row| row.id == version.get()).ok_or(StoreError::NotFound)?;
    if this.trashed_at.is_some() { Ok(()) } else { Err(Conflict::NotTrashed.into()) }
}

fn versions_of(file: &LockedFile) -> Sql {
    let sql =
        "SELECT id, trashed_at, sequence, occurred_at, source_version FROM file_version WHERE file_id = $1 ORDER BY id";
    Sql::new(sql).value(file.id)
}

fn set_trashed(version: FileVersionId, when: &str) -> Sql {
    Sql::new("UPDATE file_version SET trashed_at = {when} WHERE id = $1").part("when", when).value(version.get())
}

/// The name stays: people gave it to the file.
fn show(file: &LockedFile, version: FileVersionId) -> Sql {
    Sql::new("UPDATE file SET current_version_id = $2, modified_at = {now} WHERE id = $1")
        .value(file.id)
        .value(version.get())
}

fn count(file: &LockedFile) -> Sql {
    Sql::new("UPDATE file SET revision = revision + 1 WHERE id = $1").value(file.id)
}

const COLUMNS: &str = "
id, tenant, name, parent, current_version_id, revision, trashed_at, removed_sequence, removed_occurred_at";

pub(super) fn lock(file: FileId) -> Sql {
    Sql::new("UPDATE file SET modified_at = modified_at WHERE id = $1 RETURNING {columns}")
        .part("columns", COLUMNS)
        .value(file.get())
}

/// If it has been in the trash for longer than `keep`.
pub(super) fn lock_trashed(file: i64, keep: Duration) -> Sql {
    let sql = "UPDATE file SET modified_at = modified_at
               WHERE id = $1 AND trashed_at <= {now} - $2 AND current_version_id IS NOT NULL RETURNING {columns}";
    Sql::new(sql).part("columns", COLUMNS).value(file).value(millis(keep))
}

/// A file that is not known is made without a version, which nobody can see.
fn lock_or_remember(deletion: &FileDeletion) -> Sql {
    Sql::new(
        "INSERT INTO file (tenant, identity, name, generation, created_at, modified_at)
         VALUES ($1, $2, '', 0, {now}, {now})
         ON CONFLICT (tenant, identity) DO UPDATE SET modified_at = file.modified_at
         RETURNING {columns}",
    )
    .part("columns", COLUMNS)
    .value(deletion.tenant.as_str())
    .value(text(&deletion.file_identity))
}

fn lock_known(deletion: &FileDeletion) -> Sql {
    let sql = "UPDATE file SET modified_at = modified_at WHERE tenant = $1 AND identity = $2 RETURNING {columns}";
    Sql::new(sql).part("columns", COLUMNS).value(deletion.tenant.as_str()).value(text(&deletion.file_identity))
}
