//! The smallest representations, kept in memory: a page of thumbnails asks for many of them at once.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use shared::domain::blob_key::BlobKey;
use shared::domain::ids::{Sha256Digest, Tenant};
use shared::domain::representation::PageContent;
use shared::ports::blob_store::{BlobBody, BlobError, BlobPage, BlobRead, BlobStore, PresignedHeaders};

/// Longest page that is kept, in bytes: 32x32 and 94x94 are far below, most of 160x160 too.
const PAGE_BYTES_MAX: u64 = 16 * 1024;
/// Most bytes that are kept, names included.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// What an entry costs beside its bytes: name, links, allocations.
const ENTRY_BYTES: usize = 256;

/// A blob store with the smallest of its pages in front. Names contain the digest of the bytes, so nothing
/// kept is ever wrong; who may see them is decided before anybody asks here.
pub(crate) struct SmallBlobs {
    behind: Arc<dyn BlobStore>,
    kept: Mutex<Kept>,
}

/// Whose page, and which.
type Name = (Tenant, Sha256Digest);

/// Entries in the order in which they came; the oldest go first.
#[derive(Default)]
struct Kept {
    pages: HashMap<Name, Bytes>,
    order: VecDeque<Name>,
    bytes: usize,
}

impl Kept {
    fn put(&mut self, name: Name, bytes: Bytes) {
        if self.pages.contains_key(&name) {
            return;
        }
        self.bytes += bytes.len() + ENTRY_BYTES;
        self.order.push_back(name.clone());
        self.pages.insert(name, bytes);
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.pages.remove(&oldest).map_or(0, |bytes| bytes.len() + ENTRY_BYTES);
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
    async fn keep(&self, name: Name, read: BlobRead) -> Result<BlobRead, BlobError> {
        let mut whole = BytesMut::new();
        let mut stream = read.stream;
        while let Some(chunk) = stream.next().await {
            whole.extend_from_slice(&chunk?);
        }
        let whole = whole.freeze();
        self.kept().put(name, whole.clone());
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
        self.behind.get(key, range).await
    }

    async fn get_page(&self, page: &PageContent, part: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        if part.is_some() {
            return self.behind.get_page(page, part).await;
        }
        let name = (page.blob().tenant().clone(), page.sha256());
        let kept = self.kept().pages.get(&name).cloned();
        if let Some(bytes) = kept {
            return Ok(in_memory(bytes));
        }
        let read = self.behind.get_page(page, None).await?;
        if read.length_bytes <= PAGE_BYTES_MAX { self.keep(name, read).await } else { Ok(read) }
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
        let page = Bytes::from(vec![0; PAGE_BYTES_MAX as usize]);
        let name = |n: usize| ("t".parse().unwrap(), Sha256Digest::of(&n.to_le_bytes()));
        let fits = BYTES_MAX / (page.len() + ENTRY_BYTES);
        for n in 0..fits + 3 {
            kept.put(name(n), page.clone());
            kept.put(name(n), page.clone());
        }
        assert_eq!((kept.pages.len(), kept.order.len()), (fits, fits));
        assert!(kept.bytes <= BYTES_MAX && !kept.pages.contains_key(&name(2)) && kept.pages.contains_key(&name(3)));
    }
}
