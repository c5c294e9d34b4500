//! Rows to domain values and back; the one place that knows how values are spelled in columns.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::FromQueryResult;
use shared::domain::blob_key::BlobKey;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::file::{ByteFacts, File, FileState, FileVersion, PictureFacts, VersionIdentity};
use shared::domain::format::SourceFormat;
use shared::domain::ids::{FileId, FileVersionId};
use shared::domain::lane::Lane;
use shared::domain::placeholder::Placeholder;
use shared::domain::preset::RecipeHash;
use shared::domain::representation::{Content, PageContent, Placement, Representation, State};
use shared::domain::source::{DeclaredFacts, SourceLocation};
use shared::ports::state_store::StoreError;

/// The identity of a version whose producer named none, until its source was read. One literal, so that a file has at
/// most one such version: the same event ten times cannot be told from ten versions in any other way.
pub(super) const UNRESOLVED: &str = "digest:";

/// A version's identity as stored.
pub(super) fn identity_text(identity: &VersionIdentity) -> String {
    match identity {
        VersionIdentity::Named(name) => text(&format!("named:{name}")),
        VersionIdentity::ByDigest(None) => UNRESOLVED.to_owned(),
        VersionIdentity::ByDigest(Some(digest)) => format!("{UNRESOLVED}{digest}"),
    }
}

/// Text from outside as stored. PostgreSQL refuses NUL in text and SQLite's functions stop at it, so it is replaced.
pub(super) fn text(from_outside: &str) -> String {
    from_outside.replace('\0', "\u{fffd}")
}

/// A duration as stored.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// A count of bytes as stored.
pub(super) fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as the database has it; it never has a negative one.
pub(super) fn natural(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// A duration from stored milliseconds; clocks that went back show as zero.
pub(super) fn duration(millis: i64) -> Duration {
    Duration::from_millis(natural(millis))
}

/// A file with one of its versions, as selected by `read`.
#[derive(Debug, FromQueryResult)]
pub(super) struct FileRow {
    file_id: i64,
    tenant: String,
    file_identity: String,
    file_name: String,
    parent: Option<String>,
    access: Option<String>,
    generation: i64,
    current_version_id: Option<i64>,
    file_created_at: i64,
    modified_at: i64,
    revision: i64,
    trashed_at: Option<i64>,
    pub(super) version_id: i64,
    version_identity: String,
    version_name: String,
    source_blob: Option<String>,
    source_bucket: Option<String>,
    source_key: Option<String>,
    source_version: Option<String>,
    declared_size: Option<i64>,
    declared_content_type: Option<String>,
    declared_etag: Option<String>,
    declared_sha256: Option<String>,
    sha1: Option<String>,
    length_bytes: Option<i64>,
    sha256: Option<String>,
    format: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    pages: Option<i64>,
    thumbhash: Option<String>,
    dominant_color: Option<String>,
    version_created_at: i64,
    version_trashed_at: Option<i64>,
}

/// A representation with one of its pages from 2 on, if it has any: one row for each.
#[derive(Debug, FromQueryResult)]
pub(super) struct RepresentationRow {
    pub(super) file_version_id: i64,
    preset: String,
    recipe: String,
    old_recipe: Option<String>,
    state: String,
    lane: String,
    attempts: i64,
    crashes: i64,
    pending_since: i64,
    due_at: i64,
    settled_at: Option<i64>,
    code: Option<String>,
    reason: Option<String>,
    blob: Option<String>,
    packed_name: Option<String>,
    packed_offset: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
    length_bytes: Option<i64>,
    pages: Option<i64>,
    page_number: Option<i64>,
    page_blob: Option<String>,
    page_packed_name: Option<String>,
    page_packed_offset: Option<i64>,
    page_width: Option<i64>,
    page_height: Option<i64>,
    page_length_bytes: Option<i64>,
}

/// Where a value was read; names the row in errors.
pub(super) struct Place {
    table: &'static str,
    id: String,
}

impl Place {
    pub(super) fn new(table: &'static str, id: impl Display) -> Self {
        Self { table, id: id.to_string() }
    }

    pub(super) fn impossible(&self, column: &'static str, problem: impl Display) -> StoreError {
        StoreError::Inconsistent { table: self.table, column, id: self.id.clone(), problem: problem.to_string() }
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&self, column: &'static str, value: &str) -> Result<T, StoreError> {
        value.parse().map_err(|problem| self.impossible(column, problem))
    }

    fn number<T: TryFrom<i64>>(&self, column: &'static str, value: i64) -> Result<T, StoreError> {
        T::try_from(value).map_err(|_| self.impossible(column, format!("{value} is out of range")))
    }

    pub(super) fn known<T>(
        &self,
        column: &'static str,
        value: Option<T>,
        found: impl Display,
    ) -> Result<T, StoreError> {
        value.ok_or_else(|| self.impossible(column, format!("{found:?} is none we know", found = found.to_string())))
    }

    fn set<T>(&self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.impossible(column, "is missing"))
    }
}

pub(super) fn file_id(id: i64) -> Result<FileId, StoreError> {
    FileId::new(id).ok_or_else(|| Place::new("file", id).impossible("id", "is out of range"))
}

pub(super) fn version_id(id: i64) -> Result<FileVersionId, StoreError> {
    FileVersionId::new(id).ok_or_else(|| Place::new("file_version", id).impossible("id", "is out of range"))
}

/// A value of a representation that was read alone.
pub(super) fn representation_value<T: FromStr<Err: Display>>(
    column: &'static str,
    version: FileVersionId,
    value: &str,
) -> Result<T, StoreError> {
    Place::new("representation", version).parse(column, value)
}

/// The lane of a representation; `id` names the row.
pub(super) fn lane(id: impl Display, name: &str) -> Result<Lane, StoreError> {
    Place::new("representation", id).known("lane", Lane::from_name(name), name)
}

/// How urgent a lane is: 0 is the most urgent.
pub(super) fn urgency(lane: Lane) -> usize {
    Lane::ALL.iter().position(|other| *other == lane).unwrap_or(Lane::ALL.len())
}

/// Files with their versions and those versions' rows, in the order of the files.
pub(super) fn file_states(
    files: &[FileRow],
    representations: Vec<RepresentationRow>,
) -> Result<Vec<FileState>, StoreError> {
    let mut of_version: BTreeMap<i64, Vec<RepresentationRow>> = BTreeMap::new();
    for row in representations {
        of_version.entry(row.file_version_id).or_default().push(row);
    }
    let state = |row: &FileRow| {
        let rows = of_version.remove(&row.version_id).unwrap_or_default();
        let by_preset = rows.chunk_by(|one, next| one.preset == next.preset);
        let representations = by_preset.map(representation).collect::<Result<_, _>>()?;
        Ok(FileState { file: file(row)?, version: version(row)?, representations })
    };
    files.iter().map(state).collect()
}

fn file(row: &FileRow) -> Result<File, StoreError> {
    let at = Place::new("file", row.file_id);
    let access = row.access.as_deref().map(serde_json::from_str).transpose();
    Ok(File {
        id: file_id(row.file_id)?,
        tenant: at.parse("tenant", &row.tenant)?,
        identity: row.file_identity.clone(),
        name: row.file_name.clone(),
        parent: row.parent.clone(),
        access: access.map_err(|problem| at.impossible("access", problem))?,
        generation: at.number("generation", row.generation)?,
        current_version: version_id(at.set("current_version_id", row.current_version_id)?)?,
        created_at: row.file_created_at,
        modified_at: row.modified_at,
        revision: at.number("revision", row.revision)?,
        trashed_at: row.trashed_at,
    })
}

fn version(row: &FileRow) -> Result<FileVersion, StoreError> {
    let at = Place::new("file_version", row.version_id);
    Ok(FileVersion {
        id: version_id(row.version_id)?,
        file_id: file_id(row.file_id)?,
        identity: version_identity(&at, &row.version_identity)?,
        source: source(&at, row)?,
        name: row.version_name.clone(),
        declared: DeclaredFacts {
            size: row.declared_size.map(|size| at.number("declared_size", size)).transpose()?,
            content_type: row.declared_content_type.clone(),
            etag: row.declared_etag.clone(),
            sha256: row.declared_sha256.as_deref().map(|hex| at.parse("declared_sha256", hex)).transpose()?,
        },
        sha1: row.sha1.clone(),
        bytes: byte_facts(&at, row)?,
        picture: picture_facts(&at, row)?,
        created_at: row.version_created_at,
        trashed_at: row.version_trashed_at,
    })
}

fn version_identity(at: &Place, stored: &str) -> Result<VersionIdentity, StoreError> {
    if let Some(name) = stored.strip_prefix("named:") {
        return Ok(VersionIdentity::Named(name.to_owned()));
    }
    match at.known("identity", stored.strip_prefix(UNRESOLVED), stored)? {
        "" => Ok(VersionIdentity::ByDigest(None)),
        digest => Ok(VersionIdentity::ByDigest(Some(at.parse("identity", digest)?))),
    }
}

fn source(at: &Place, row: &FileRow) -> Result<SourceLocation, StoreError> {
    match (&row.source_blob, &row.source_bucket, &row.source_key) {
        (Some(blob), None, None) => Ok(SourceLocation::Uploaded(at.parse("source_blob", blob)?)),
        (None, Some(bucket), Some(key)) => {
            let (bucket, key, version) = (bucket.clone(), key.clone(), row.source_version.clone());
            Ok(SourceLocation::Bucket { bucket, key, version })
        }
        _ => Err(at.impossible("source_blob", "a source is either a blob or a key in a bucket")),
    }
}

fn byte_facts(at: &Place, row: &FileRow) -> Result<Option<ByteFacts>, StoreError> {
    let Some(length) = row.length_bytes else { return Ok(None) };
    let sha256 = at.parse("sha256", at.set("sha256", row.sha256.as_deref())?)?;
    Ok(Some(ByteFacts { length_bytes: at.number("length_bytes", length)?, sha256 }))
}

fn picture_facts(at: &Place, row: &FileRow) -> Result<Option<PictureFacts>, StoreError> {
    let Some(format) = &row.format else { return Ok(None) };
    Ok(Some(PictureFacts {
        format: at.known("format", SourceFormat::from_name(format), format)?,
        dimensions: dimensions(at, row.width, row.height)?,
        pages: at.number("pages", at.set("pages", row.pages)?)?,
        placeholder: placeholder(at, row)?,
    }))
}

fn placeholder(at: &Place, row: &FileRow) -> Result<Option<Placeholder>, StoreError> {
    let Some(thumbhash) = &row.thumbhash else { return Ok(None) };
    let dominant_color = at.set("dominant_color", row.dominant_color.as_deref())?;
    Ok(Some(Placeholder {
        thumbhash: at.parse("thumbhash", thumbhash)?,
        dominant_color: at.parse("dominant_color", dominant_color)?,
    }))
}

fn dimensions(at: &Place, width: Option<i64>, height: Option<i64>) -> Result<Dimensions, StoreError> {
    let width = at.number("width", at.set("width", width)?)?;
    let height = at.number("height", at.set("height", height)?)?;
    Dimensions::new(width, height).ok_or_else(|| at.impossible("width", "width and height are at least 1"))
}

/// One representation from its rows: one for each page from 2 on, else a single one.
fn representation(rows: &[RepresentationRow]) -> Result<Representation, StoreError> {
    let row = &rows[0];
    let at = Place::new("representation", format!("{}/{}", row.file_version_id, row.preset));
    let last_failure = failure(&at, row)?;
    let state = match row.state.as_str() {
        // Made anew: until then it is what it was.
        "pending" if row.old_recipe.is_some() => State::Success(content(&at, rows)?),
        "pending" => State::Pending,
        "viewable" => State::Viewable(content(&at, rows)?),
        "success" => State::Success(content(&at, rows)?),
        "error" => State::Error(at.set("code", last_failure.clone())?),
        other => return Err(at.impossible("state", format!("{other:?} is none we know"))),
    };
    Ok(Representation {
        preset: at.parse("preset", &row.preset)?,
        recipe: RecipeHash::from_stored(row.old_recipe.as_ref().unwrap_or(&row.recipe).clone()),
        renewal: row.old_recipe.as_ref().map(|_| RecipeHash::from_stored(row.recipe.clone())),
        state,
        lane: lane(row.file_version_id, &row.lane)?,
        attempts: at.number("attempts", row.attempts)?,
        crashes: at.number("crashes", row.crashes)?,
        last_failure,
        pending_since: row.pending_since,
        due_at: row.due_at,
        settled_at: row.settled_at,
    })
}

fn failure(at: &Place, row: &RepresentationRow) -> Result<Option<Failure>, StoreError> {
    let Some(name) = &row.code else { return Ok(None) };
    let code = at.known("code", FailureCode::from_name(name), name)?;
    Ok(Some(Failure { code, reason: row.reason.clone().unwrap_or_default() }))
}

fn content(at: &Place, rows: &[RepresentationRow]) -> Result<Content, StoreError> {
    let row = &rows[0];
    let first = PageContent {
        placement: placement(at, row.blob.as_deref(), row.packed_name.as_deref(), row.packed_offset)?,
        dimensions: dimensions(at, row.width, row.height)?,
        length_bytes: at.number("length_bytes", at.set("length_bytes", row.length_bytes)?)?,
    };
    let mut pages = vec![first];
    for row in rows.iter().filter(|row| row.page_number.is_some()) {
        pages.push(page(row, pages.len() + 1)?);
    }
    let expected: usize = at.number("pages", at.set("pages", row.pages)?)?;
    if pages.len() != expected {
        return Err(at.impossible("pages", format!("{expected} are promised, {} are there", pages.len())));
    }
    Content::new(pages).ok_or_else(|| at.impossible("pages", "there is none"))
}

fn page(row: &RepresentationRow, expected_number: usize) -> Result<PageContent, StoreError> {
    let number = row.page_number.unwrap_or_default();
    let at = Place::new("page", format!("{}/{}/{number}", row.file_version_id, row.preset));
    if usize::try_from(number) != Ok(expected_number) {
        return Err(at.impossible("number", format!("page {expected_number} is missing before it")));
    }
    Ok(PageContent {
        placement: placement(&at, row.page_blob.as_deref(), row.page_packed_name.as_deref(), row.page_packed_offset)?,
        dimensions: dimensions(&at, row.page_width, row.page_height)?,
        length_bytes: at.number("length_bytes", at.set("length_bytes", row.page_length_bytes)?)?,
    })
}

fn placement(at: &Place, blob: Option<&str>, name: Option<&str>, offset: Option<i64>) -> Result<Placement, StoreError> {
    let blob: BlobKey = at.parse("blob", at.set("blob", blob)?)?;
    match (&blob, name) {
        (BlobKey::Pack { .. }, name) => Ok(Placement::Packed {
            name: at.parse("packed_name", at.set("packed_name", name)?)?,
            offset_bytes: at.number("packed_offset", at.set("packed_offset", offset)?)?,
            pack: blob,
        }),
        (_, None) => Ok(Placement::Own(blob)),
        (_, Some(_)) => Err(at.impossible("packed_name", format!("{blob} is no pack"))),
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::ids::Sha256Digest;

    use super::*;

    #[test]
    fn identities_round_trip_and_cannot_be_mistaken_for_one_another() {
        let digest = Sha256Digest::of(b"x");
        let identities = [
            VersionIdentity::Named("etag:abc".to_owned()),
            VersionIdentity::Named(String::new()),
            VersionIdentity::Named(UNRESOLVED.to_owned()),
            VersionIdentity::Named(format!("{UNRESOLVED}{digest}")),
            VersionIdentity::ByDigest(None),
            VersionIdentity::ByDigest(Some(digest)),
        ];
        let stored: Vec<String> = identities.iter().map(identity_text).collect();
        let distinct: std::collections::BTreeSet<&String> = stored.iter().collect();
        assert_eq!(distinct.len(), identities.len());
        for (identity, stored) in identities.iter().zip(&stored) {
            assert_eq!(version_identity(&Place::new("file_version", 1), stored).unwrap(), *identity);
        }
    }

    #[test]
    fn impossible_identities_name_table_column_and_row() {
        let error = version_identity(&Place::new("file_version", 7), "etag:1").unwrap_err();
        let said = r#"row 7 of table file_version has an impossible identity: "etag:1" is none we know"#;
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn urgency_is_the_order_of_the_list_of_lanes() {
        assert_eq!(Lane::ALL.map(urgency), [0, 1, 2, 3]);
    }

    #[test]
    fn absurd_durations_do_not_overflow_the_databases_clock() {
        assert!(millis(Duration::MAX).checked_add(millis(Duration::MAX)).is_some());
        assert_eq!(duration(-5), Duration::ZERO);
    }
}
