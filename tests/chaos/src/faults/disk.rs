//! No room for blobs: their small file system is filled for a while.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use rustix::thread::{CapabilitySet, capabilities};

const FILLER: &str = "filler";

/// Whether a small file system of one's own can be mounted here: root may, but not in every container.
pub(crate) fn can_be_filled() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Fills it to the last byte for so long.
pub(super) async fn fill(directory: &Path, lasts: Duration) -> anyhow::Result<()> {
    let path = directory.join(FILLER);
    let mut file = std::fs::File::create(&path)?;
    let piece = vec![0; 1 << 20];
    while file.write(&piece).is_ok_and(|written| written > 0) {}
    tokio::time::sleep(lasts).await;
    std::fs::remove_file(path)?;
    Ok(())
}
