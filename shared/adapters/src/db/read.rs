//! Files with a version and its rows, as answers need them: two queries, however many files.

use sea_orm::ConnectionTrait;
use shared::domain::file::FileState;
use shared::domain::ids::{FileId, FileVersionId, Tenant};
use shared::domain::preset::PresetName;
use shared::ports::state_store::StoreError;

use super::Database;
use super::convert::{FileRow, RepresentationRow, file_states, text, version_id};
use super::sql::Sql;

pub(super) const FILES: &str = "
SELECT file.id AS file_id, file.tenant, file.identity AS file_identity, file.name AS file_name, file.parent,
    file.access, file.generation, file.current_version_id, file.created_at AS file_created_at, file.modified_at,
    file.revision, file.trashed_at,
    file_version.id AS version_id, file_version.identity AS version_identity, file_version.name AS version_name,
    source_blob, source_bucket, source_key, source_version, declared_size, declared_content_type, declared_etag,
    declared_sha256, sha1, length_bytes, sha256, format, width, height, pages, thumbhash, dominant_color,
    file_version.created_at AS version_created_at, file_version.trashed_at AS version_trashed_at
FROM file JOIN file_version ON {which}";

/// One row for each representation, or for each of its pages from 2 on: read together, they cannot disagree.
const REPRESENTATIONS: &str = "
SELECT representation.file_version_id, representation.preset, recipe, old_recipe, state, lane, attempts, crashes,
    pending_since, due_at, settled_at, code, reason, representation.blob, representation.packed_name,
    representation.packed_offset, representation.width, representation.height, representation.length_bytes, pages,
    page.number AS page_number, page.blob AS page_blob, page.packed_name AS page_packed_name,
    page.packed_offset AS page_packed_offset, page.width AS page_width, page.height AS page_height,
    page.length_bytes AS page_length_bytes
FROM representation
LEFT JOIN page ON page.file_version_id = representation.file_version_id AND page.preset = representation.preset
    AND page.number <= representation.pages
WHERE {which}
ORDER BY representation.file_version_id, representation.preset, page.number";

/// Versions of one file that are read together.
const VERSIONS_MAX: i64 = 50;

impl Database {
    pub(super) async fn read_by_identity(
        &self,
        tenant: &Tenant,
        identity: &str,
    ) -> Result<Option<FileState>, StoreError> {
        Ok(states(&self.connection, file_by_identity(tenant, identity)).await?.pop())
    }

    pub(super) async fn read_unsettled(&self, versions: &[FileVersionId]) -> Result<Vec<FileVersionId>, StoreError> {
        if versions.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = unsettled(versions.iter().map(|version| version.get())).column(&self.connection).await?;
        ids.into_iter().map(version_id).collect()
    }

    pub(super) async fn read_by_source(
        &self,
        tenant: &Tenant,
        bucket: &str,
        key: &str,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError> {
        states(&self.connection, by_source(tenant, bucket, key, limit)).await
    }

    pub(super) async fn read_recent(&self, before: Option<FileId>, limit: u32) -> Result<Vec<FileState>, StoreError> {
        states(&self.connection, recent(before, limit)).await
    }
}

/// Which of these versions have rows that wait.
pub(super) fn unsettled(versions: impl IntoIterator<Item = i64>) -> Sql {
    Sql::new(
        "SELECT DISTINCT file_version_id FROM representation
         WHERE file_version_id IN {versions} AND state IN ('pending', 'viewable')",
    )
    .list("versions", versions)
}

/// The version, with its file and its rows.
pub(super) async fn state_of_version(
    on: &impl ConnectionTrait,
    version: FileVersionId,
) -> Result<Option<FileState>, StoreError> {
    let which = "file_version.file_id = file.id AND file_version.id = $1";
    let sql = Sql::new(FILES).part("which", which).value(version.get());
    Ok(states(on, sql).await?.pop())
}

/// The newest versions of the file, oldest first.
pub(super) async fn all_versions(on: &impl ConnectionTrait, file: FileId) -> Result<Vec<FileState>, StoreError> {
    let which = "file_version.file_id = file.id WHERE file.id = $1 ORDER BY file_version.id DESC LIMIT $2";
    let mut versions = states(on, Sql::new(FILES).part("which", which).value(file.get()).value(VERSIONS_MAX)).await?;
    versions.reverse();
    Ok(versions)
}

pub(super) async fn states(on: &impl ConnectionTrait, files: Sql) -> Result<Vec<FileState>, StoreError> {
    let files: Vec<FileRow> = files.all(on).await?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<RepresentationRow> = representations(files.iter().map(|file| file.version_id)).all(on).await?;
    file_states(&files, rows)
}

/// The versions, each with those of its rows that are wanted.
pub(super) async fn states_with(
    on: &impl ConnectionTrait,
    wanted: &[(FileVersionId, PresetName)],
) -> Result<Vec<FileState>, StoreError> {
    let versions: Vec<FileVersionId> = wanted.iter().map(|(version, _)| *version).collect();
    let files: Vec<FileRow> = file_versions(&versions).all(on).await?;
    let rows: Vec<RepresentationRow> = only(wanted).all(on).await?;
    file_states(&files, rows)
}

pub(super) fn representations(versions: impl IntoIterator<Item = i64>) -> Sql {
    let which = "representation.file_version_id IN {versions}";
    Sql::new(REPRESENTATIONS).part("which", which).list("versions", rounded_up(versions.into_iter()))
}

pub(super) fn only(wanted: &[(FileVersionId, PresetName)]) -> Sql {
    let which = "(representation.file_version_id, representation.preset) IN (VALUES {pairs})";
    let pairs = rounded_up(wanted.iter().map(|(version, preset)| vec![version.get().into(), preset.as_str().into()]));
    Sql::new(REPRESENTATIONS).part("which", which).rows("pairs", pairs)
}

pub(super) fn files(ids: &[FileId]) -> Sql {
    let which = "file_version.id = file.current_version_id WHERE file.id IN {files}";
    Sql::new(FILES).part("which", which).list("files", rounded_up(ids.iter().map(|id| id.get())))
}

pub(super) fn file_versions(ids: &[FileVersionId]) -> Sql {
    let which = "file_version.file_id = file.id WHERE file_version.id IN {versions}";
    Sql::new(FILES).part("which", which).list("versions", rounded_up(ids.iter().map(|id| id.get())))
}

/// The last one again until their number is a power of two: a connection keeps its statements prepared by their text,
/// and so there are few.
fn rounded_up<V: Clone>(values: impl Iterator<Item = V>) -> Vec<V> {
    let mut values: Vec<V> = values.collect();
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}

pub(super) fn file_by_identity(tenant: &Tenant, identity: &str) -> Sql {
    let which = "file_version.id = file.current_version_id WHERE file.tenant = $1 AND file.identity = $2";
    Sql::new(FILES).part("which", which).value(tenant.as_str()).value(text(identity))
}

pub(super) fn by_source(tenant: &Tenant, bucket: &str, key: &str, limit: u32) -> Sql {
    let which = "file_version.file_id = file.id AND file_version.id = file.current_version_id
        WHERE file_version.source_key = $1 AND file_version.source_bucket = $2 AND file.tenant = $3
          AND file.trashed_at IS NULL
        ORDER BY file.id DESC LIMIT $4";
    Sql::new(FILES)
        .part("which", which)
        .value(text(key))
        .value(text(bucket))
        .value(tenant.as_str())
        .value(i64::from(limit))
}

pub(super) fn recent(before: Option<FileId>, limit: u32) -> Sql {
    let which = "file_version.id = file.current_version_id WHERE file.id < $1 AND file.trashed_at IS NULL
        ORDER BY file.id DESC LIMIT $2";
    let before = before.map_or(i64::MAX, FileId::get);
    Sql::new(FILES).part("which", which).value(before).value(i64::from(limit))
}
