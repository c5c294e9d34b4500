//! What was learned of a version's source: its bytes, and with them whether it is new at all, and what it shows.

use sea_orm::{DatabaseTransaction, FromQueryResult};
use shared::domain::file::{ByteFacts, PictureFacts};
use shared::domain::ids::FileVersionId;
use shared::ports::state_store::{SameContent, StoreError};

use super::Database;
use super::convert::{UNRESOLVED, bytes, version_id};
use super::error::store_error;
use super::sql::Sql;

#[derive(Debug, FromQueryResult)]
struct RecordedRow {
    file_id: i64,
    identity: String,
}

impl Database {
    pub(super) async fn write_bytes(
        &self,
        version: FileVersionId,
        counted: ByteFacts,
    ) -> Result<SameContent, StoreError> {
        let transaction = self.begin().await?;
        let same = record_bytes(&transaction, version, counted).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(same)
    }

    pub(super) async fn write_picture(&self, version: FileVersionId, picture: PictureFacts) -> Result<(), StoreError> {
        let sql = Sql::new("UPDATE file_version SET format = $2, width = $3, height = $4, pages = $5 WHERE id = $1")
            .value(version.get())
            .value(picture.format.name())
            .value(i64::from(picture.dimensions.width))
            .value(i64::from(picture.dimensions.height))
            .value(i64::from(picture.pages));
        if sql.run(&self.connection).await? == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

async fn record_bytes(
    on: &DatabaseTransaction,
    version: FileVersionId,
    counted: ByteFacts,
) -> Result<SameContent, StoreError> {
    // The file's lock comes first, as in `register`: which version is current is decided by one at a time.
    lock_file_of(version).run(on).await?;
    let recorded: RecordedRow = record(version, counted).first(on).await?.ok_or(StoreError::NotFound)?;
    if recorded.identity != UNRESOLVED {
        return Ok(SameContent::Distinct);
    }
    let Some(other) = same_content(recorded.file_id, version, counted).column::<i64>(on).await?.pop() else {
        resolve(version, counted).run(on).await?;
        return Ok(SameContent::Distinct);
    };
    if show_instead(recorded.file_id, version, other).run(on).await? > 0 {
        take_place_in_order(version, other).run(on).await?;
    }
    // Its representations and pages go with it.
    Sql::new("DELETE FROM file_version WHERE id = $1").value(version.get()).run(on).await?;
    Ok(SameContent::As(version_id(other)?))
}

fn lock_file_of(version: FileVersionId) -> Sql {
    Sql::new(
        "UPDATE file SET modified_at = modified_at
         WHERE id = (SELECT file_id FROM file_version WHERE file_version.id = $1)",
    )
    .value(version.get())
}

fn record(version: FileVersionId, counted: ByteFacts) -> Sql {
    Sql::new("UPDATE file_version SET length_bytes = $2, sha256 = $3 WHERE id = $1 RETURNING file_id, identity")
        .value(version.get())
        .value(bytes(counted.length_bytes))
        .value(counted.sha256.to_string())
}

/// Another version of the file with this content; the newest, should there be several.
pub(super) fn same_content(file: i64, version: FileVersionId, counted: ByteFacts) -> Sql {
    Sql::new("SELECT id FROM file_version WHERE file_id = $1 AND sha256 = $2 AND id <> $3 ORDER BY id DESC LIMIT 1")
        .value(file)
        .value(counted.sha256.to_string())
        .value(version.get())
}

fn resolve(version: FileVersionId, counted: ByteFacts) -> Sql {
    Sql::new("UPDATE file_version SET identity = $2 WHERE id = $1")
        .value(version.get())
        .value(format!("{UNRESOLVED}{}", counted.sha256))
}

/// The other version is what the file shows now, if this one was. The generation stays: the number of versions that
/// clients have seen does not shrink.
fn show_instead(file: i64, version: FileVersionId, other: i64) -> Sql {
    Sql::new(
        "UPDATE file
         SET current_version_id = $3, revision = revision + 1,
             modified_at = (SELECT created_at FROM file_version WHERE file_version.id = $3)
         WHERE id = $1 AND current_version_id = $2",
    )
    .value(file)
    .value(version.get())
    .value(other)
}

/// The content was current when this version came, so versions that come later are compared with this one.
fn take_place_in_order(version: FileVersionId, other: i64) -> Sql {
    Sql::new(
        "UPDATE file_version
         SET sequence = (SELECT this.sequence FROM file_version AS this WHERE this.id = $1),
             occurred_at = (SELECT this.occurred_at FROM file_version AS this WHERE this.id = $1)
         WHERE id = $2",
    )
    .value(version.get())
    .value(other)
}
