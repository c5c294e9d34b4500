//! Files of a parent in order, page by page; the versions of one file; and names that are taken.

use sea_orm::ConnectionTrait;
use shared::domain::file::{FileState, folded_name};
use shared::domain::ids::{FileId, FileVersionId};
use shared::ports::file_store::{Listing, ListingKey, Parent};
use shared::ports::state_store::{Conflict, StoreError};

use super::Database;
use super::convert::{natural, text};
use super::read::{FILES, states};
use super::sql::Sql;

/// What every file of a parent fulfils, in the words of the index over it; `{tenant}` comes on top.
const OF_PARENT: &str = "coalesce(file.parent, '0') = $1 AND file.trashed_at IS NULL AND {tenant}";

/// A parent as stored; files without one are the root's.
pub(super) fn folder(parent: Option<&str>) -> String {
    parent.unwrap_or(Parent::ROOT).to_owned()
}

impl Database {
    pub(super) async fn read_versions(
        &self,
        file: FileId,
        before: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError> {
        states(&self.connection, versions(file, before, limit)).await
    }

    pub(super) async fn read_listing(&self, listing: &Listing) -> Result<Vec<FileState>, StoreError> {
        states(&self.connection, files_of(listing)).await
    }

    pub(super) async fn count_files(&self, parent: &Parent) -> Result<u64, StoreError> {
        let sql = Sql::new("SELECT count(*) FROM file WHERE {of_parent} AND current_version_id IS NOT NULL");
        let count = of_parent(sql, parent).column::<i64>(&self.connection).await?.pop();
        Ok(count.map_or(0, natural))
    }

    pub(super) async fn read_named(&self, parent: &Parent, name: &str) -> Result<Option<FileState>, StoreError> {
        Ok(states(&self.connection, named(parent, name)).await?.pop())
    }
}

/// Fails when a file other than `file` has the name.
pub(super) async fn expect_free(
    on: &impl ConnectionTrait,
    parent: &Parent,
    name: &str,
    file: i64,
) -> Result<(), StoreError> {
    let sql = Sql::new("SELECT file.id FROM file WHERE {of_parent} AND folded_name = $3 AND id <> $4 LIMIT 1");
    let sql = of_parent(sql, parent).value(text(&folded_name(name))).value(file);
    if sql.column::<i64>(on).await?.is_empty() { Ok(()) } else { Err(Conflict::NameInUse.into()) }
}

/// Puts the condition in; its values are the first two.
fn of_parent(sql: Sql, parent: &Parent) -> Sql {
    // Without a tenant the value is still there, so that the numbers of the others stay.
    let tenant = if parent.tenant.is_some() { "file.tenant = $2" } else { "$2 = ''" };
    sql.part("of_parent", OF_PARENT)
        .part("tenant", tenant)
        .value(text(&parent.id))
        .value(parent.tenant.as_ref().map_or("", |tenant| tenant.as_str()))
}

pub(super) fn versions(file: FileId, before: Option<FileVersionId>, limit: u32) -> Sql {
    let which = "file_version.file_id = file.id
        WHERE file.id = $1 AND file_version.id < $2 AND file.current_version_id IS NOT NULL
        ORDER BY file_version.id DESC LIMIT $3";
    let before = before.map_or(i64::MAX, FileVersionId::get);
    Sql::new(FILES).part("which", which).value(file.get()).value(before).value(i64::from(limit))
}

pub(super) fn named(parent: &Parent, name: &str) -> Sql {
    let which = "file_version.id = file.current_version_id
        WHERE {of_parent} AND folded_name = $3 ORDER BY file.id LIMIT 1";
    of_parent(Sql::new(FILES).part("which", which), parent).value(text(&folded_name(name)))
}

pub(super) fn files_of(listing: &Listing) -> Sql {
    let key = match listing.by {
        ListingKey::Id => "file.id",
        ListingKey::Name => "file.folded_name",
        ListingKey::ModifiedAt => "file.modified_at",
        ListingKey::Length => "coalesce(file_version.length_bytes, file_version.declared_size, 0)",
    };
    let (later, direction) = if listing.descending { ("<", "DESC") } else { (">", "ASC") };
    let after = match listing.after {
        None => "$5 = 0",
        Some(_) => {
            "({key}, file.id) {later} (
            SELECT {key}, file.id FROM file JOIN file_version ON file_version.id = file.current_version_id
            WHERE file.id = $5)"
        }
    };
    let which = "file_version.id = file.current_version_id
        WHERE {of_parent} AND {after}
        ORDER BY {key} {direction}, file.id {direction} LIMIT $3 OFFSET $4";
    let sql = Sql::new(FILES)
        .part("which", which)
        .part("after", after)
        .part("key", key)
        .part("later", later)
        .part("direction", direction);
    of_parent(sql, &listing.parent)
        .value(i64::from(listing.limit))
        .value(i64::from(listing.offset))
        .value(listing.after.map_or(0, FileId::get))
}
