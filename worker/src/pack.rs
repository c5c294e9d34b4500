//! Packs: small pages of one attempt that are stored as one blob, since a put costs more than keeping what it puts.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use shared::domain::blob_key::{BlobKey, PageName};
use shared::domain::failure::Failure;
use shared::domain::ids::{Sha256Digest, Tenant};
use shared::domain::preset::Preset;
use shared::domain::representation::Placement;

use crate::child::Rendering;
use crate::put::put_blob;
use crate::worker::Worker;

/// Longest pack, bytes: so much is in memory twice while it is put. What comes after that begins another one.
const PACK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where pages are that were packed, or why they could not be stored. The others get blobs of their own.
pub(crate) type Packed = HashMap<PageName, Result<Placement, Failure>>;

/// Stores what of these is small enough by the configuration, together with what else is.
pub(crate) async fn pack<'a>(
    worker: &Worker,
    tenant: &Tenant,
    renderings: impl Iterator<Item = (&'a Preset, &'a Rendering)>,
) -> Packed {
    let mut packed = Packed::new();
    for pack in packs(pages(renderings), worker.deps.config.pack_bytes_max) {
        let key = BlobKey::Pack { tenant: tenant.clone(), digest: Sha256Digest::of(&pack.bytes) };
        let stored = put_blob(worker, &key, pack.bytes.into()).await;
        for (name, offset_bytes) in pack.pages {
            let placement = Placement::Packed { pack: key.clone(), offset_bytes, name };
            packed.insert(name, stored.clone().map(|()| placement));
        }
    }
    packed
}

fn pages<'a>(
    renderings: impl Iterator<Item = (&'a Preset, &'a Rendering)>,
) -> impl Iterator<Item = (PageName, &'a Bytes)> {
    let rendered = renderings.filter_map(|(preset, rendering)| Some((preset.format, rendering.result.as_ref().ok()?)));
    rendered.flat_map(|(format, pages)| {
        pages.iter().map(move |page| (PageName { digest: page.sha256, format }, &page.bytes))
    })
}

/// Pages one after the other, and how many bytes come before each.
#[derive(Debug, Default)]
struct Pack {
    bytes: Vec<u8>,
    pages: Vec<(PageName, u64)>,
}

/// The packs to put, each page in one of them once. One that would be alone is better off with a name of its own: then another
/// source's equal page can share it.
fn packs<'a>(pages: impl Iterator<Item = (PageName, &'a Bytes)>, page_bytes_max: u64) -> Vec<Pack> {
    let (mut packs, mut known): (Vec<Pack>, _) = (vec![Pack::default()], HashSet::new());
    for (name, bytes) in pages.filter(|(_, bytes)| bytes.len() as u64 <= page_bytes_max) {
        if !known.insert(name) {
            continue;
        }
        if packs.last().is_none_or(|last| last.bytes.len() + bytes.len() > PACK_BYTES_MAX) {
            packs.push(Pack::default());
        }
        if let Some(pack) = packs.last_mut() {
            pack.pages.push((name, pack.bytes.len() as u64));
            pack.bytes.extend_from_slice(bytes);
        }
    }
    packs.retain(|pack| pack.pages.len() > 1);
    packs
}

#[cfg(test)]
mod tests {
    use shared::domain::format::OutputFormat;

    use super::*;

    fn page(content: &[u8]) -> (PageName, Bytes) {
        (PageName { digest: Sha256Digest::of(content), format: OutputFormat::Jpg }, Bytes::copy_from_slice(content))
    }

    fn packed(pages: &[(PageName, Bytes)], page_bytes_max: u64) -> Vec<Pack> {
        packs(pages.iter().map(|(name, bytes)| (*name, bytes)), page_bytes_max)
    }

    #[test]
    fn what_is_small_comes_together_once() {
        let pages = [page(b"a"), page(b"much longer"), page(b"bcd"), page(b"a"), page(b"ef")];
        let packs = packed(&pages, 3);
        let [pack] = &packs[..] else { panic!("{packs:?}") };
        assert_eq!(pack.bytes, b"abcdef");
        assert_eq!(pack.pages, [(pages[0].0, 0), (pages[2].0, 1), (pages[4].0, 4)]);
    }

    #[test]
    fn what_would_be_alone_is_not_packed() {
        assert_eq!(packed(&[page(b"a"), page(b"a"), page(b"longer")], 3).len(), 0);
        assert_eq!(packed(&[page(b"a"), page(b"b")], 0).len(), 0, "switched off");
        assert_eq!(packed(&[], 3).len(), 0);
    }

    #[test]
    fn a_pack_is_no_longer_than_a_pack_may_be() {
        let pages: Vec<_> = (0..20_u8).map(|n| page(&[n; 1024 * 1024])).collect();
        let packs = packed(&pages, 1024 * 1024);
        assert_eq!(packs.iter().map(|pack| pack.pages.len()).collect::<Vec<_>>(), [8, 8, 4]);
        assert!(packs.iter().all(|pack| pack.bytes.len() <= PACK_BYTES_MAX));
    }
}
