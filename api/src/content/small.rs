//! The smallest representations, kept in memory: a page of thumbnails asks for many of them at once.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use shared::domain::blob_key::BlobKey;
use shared::ports::blob_store::{BlobBody, BlobError, BlobPage, BlobRead, BlobStore, PresignedHeaders};

/// Longest blob that is kept, in bytes: 32x32 and 94x94 are far below, most of 160x160 too.
const BLOB_BYTES_MAX: u64 = 16 * 1024;
/// Most bytes that are kept, keys included.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// What an entry costs beside its bytes: key, links, allocations.
const ENTRY_BYTES: usize = 256;

/// A blob store with the smallest of its representations in front. Names contain the digest of the bytes, so nothing
/// kept is ever wrong; who may see them is decided before anybody asks here.
pub(crate) struct SmallBlobs {
    behind: Arc<dyn BlobStore>,
    kept: Mutex<Kept>,
}

/// Entries in the order in which they came; the oldest go first.
#[derive(Default)]
struct Kept {
    blobs: HashMap<String, Bytes>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Kept {
    fn put(&mut self, key: String, bytes: Bytes) {
        if self.blobs.contains_key(&key) {
            return;
        }
        self.bytes += bytes.len() + ENTRY_BYTES;
        self.order.push_back(key.clone());
        self.blobs.insert(key, bytes);
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.blobs.remove(&oldest).map_or(0, |bytes| bytes.len() + ENTRY_BYTES);
        }
    }
}

impl SmallBlobs {
    pub(crate) fn new(behind: Arc<dyn BlobStore>) -> Self {
        Self { behind, kept: Mutex::default() }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads to the end what is small; a read that breaks off leaves nothing here.
    async fn keep(&self, key: String, read: BlobRead) -> Result<BlobRead, BlobError> {
        let mut whole = BytesMut::new();
        let mut stream = read.stream;
        while let Some(chunk) = stream.next().await {
            whole.extend_from_slice(&chunk?);
        }
        let whole = whole.freeze();
        self.kept().put(key, whole.clone());
        Ok(in_memory(whole))
    }
}

fn in_memory(bytes: Bytes) -> BlobRead {
    BlobRead { length_bytes: bytes.len() as u64, stream: Box::pin(stream::once(async move { Ok(bytes) })) }
}

#[async_trait]
impl BlobStore for SmallBlobs {
    async fn put(&self, key: &BlobKey, body: BlobBody, content_type: &str) -> Result<(), BlobError> {
        self.behind.put(key, body, content_type).await
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        if !matches!(key, BlobKey::Representation { .. }) || range.is_some() {
            return self.behind.get(key, range).await;
        }
        let name = key.to_string();
        let kept = self.kept().blobs.get(&name).cloned();
        if let Some(bytes) = kept {
            return Ok(in_memory(bytes));
        }
        let read = self.behind.get(key, range).await?;
        if read.length_bytes <= BLOB_BYTES_MAX { self.keep(name, read).await } else { Ok(read) }
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        self.behind.head(key).await
    }

    /// What is kept stays until its turn comes: no row leads to it any more.
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        self.behind.delete(key).await
    }

    async fn presign(
        &self,
        key: &BlobKey,
        lifetime: Duration,
        headers: &PresignedHeaders,
    ) -> Result<Option<String>, BlobError> {
        self.behind.presign(key, lifetime, headers).await
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<BlobPage, BlobError> {
        self.behind.list(after, limit).await
    }

    async fn ping(&self) -> Result<(), BlobError> {
        self.behind.ping().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let mut kept = Kept::default();
        let blob = Bytes::from(vec![0; BLOB_BYTES_MAX as usize]);
        let fits = BYTES_MAX / (blob.len() + ENTRY_BYTES);
        for n in 0..fits + 3 {
            kept.put(n.to_string(), blob.clone());
            kept.put(n.to_string(), blob.clone());
        }
        assert_eq!((kept.blobs.len(), kept.order.len()), (fits, fits));
        assert!(kept.bytes <= BYTES_MAX && !kept.blobs.contains_key("2") && kept.blobs.contains_key("3"));
    }
}
