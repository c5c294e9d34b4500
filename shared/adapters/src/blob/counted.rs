//! Counts what blob stores are asked for, and what goes wrong with it, once, where it leaves the adapter.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use shared::domain::blob_key::BlobKey;
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::{
    BlobBody, BlobError, BlobPage, BlobRead, BlobStore, PresignedHeaders, SourceObject, SourceStore,
};

/// The same store, with its requests and errors counted.
pub(super) struct Counted<S>(pub(super) S);

#[async_trait]
impl<S: BlobStore> BlobStore for Counted<S> {
    async fn put(&self, key: &BlobKey, body: BlobBody, content_type: &str) -> Result<(), BlobError> {
        sent("put");
        self.0.put(key, body, content_type).await.inspect_err(count)
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        sent("get");
        self.0.get(key, range).await.map(counted_read).inspect_err(count)
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        sent("head");
        self.0.head(key).await.inspect_err(count)
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        sent("delete");
        self.0.delete(key).await.inspect_err(count)
    }

    async fn presign(
        &self,
        key: &BlobKey,
        lifetime: Duration,
        headers: &PresignedHeaders,
    ) -> Result<Option<String>, BlobError> {
        self.0.presign(key, lifetime, headers).await.inspect_err(count)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<BlobPage, BlobError> {
        sent("list");
        self.0.list(after, limit).await.inspect_err(count)
    }

    async fn ping(&self) -> Result<(), BlobError> {
        self.0.ping().await.inspect_err(count)
    }
}

#[async_trait]
impl<S: SourceStore> SourceStore for Counted<S> {
    async fn open(&self, source: &SourceLocation) -> Result<BlobRead, BlobError> {
        sent_to_bucket(source);
        self.0.open(source).await.map(counted_read).inspect_err(count)
    }

    async fn open_part(&self, source: &SourceLocation, range: Range<u64>) -> Result<BlobRead, BlobError> {
        sent_to_bucket(source);
        self.0.open_part(source, range).await.map(counted_read).inspect_err(count)
    }

    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SourceObject>, BlobError> {
        sent("list");
        self.0.list(bucket, prefix, after, limit).await.inspect_err(count)
    }

    async fn with_version(&self, bucket: &str, listed: SourceObject) -> Result<SourceObject, BlobError> {
        sent("head");
        self.0.with_version(bucket, listed).await.inspect_err(count)
    }
}

fn counted_read(read: BlobRead) -> BlobRead {
    BlobRead { length_bytes: read.length_bytes, stream: Box::pin(read.stream.inspect_err(count)) }
}

/// Our own blobs are counted by their own store.
fn sent_to_bucket(source: &SourceLocation) {
    if let SourceLocation::Bucket { .. } = source {
        sent("get");
    }
}

fn sent(operation: &'static str) {
    metrics::counter!(shared::telemetry::BLOB_REQUESTS, "operation" => operation).increment(1);
}

/// What is not there, or not allowed by the configuration, is an answer and no error of the store.
fn count(error: &BlobError) {
    match error {
        BlobError::NotFound(_) | BlobError::UnknownBucket(_) => {}
        BlobError::Forbidden(..) | BlobError::NoSpace | BlobError::Away(_) => {
            metrics::counter!(shared::telemetry::DEPENDENCY_ERRORS, "dependency" => "blobs").increment(1);
        }
    }
}
