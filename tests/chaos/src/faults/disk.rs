//! No room for blobs: their small file system is filled for a while.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

const FILLER: &str = "filler";

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
