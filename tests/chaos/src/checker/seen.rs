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
    pub(crate) lease_token: Option<String>,
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
}

const VERSIONS: &str = "
SELECT file_version.id, file_version.file_id, file_version.name, file_version.source_blob, file.current_version_id
FROM file_version JOIN file ON file.id = file_version.file_id ORDER BY file_version.id";
const ROWS: &str = "SELECT file_version_id, preset, state, code, blob, lease_token FROM representation";
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
        })
    }
}
