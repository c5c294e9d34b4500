//! Stores the pages of a representation; only when every reader finds them may a row say so.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shared::domain::blob_key::{BlobKey, PageName};
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::OutputFormat;
use shared::domain::ids::Tenant;
use shared::domain::representation::{Content, PageContent, Placement};
use shared::ports::blob_store::BlobBody;

use crate::child::RenderedPage;
use crate::dependency::chain;
use crate::pack::Packed;
use crate::worker::Worker;

/// Pages of one representation that are stored at the same time.
const PUTS_AT_ONCE: usize = 4;

/// Stores the pages, page 1 first, under keys made of their digests; what is in a pack already stays there.
pub(crate) async fn put(
    worker: &Worker,
    tenant: &Tenant,
    format: OutputFormat,
    pages: Vec<RenderedPage>,
    packed: &Packed,
) -> Result<Content, Failure> {
    let puts = pages.into_iter().map(|page| put_page(worker, tenant, format, page, packed));
    let stored: Vec<PageContent> = stream::iter(puts).buffered(PUTS_AT_ONCE).try_collect().await?;
    Content::new(stored).ok_or_else(|| Failure::new(FailureCode::EncodeFailed, "the representation has no page"))
}

/// The same page under a key of this tenant; what is under one already stays where it is.
pub(crate) async fn copy_page(worker: &Worker, tenant: &Tenant, page: PageContent) -> Result<PageContent, Failure> {
    let (digest, format) = match &page.placement {
        Placement::Own(BlobKey::Representation { digest, format, .. }) => (*digest, *format),
        Placement::Packed { name, .. } => (name.digest, name.format),
        Placement::Own(_) => return Ok(page),
    };
    if page.blob().tenant() == tenant {
        return Ok(page);
    }
    let blob = BlobKey::Representation { tenant: tenant.clone(), digest, format };
    let copying = async {
        let read = worker.deps.blobs.get_page(&page, None).await?;
        let chunks: Vec<Bytes> = read.stream.try_collect().await?;
        worker.deps.blobs.put(&blob, BlobBody::Bytes(chunks.concat().into()), format.media_type()).await
    };
    let copied = worker.dependencies.blobs.note(copying.await);
    copied.map_err(|error| Failure::new(FailureCode::DependencyDown, chain(&error)))?;
    Ok(PageContent { placement: Placement::Own(blob), ..page })
}

async fn put_page(
    worker: &Worker,
    tenant: &Tenant,
    format: OutputFormat,
    page: RenderedPage,
    packed: &Packed,
) -> Result<PageContent, Failure> {
    let (dimensions, length_bytes) = (page.dimensions, page.bytes.len() as u64);
    if let Some(placement) = packed.get(&PageName { digest: page.sha256, format }) {
        return Ok(PageContent { placement: placement.clone()?, dimensions, length_bytes });
    }
    let blob = BlobKey::Representation { tenant: tenant.clone(), digest: page.sha256, format };
    #[cfg(feature = "test-hooks")]
    if shared::test_hooks::breaks(shared::test_hooks::Broken::RowBeforeBlob) {
        let (blobs, key, bytes) = (worker.deps.blobs.clone(), blob.clone(), page.bytes);
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            blobs.put(&key, BlobBody::Bytes(bytes), format.media_type()).await
        });
        return Ok(PageContent { placement: Placement::Own(blob), dimensions, length_bytes });
    }
    put_blob(worker, &blob, page.bytes).await?;
    Ok(PageContent { placement: Placement::Own(blob), dimensions, length_bytes })
}

/// Stores one blob of ours. Whatever the store says, it is not the source's fault: time without the store does not count.
pub(crate) async fn put_blob(worker: &Worker, blob: &BlobKey, bytes: Bytes) -> Result<(), Failure> {
    let stored = worker.deps.blobs.put(blob, BlobBody::Bytes(bytes), blob.media_type()).await;
    worker.dependencies.blobs.note(stored).map_err(|error| Failure::new(FailureCode::DependencyDown, chain(&error)))
}
