//! What is there: rows, the ledger, parked messages, blobs, queues, and what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::FromQueryResult;

use super::{broker, told};
use crate::system::System;

/// A file version.
#[derive(Debug, Clone, Default, FromQueryResult)]
pub(crate) struct Version {
    pub(crate) id: i64,
    pub(crate) file_id: i64,
    pub(crate) name: String,
    pub(crate) source_blob: Option<String>,
    pub(crate) current_version_id: Option<i64>,
}

/// A representation.
#[derive(Debug, Clone, Default, FromQueryResult)]
pub(crate) struct Row {
    pub(crate) file_version_id: i64,
    pub(crate) preset: String,
    pub(crate) state: String,
    pub(crate) code: Option<String>,
    pub(crate) blob: Option<String>,
    pub(crate) packed_name: Option<String>,
    pub(crate) packed_offset: Option<i64>,
    pub(crate) length_bytes: Option<i64>,
    pub(crate) lease_token: Option<String>,
}

/// Bytes of a blob, from the first on and before the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) blob: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Part {
    /// These of the bytes of the blob; `None` when they are not all there.
    pub(crate) fn of<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(usize::try_from(self.from).ok()?..usize::try_from(self.to).ok()?)
    }
}

impl Row {
    /// What of its blob a row means that has not all of it.
    pub(crate) fn part(&self) -> Option<Part> {
        let from = self.packed_offset?;
        Some(Part { blob: self.blob.clone()?, from, to: from.checked_add(self.length_bytes?)? })
    }

    /// What names the row's bytes: the key of its blob, or the name that they have within it.
    pub(crate) fn named(&self) -> Option<&str> {
        self.packed_name.as_deref().or(self.blob.as_deref())
    }
}

/// An entry of the ledger.
#[derive(Debug, Clone, Default, FromQueryResult)]
pub(crate) struct Entry {
    pub(crate) file_version_id: i64,
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) claim: Option<String>,
    pub(crate) presets: String,
}

#[derive(FromQueryResult)]
struct Text {
    text: String,
}

#[derive(FromQueryResult)]
struct Bytes {
    body: Vec<u8>,
}

/// Everything that is judged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) versions: Vec<Version>,
    pub(crate) rows: Vec<Row>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) parked: BTreeSet<Vec<u8>>,
    /// Blobs that further pages refer to.
    pub(crate) pages: Vec<String>,
    /// Blobs that wait to be deleted.
    pub(crate) condemned: BTreeSet<String>,
    /// News that were written and not told.
    pub(crate) untold: i64,
    pub(crate) told: told::Told,
    /// Messages that are left, by queue.
    pub(crate) queues: BTreeMap<String, u64>,
    /// Every object's digest, by its key; the digest is of the bytes that were read.
    pub(crate) blobs: BTreeMap<String, String>,
    /// The digest of what rows mean of blobs that are packs.
    pub(crate) parts: BTreeMap<Part, String>,
}

const VERSIONS: &str = "
SELECT file_version.id, file_version.file_id, file_version.name, file_version.source_blob, file.current_version_id
FROM file_version JOIN file ON file.id = file_version.file_id ORDER BY file_version.id";
const ROWS: &str = "
SELECT file_version_id, preset, state, code, blob, packed_name, packed_offset, length_bytes, lease_token FROM representation";
const ENTRIES: &str = "SELECT file_version_id, at, kind, claim, presets FROM ledger ORDER BY id";
const PARKED: &str = "SELECT body FROM parked";
const PAGES: &str = "SELECT blob AS text FROM page";
const CONDEMNED: &str = "SELECT key AS text FROM condemned_blob WHERE condemned_at IS NOT NULL";
pub(super) const UNTOLD: &str = "
SELECT (SELECT count(*) FROM outbox) + (SELECT last_position - published_position FROM announcement_log) AS number";

impl Seen {
    /// All but the blobs.
    pub(crate) async fn read(system: &Arc<System>) -> anyhow::Result<Self> {
        let database = &system.database;
        let parked: Vec<Bytes> = database.rows(PARKED).await?;
        let pages: Vec<Text> = database.rows(PAGES).await?;
        let condemned: Vec<Text> = database.rows(CONDEMNED).await?;
        Ok(Self {
            versions: database.rows(VERSIONS).await?,
            rows: database.rows(ROWS).await?,
            entries: database.rows(ENTRIES).await?,
            parked: parked.into_iter().map(|row| row.body).collect(),
            pages: pages.into_iter().map(|row| row.text).collect(),
            condemned: condemned.into_iter().map(|row| row.text).collect(),
            untold: database.number(UNTOLD).await?,
            told: told::read(system).await?,
            queues: broker::left(system).await?,
            blobs: BTreeMap::new(),
            parts: BTreeMap::new(),
        })
    }
}
