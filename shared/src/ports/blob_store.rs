//! Bytes at rest: our own blob store, and the buckets that sources are read from.

use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::domain::blob_key::BlobKey;
use crate::domain::file::UnixMillis;
use crate::domain::representation::PageContent;
use crate::domain::source::SourceLocation;

/// Bytes as they arrive.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

/// Our own blobs. Keys contain the digest of their bytes, so a put of a key that is there may be skipped or repeated;
/// nothing depends on conditional writes.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores the bytes; when it returns, every reader finds all of them. A failed put leaves nothing half-stored.
    async fn put(&self, key: &BlobKey, body: BlobBody, content_type: &str) -> Result<(), BlobError>;

    /// The bytes from now on as they arrive; `range` must lie within the blob.
    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobRead, BlobError>;

    /// The bytes of a page, or of a part of it, wherever they are: nothing else that is in the same blob.
    async fn get_page(&self, page: &PageContent, part: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        self.get(page.blob(), page.range(part)).await
    }

    /// Whether the blob is there, and its length in bytes.
    async fn head(&self, key: &BlobKey) -> Result<Option<u64>, BlobError>;

    /// Deletes the blob; a missing one is fine.
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// A URL that lets anybody read the blob for `lifetime`, with these response headers; `None` when this store has
    /// no such thing and the bytes must be streamed.
    async fn presign(
        &self,
        key: &BlobKey,
        lifetime: Duration,
        headers: &PresignedHeaders,
    ) -> Result<Option<String>, BlobError>;

    /// Blobs after the place `after`, in an order of the store's own; looks at most at `limit` objects, and at none outside
    /// of its own directory or prefix.
    async fn list(&self, after: Option<&str>, limit: u32) -> Result<BlobPage, BlobError>;

    /// Answers when blobs can be written and read.
    async fn ping(&self) -> Result<(), BlobError>;
}

/// Sources, wherever they lie. Only allowed buckets are ever asked.
#[async_trait]
pub trait SourceStore: Send + Sync + 'static {
    /// The source's bytes as they arrive.
    async fn open(&self, source: &SourceLocation) -> Result<BlobRead, BlobError>;

    /// Some of the source's bytes; `range` must lie within it.
    async fn open_part(&self, source: &SourceLocation, range: Range<u64>) -> Result<BlobRead, BlobError>;

    /// Objects of an allowed bucket whose keys begin with `prefix` and come after the key `after`, in the order of
    /// their keys; at most `limit`. Fewer than that: there are no more.
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SourceObject>, BlobError>;

    /// The listed object with its version, which listings do not tell, and what else is true of that one; the object as it
    /// was listed where the bucket keeps no versions or the object is gone.
    async fn with_version(&self, bucket: &str, listed: SourceObject) -> Result<SourceObject, BlobError>;
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceObject {
    /// Its key, as events name it.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// The store's entity tag; `None` where stores have none.
    pub etag: Option<String>,
    /// When it was put, by the store's clock.
    pub modified_at: Option<UnixMillis>,
    /// The store's own id of this version, where it was asked for.
    pub version: Option<String>,
}

/// A blob in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlob {
    /// Which.
    pub key: BlobKey,
    /// Its length.
    pub length_bytes: u64,
    /// When it was put last, by the store's clock.
    pub modified_at: Option<UnixMillis>,
}

/// A part of the listing of a blob store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobPage {
    /// The blobs.
    pub blobs: Vec<StoredBlob>,
    /// How many objects are none of ours, as their names say; nobody touches them.
    pub foreign: u64,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<String>,
}

impl BlobPage {
    /// From the objects of one listing that was asked for at most `limit`.
    pub fn of(objects: Vec<SourceObject>, limit: u32) -> Self {
        let is_full = objects.len() >= limit as usize;
        let next = objects.last().filter(|_| is_full).map(|object| object.key.clone());
        let listed = objects.len();
        let blob = |object: SourceObject| {
            let key = object.key.parse().ok()?;
            Some(StoredBlob { key, length_bytes: object.size, modified_at: object.modified_at })
        };
        let blobs: Vec<StoredBlob> = objects.into_iter().filter_map(blob).collect();
        Self { foreign: (listed - blobs.len()) as u64, blobs, next }
    }
}

/// What is put.
#[derive(Debug, Clone)]
pub enum BlobBody {
    /// Small enough to be in memory already.
    Bytes(Bytes),
    /// A file of ours with its length in bytes; it stays the caller's.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its length.
        length_bytes: u64,
    },
}

/// A read that has begun.
pub struct BlobRead {
    /// How many bytes will come.
    pub length_bytes: u64,
    /// The bytes. Ends with an error when fewer came than promised.
    pub stream: ByteStream,
}

/// What a presigned URL answers with besides the bytes.
#[derive(Debug, Clone, Default)]
pub struct PresignedHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
}

/// Why a blob could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It is not there (yet).
    #[error("{0} is not there")]
    NotFound(String),
    /// The store refuses us.
    #[error("access to {0} was refused: {1}")]
    Forbidden(String, String),
    /// No space left.
    #[error("the blob store has no space left")]
    NoSpace,
    /// The source's bucket is not one that the configuration allows.
    #[error("bucket {0:?} is not configured as a source")]
    UnknownBucket(String),
    /// The store did not answer, or answered with an error of its own; the same call may succeed later.
    #[error("the blob store is away: {0}")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
}
