//! Looking a bucket through: one page of its listing against the rows, registering what is missing.

use std::collections::BTreeMap;

use crate::domain::file::NewFileVersion;
use crate::domain::lane::Lane;
use crate::domain::preset::PresetTable;
use crate::domain::source::AllowedBuckets;
use crate::event;
use crate::ports::blob_store::{BlobError, SourceObject, SourceStore};
use crate::ports::scan::{KnownSource, ScanCount, ScanStore};
use crate::ports::state_store::{StateStore, StoreError};
use crate::ports::work_queue::WorkQueue;
use crate::register::register;

/// Objects on one page: what S3 lists with one request.
pub const PAGE_OBJECTS: u32 = 1000;

/// What a scan works with.
pub struct Scan<'a> {
    /// The rows.
    pub store: &'a dyn StateStore,
    /// Cursors, and which files are known.
    pub scans: &'a dyn ScanStore,
    /// The listing.
    pub sources: &'a dyn SourceStore,
    /// Where wakes go.
    pub queue: &'a dyn WorkQueue,
    /// The buckets that may be looked through.
    pub buckets: &'a AllowedBuckets,
    /// What is to be made.
    pub presets: &'a PresetTable,
    /// The bucket's name, as events name it.
    pub bucket: &'a str,
    /// Only keys that begin with this.
    pub prefix: &'a str,
    /// The lane of what is registered.
    pub lane: Lane,
}

/// What [`Scan::page`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedPage {
    /// The last key; `None` when the listing has ended.
    pub after: Option<String>,
    /// What was done.
    pub count: ScanCount,
}

/// Why a page could not be looked through.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The rows.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listing.
    #[error(transparent)]
    Bucket(#[from] BlobError),
}

impl Scan<'_> {
    /// Looks one page through. Repeated, it finds everything registered.
    pub async fn page(&self, after: Option<&str>) -> Result<ScannedPage, ScanError> {
        let objects = self.sources.list(self.bucket, self.prefix, after, PAGE_OBJECTS).await?;
        let is_last = objects.len() < PAGE_OBJECTS as usize;
        let last = objects.last().map(|object| object.key.clone());
        let listed = objects.len() as u64;
        let mut registered = 0;
        let missing = self.missing(objects).await?;
        for new in self.versioned(missing).await? {
            // A wake that could not be published costs the sweeper's patience and no more.
            registered += u64::from(register(self.store, self.queue, &new).await?.registration.is_new);
        }
        Ok(ScannedPage { after: last.filter(|_| !is_last), count: ScanCount { listed, registered } })
    }

    /// What is in the listing and not in the rows, or there with other bytes.
    async fn missing(&self, objects: Vec<SourceObject>) -> Result<Missing, StoreError> {
        let read = |object: SourceObject| self.read(&object).map(|new| (object, new));
        let found: Missing = objects.into_iter().filter_map(read).collect();
        let Some(tenant) = found.first().map(|(_, new)| new.tenant.clone()) else { return Ok(Vec::new()) };
        let identities: Vec<String> = found.iter().map(|(_, new)| new.file_identity.clone()).collect();
        let known = self.scans.known(&tenant, &identities).await?;
        let known: BTreeMap<&str, &KnownSource> = known.iter().map(|known| (known.identity.as_str(), known)).collect();
        let is_missing =
            |new: &NewFileVersion| known.get(new.file_identity.as_str()).is_none_or(|known| differs(known, new));
        Ok(found.into_iter().filter(|(_, new)| is_missing(new)).collect())
    }

    /// The versions of what is missing, each asked for on its own: listings do not tell them. Where the first object has
    /// none, the bucket keeps none.
    async fn versioned(&self, missing: Missing) -> Result<Vec<NewFileVersion>, BlobError> {
        let mut versioned = Vec::with_capacity(missing.len());
        let mut has_versions = true;
        for (object, new) in missing {
            if !has_versions {
                versioned.push(new);
                continue;
            }
            let object = self.sources.with_version(self.bucket, object).await?;
            has_versions = object.version.is_some();
            versioned.push(self.read(&object).unwrap_or(new));
        }
        Ok(versioned)
    }

    fn read(&self, object: &SourceObject) -> Option<NewFileVersion> {
        event::of_listed_object(self.bucket, object, self.lane, self.buckets, self.presets)
    }
}

/// Objects that no row knows, with what to register for them.
type Missing = Vec<(SourceObject, NewFileVersion)>;

/// Whether the object has other bytes than the version that is shown: by the entity tag where both have one, else by the
/// length.
fn differs(known: &KnownSource, new: &NewFileVersion) -> bool {
    match (&known.etag, &new.declared.etag) {
        (Some(shown), Some(listed)) => shown != listed,
        _ => matches!((known.size, new.declared.size), (Some(shown), Some(listed)) if shown != listed),
    }
}
