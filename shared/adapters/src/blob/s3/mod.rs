//! Blobs in a bucket of Amazon S3, or of what speaks like it.

mod bucket;
mod client;
mod fault;
mod upload;

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use shared::domain::blob_key::BlobKey;
use shared::ports::blob_store::{BlobBody, BlobError, BlobPage, BlobRead, BlobStore, PresignedHeaders};

pub(super) use self::bucket::Bucket;
pub(super) use self::client::{Client, http_client};

/// Most objects in one answer, by the protocol.
const LISTED_MAX: u32 = 1000;

/// A [`BlobStore`] in a bucket, below a prefix. It needs no conditional puts and no returned checksums: servers differ.
pub(super) struct S3Store {
    bucket: Bucket,
}

impl S3Store {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }
}

#[async_trait]
impl BlobStore for S3Store {
    async fn put(&self, key: &BlobKey, body: BlobBody, content_type: &str) -> Result<(), BlobError> {
        upload::put(&self.bucket, &key.to_string(), &body, content_type).await
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        self.bucket.get(&key.to_string(), range).await
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        self.bucket.head(&key.to_string()).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        self.bucket.delete(&key.to_string()).await
    }

    async fn presign(
        &self,
        key: &BlobKey,
        lifetime: Duration,
        headers: &PresignedHeaders,
    ) -> Result<Option<String>, BlobError> {
        self.bucket.presign(&key.to_string(), lifetime, headers).await.map(Some)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<BlobPage, BlobError> {
        let limit = limit.min(LISTED_MAX);
        Ok(BlobPage::of(self.bucket.list("", after, limit).await?, limit))
    }

    async fn ping(&self) -> Result<(), BlobError> {
        self.bucket.ping().await
    }
}
