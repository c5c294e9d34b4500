//! The spool: an upload's bytes in a temporary file, counted and hashed as they arrive.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use shared::domain::ids::Sha256Digest;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use crate::error::ApiError;

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 * 1024;

/// What names of files in the spool begin with.
const PREFIX: &str = "thumbline-upload-";
/// Nobody sends an upload for so long: a file that was not written to since is of a process that was killed.
const ABANDONED: Duration = Duration::from_hours(24);

/// Removes what processes that were killed have left in the spool directory. What cannot be removed stays.
pub fn remove_abandoned(directory: &str) {
    let Ok(entries) = std::fs::read_dir(place(directory)) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let untouched = entry.metadata().and_then(|facts| facts.modified()).map(|written| written.elapsed());
        if matches!(untouched, Ok(Ok(untouched)) if untouched > ABANDONED) {
            let removed = std::fs::remove_file(entry.path());
            tracing::info!(file = %entry.path().display(), ?removed, "an upload that a killed process has left");
        }
    }
}

/// The spool directory: the system's temporary directory unless one is named.
fn place(directory: &str) -> PathBuf {
    if directory.is_empty() { std::env::temp_dir() } else { PathBuf::from(directory) }
}

/// A file that is being filled; dropped at any time, it is gone.
pub(crate) struct Spool {
    path: TempPath,
    file: BufWriter<File>,
    bytes_max: u64,
    length_bytes: u64,
    sha256: Sha256,
    sha1: Sha1,
}

/// All bytes of an upload; dropped, they are gone.
#[derive(Debug)]
pub(crate) struct Spooled {
    path: TempPath,
    /// How many bytes.
    pub(crate) length_bytes: u64,
    /// SHA-256 of them.
    pub(crate) sha256: Sha256Digest,
    /// SHA-1 of them in hex; Box clients compare it.
    pub(crate) sha1: String,
}

impl Spooled {
    /// Where the bytes are.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }
}

impl Spool {
    /// An empty file in `directory`, or in the system's temporary directory when that is empty.
    pub(crate) async fn create(directory: &str, bytes_max: u64) -> Result<Self, ApiError> {
        let directory = place(directory);
        let named = tokio::task::spawn_blocking(move || create_in(&directory)).await;
        let (file, path) = named.map_err(|error| ApiError::Internal(error.into()))?.map_err(refuse)?.into_parts();
        let file = BufWriter::with_capacity(WRITE_BYTES, File::from_std(file));
        Ok(Self { path, file, bytes_max, length_bytes: 0, sha256: Sha256::new(), sha1: Sha1::new() })
    }

    /// Adds bytes; refuses those beyond the limit before they are written.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        self.length_bytes += bytes.len() as u64;
        if self.length_bytes > self.bytes_max {
            return Err(ApiError::TooLarge { bytes_max: self.bytes_max });
        }
        self.sha256.update(bytes);
        self.sha1.update(bytes);
        self.file.write_all(bytes).await.map_err(refuse)
    }

    /// Everything is there.
    pub(crate) async fn finish(mut self) -> Result<Spooled, ApiError> {
        self.file.flush().await.map_err(refuse)?;
        Ok(Spooled {
            path: self.path,
            length_bytes: self.length_bytes,
            sha256: Sha256Digest::from_bytes(self.sha256.finalize().into()),
            sha1: self.sha1.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

fn create_in(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(PREFIX).tempfile_in(directory)
}

fn refuse(error: io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ApiError::NoSpace(error.into()),
        _ => ApiError::Internal(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_are_counted_hashed_and_gone_with_the_spool() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(directory.path().to_str().unwrap(), 3).await.unwrap();
        spool.write(b"ab").await.unwrap();
        spool.write(b"c").await.unwrap();
        let spooled = spool.finish().await.unwrap();
        assert_eq!(tokio::fs::read(spooled.path()).await.unwrap(), b"abc");
        assert_eq!(spooled.length_bytes, 3);
        assert_eq!(spooled.sha256, Sha256Digest::of(b"abc"));
        assert_eq!(spooled.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        drop(spooled);
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_killed_processes_left_is_removed_once_nobody_can_be_writing_it() {
        let directory = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - 2 * ABANDONED;
        for (name, age) in [("thumbline-upload-old", Some(old)), ("thumbline-upload-new", None), ("other", Some(old))] {
            let file = std::fs::File::create(directory.path().join(name)).unwrap();
            age.into_iter().for_each(|age| file.set_modified(age).unwrap());
        }
        remove_abandoned(directory.path().to_str().unwrap());
        remove_abandoned("/there/is/no/such/directory");
        let mut left: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["other", "thumbline-upload-new"]);
    }

    #[tokio::test]
    async fn the_limit_is_exact_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(directory.path().to_str().unwrap(), 3).await.unwrap();
        assert!(matches!(spool.write(b"abcd").await, Err(ApiError::TooLarge { bytes_max: 3 })));
        drop(spool);
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }

    /// `/dev/full` is a device that has no space left, whatever is written.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_is_told_as_such() {
        let file = tokio::fs::OpenOptions::new().write(true).open("/dev/full").await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(directory.path().to_str().unwrap(), 1 << 20).await.unwrap();
        spool.file = BufWriter::new(file);
        let written = spool.write(&[0; 100_000]).await;
        let ended = match written {
            Ok(()) => spool.finish().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(matches!(ended, Err(ApiError::NoSpace(_))), "{ended:?}");
    }
}
