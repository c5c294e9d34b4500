//! Registration: rows of a new file version, all or none, and which version is current.

use sea_orm::{DatabaseTransaction, FromQueryResult, Value};
use shared::domain::file::{Condition, NewAccess, NewFileVersion, VersionOrder, Wanted, folded_name};
use shared::domain::format::SourceFormat;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::ledger::EntryKind;
use shared::domain::source::SourceLocation;
use shared::ports::file_store::Parent;
use shared::ports::state_store::{Conflict, Registration, StoreError};

use super::Database;
use super::access::{DECIDED_AT, access_json};
use super::convert::{bytes, file_id, identity_text, text, version_id};
use super::error::{is_duplicate, store_error};
use super::ledger::{NewEntry, write};
use super::listing::folder;
use super::sql::Sql;
use super::{collection, listing, trash};

/// The file as found or made; its row stays locked until the transaction ends, so that versions of one file are
/// registered one after the other.
#[derive(Debug, FromQueryResult)]
struct LockedFile {
    id: i64,
    current_version_id: Option<i64>,
    revision: i64,
    trashed_at: Option<i64>,
    removed_sequence: Option<String>,
    removed_occurred_at: Option<i64>,
}

impl LockedFile {
    /// The order of the removal, when it is in the trash.
    fn removed(&self) -> VersionOrder {
        VersionOrder { sequence: self.removed_sequence.clone(), occurred_at: self.removed_occurred_at }
    }
}

#[derive(Debug, FromQueryResult)]
pub(super) struct OrderRow {
    sequence: Option<String>,
    occurred_at: Option<i64>,
}

impl From<OrderRow> for VersionOrder {
    fn from(row: OrderRow) -> Self {
        Self { sequence: row.sequence, occurred_at: row.occurred_at }
    }
}

impl Database {
    pub(super) async fn register_version(&self, new: &NewFileVersion) -> Result<Registration, StoreError> {
        let transaction = self.begin().await?;
        let registration = match register(&transaction, new).await {
            // Another file has got the name meanwhile.
            Err(error) if is_duplicate(&error) => return Err(Conflict::NameInUse.into()),
            registration => registration?,
        };
        transaction.commit().await.map_err(store_error)?;
        Ok(registration)
    }
}

async fn register(on: &DatabaseTransaction, new: &NewFileVersion) -> Result<Registration, StoreError> {
    let file: LockedFile = one("file", lock_file(new).first(on).await?)?;
    check(on, &file, new).await?;
    let Some(inserted) = insert_version(file.id, new).column::<i64>(on).await?.pop() else {
        let known: i64 = one("file_version", known_version(file.id, new).column(on).await?.pop())?;
        return registration(&file, known, false, file.current_version_id == Some(known));
    };
    if let SourceLocation::Uploaded(blob) = &new.source
        && !collection::secure(on, &[blob.to_string()], None).await?.is_empty()
    {
        return Err(Conflict::BlobCollected.into());
    }
    let is_current = match file.current_version_id {
        None => true,
        Some(current) => {
            let current: OrderRow = one("file_version", order_of(current).first(on).await?)?;
            new.order.supersedes(&current.into())
        }
    };
    if is_current {
        make_current(&file, inserted, new)?.run(on).await?;
    }
    if file.trashed_at.is_some() && new.order.outlives(&file.removed()) {
        trash::bring_back(file.id).run(on).await?;
        trash::resume(file.id).run(on).await?;
        let newer = NewEntry::new(version_id(inserted)?, EntryKind::Restored).reason("this version is newer than that");
        write(on, &[newer]).await?;
    }
    if !new.wanted.is_empty() {
        insert_representations(version_id(inserted)?, &new.wanted, new.lane).run(on).await?;
    }
    registration(&file, inserted, true, is_current)
}

/// Whether what the registration depends on holds, now that nobody else can change the file.
async fn check(on: &DatabaseTransaction, file: &LockedFile, new: &NewFileVersion) -> Result<(), StoreError> {
    match new.condition {
        Condition::Always => return Ok(()),
        Condition::NewName => {}
        Condition::Existing { .. } if file.current_version_id.is_none() => return Err(StoreError::NotFound),
        Condition::Existing { .. } if file.trashed_at.is_some() => return Err(Conflict::Trashed.into()),
        Condition::Existing { revision: Some(seen) } if i64::from(seen) != file.revision => {
            return Err(Conflict::RevisionDiffers.into());
        }
        Condition::Existing { .. } => {}
    }
    let parent = Parent { tenant: Some(new.tenant.clone()), id: folder(new.parent.as_deref()) };
    listing::expect_free(on, &parent, &new.name, file.id).await
}

fn registration(file: &LockedFile, version: i64, is_new: bool, is_current: bool) -> Result<Registration, StoreError> {
    Ok(Registration { file_id: file_id(file.id)?, version_id: version_id(version)?, is_new, is_current })
}

/// A row that the statement before has seen or made.
fn one<T>(table: &'static str, row: Option<T>) -> Result<T, StoreError> {
    let problem = "the row is gone within the transaction that saw it".to_owned();
    row.ok_or_else(|| StoreError::Inconsistent { table, column: "id", id: String::new(), problem })
}

/// Inserts the file, or changes nothing but the lock on its row.
pub(super) fn lock_file(new: &NewFileVersion) -> Sql {
    Sql::new(
        "INSERT INTO file (tenant, identity, name, parent, folded_name, name_is_reserved, generation, created_at,
             modified_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, {now}, {now})
         ON CONFLICT (tenant, identity) DO UPDATE SET modified_at = file.modified_at
         RETURNING id, current_version_id, revision, trashed_at, removed_sequence, removed_occurred_at",
    )
    .value(new.tenant.as_str())
    .value(text(&new.file_identity))
    .value(text(&new.name))
    .value(new.parent.as_deref().map(text))
    .value(text(&folded_name(&new.name)))
    .value(i64::from(new.condition == Condition::NewName))
}

pub(super) fn insert_version(file: i64, new: &NewFileVersion) -> Sql {
    let (blob, bucket, key) = match &new.source {
        SourceLocation::Uploaded(blob) => (Some(blob.to_string()), None, None),
        SourceLocation::Bucket { bucket, key, .. } => (None, Some(text(bucket)), Some(text(key))),
    };
    let declared = &new.declared;
    Sql::new(
        "INSERT INTO file_version (file_id, identity, sequence, occurred_at, name, source_blob, source_bucket,
             source_key, declared_size, declared_content_type, declared_etag, declared_sha256, sha1, length_bytes,
             sha256, declared_format, source_version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, {now})
         ON CONFLICT (file_id, identity) DO NOTHING
         RETURNING id",
    )
    .value(file)
    .value(identity_text(&new.version_identity))
    .value(new.order.sequence.as_deref().map(text))
    .value(new.order.occurred_at)
    .value(text(&new.name))
    .value(blob)
    .value(bucket)
    .value(key)
    .value(declared.size.map(bytes))
    .value(declared.content_type.as_deref().map(text))
    .value(declared.etag.as_deref().map(text))
    .value(declared.sha256.map(|digest| digest.to_string()))
    .value(new.sha1.as_deref().map(text))
    .value(new.bytes.map(|counted| bytes(counted.length_bytes)))
    .value(new.bytes.map(|counted| counted.sha256.to_string()))
    .value(SourceFormat::declared(&new.name, declared.content_type.as_deref()).map(SourceFormat::name))
    .value(new.source.object_version().map(text))
}

pub(super) fn known_version(file: i64, new: &NewFileVersion) -> Sql {
    Sql::new("SELECT id FROM file_version WHERE file_id = $1 AND identity = $2")
        .value(file)
        .value(identity_text(&new.version_identity))
}

pub(super) fn order_of(version: i64) -> Sql {
    Sql::new("SELECT sequence, occurred_at FROM file_version WHERE id = $1").value(version)
}

/// Access that came with the version holds unless another was decided later.
const DECLARED: &str = "
    access = CASE WHEN coalesce(access_at, 0) <= {decided_at} THEN $5 ELSE access END,
    access_at = CASE WHEN coalesce(access_at, 0) <= {decided_at} THEN {decided_at} ELSE access_at END";
/// Access of the configuration holds for a new file, unless a change of access came before its first version.
const DEFAULT: &str = "
    access = CASE WHEN current_version_id IS NULL AND access_at IS NULL THEN $5 ELSE access END";

/// Shows the new version. What the producer said of the file with it is what holds now.
fn make_current(file: &LockedFile, version: i64, new: &NewFileVersion) -> Result<Sql, StoreError> {
    let access = match &new.access {
        NewAccess::Declared(_) => DECLARED,
        NewAccess::Default(_) => DEFAULT,
    };
    let show = Sql::new(
        "UPDATE file
         SET current_version_id = $2, name = $3, parent = $4, {access}, folded_name = $6,
             revision = CASE WHEN current_version_id IS NULL AND trashed_at IS NULL THEN 0 ELSE revision + 1 END,
             generation = CASE WHEN current_version_id IS NULL THEN 0 ELSE generation + 1 END,
             modified_at = (SELECT created_at FROM file_version WHERE file_version.id = $2), purged_at = NULL
         WHERE id = $1",
    )
    .part("access", access)
    .part("decided_at", DECIDED_AT)
    .part("said", "$7")
    .value(file.id)
    .value(version)
    .value(text(&new.name))
    .value(new.parent.as_deref().map(text))
    .value(new.access.of_new_file().map(access_json).transpose()?)
    .value(text(&folded_name(&new.name)));
    Ok(match &new.access {
        NewAccess::Declared(_) => show.value(new.order.occurred_at),
        NewAccess::Default(_) => show,
    })
}

/// Rows that are `pending` and count as woken now, for a wake follows; rows that are there stay.
pub(super) fn insert_representations(version: FileVersionId, wanted: &[Wanted], lane: Lane) -> Sql {
    let rows = wanted
        .iter()
        .map(|wanted| -> Vec<Value> { vec![wanted.preset.as_str().into(), wanted.recipe.as_str().into()] });
    Sql::new(
        "WITH wanted (preset, recipe) AS (VALUES {wanted})
         INSERT INTO representation (file_version_id, preset, recipe, state, lane, pending_since, due_at, woken_at, wakes)
         SELECT $1, preset, recipe, 'pending', $2, {now}, {now}, {now}, 1 FROM wanted WHERE true
         ON CONFLICT (file_version_id, preset) DO NOTHING",
    )
    .value(version.get())
    .value(lane.name())
    .rows("wanted", rows)
}
