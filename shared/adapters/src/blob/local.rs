//! Blobs as files below one directory: written aside, flushed to the disk, then named.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use shared::domain::blob_key::BlobKey;
use shared::ports::blob_store::{BlobBody, BlobError, BlobPage, BlobRead, BlobStore, PresignedHeaders};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::{reading, sources};

/// Below the root: files that are being written. The same file system as the blobs, so that naming them is atomic.
const INCOMING: &str = ".incoming";
/// Files that were left behind by a process that died are removed after this long; no put takes so long.
const STALE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest wait for bytes from the disk; network file systems may hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// A [`BlobStore`] in a directory. All blocking calls run off the runtime's threads.
pub(super) struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// Makes the directory if need be, and removes what dead processes left behind.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        fs::create_dir_all(&incoming)?;
        remove_stale(&incoming, SystemTime::now())?;
        Ok(Self { root: root.to_owned() })
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.root.join(key.to_string())
    }

    /// Runs something that blocks where it may.
    async fn blocking<T: Send + 'static>(
        &self,
        key: &BlobKey,
        call: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        let (root, path) = (self.root.clone(), self.path(key));
        tokio::task::spawn_blocking(move || call(&root, &path)).await.map_err(away)?.map_err(|error| fault(key, error))
    }
}

#[async_trait]
impl BlobStore for LocalStore {
    async fn put(&self, key: &BlobKey, body: BlobBody, _content_type: &str) -> Result<(), BlobError> {
        match self.blocking(key, move |root, path| store(root, path, &body)).await {
            // Not the blob is missing then, but the directory or the file to store.
            Err(BlobError::NotFound(key)) => {
                let reason =
                    format!("{key}: its directory below {}, or the file to store, is gone", self.root.display());
                Err(BlobError::Away(reason.into()))
            }
            outcome => outcome,
        }
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        let file = tokio::fs::File::open(self.path(key)).await.map_err(|error| fault(key, error))?;
        read(file, range).await.map_err(|error| fault(key, error))
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        match self.blocking(key, |_, path| fs::metadata(path)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(BlobError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match self.blocking(key, |_, path| fs::remove_file(path)).await {
            Err(BlobError::NotFound(_)) => Ok(()),
            outcome => outcome,
        }
    }

    async fn presign(&self, _: &BlobKey, _: Duration, _: &PresignedHeaders) -> Result<Option<String>, BlobError> {
        Ok(None)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<BlobPage, BlobError> {
        let (root, after) = (self.root.clone(), after.map(str::to_owned));
        let listing = move || sources::list_below(&root, "", after.as_deref(), limit);
        let listed = tokio::task::spawn_blocking(listing).await.map_err(away)?.map_err(away)?;
        Ok(BlobPage::of(listed, limit))
    }

    async fn ping(&self) -> Result<(), BlobError> {
        let root = self.root.clone();
        let probe = move || Incoming::create(&root).and_then(|mut incoming| incoming.file.write_all(b"ping"));
        match tokio::task::spawn_blocking(probe).await.map_err(away)? {
            Ok(()) => Ok(()),
            Err(error) if is_full(&error) => Err(BlobError::NoSpace),
            Err(error) => {
                let reason = format!("directory {}: {error}", self.root.display());
                Err(away(io::Error::new(error.kind(), reason)))
            }
        }
    }
}

/// An open file's bytes, or a range of them, as they arrive.
pub(super) async fn read(mut file: tokio::fs::File, range: Option<Range<u64>>) -> io::Result<BlobRead> {
    let length_bytes = file.metadata().await?.len();
    let range = range.unwrap_or(0..length_bytes);
    if range.start > range.end || range.end > length_bytes {
        let reason = format!("bytes {}..{} do not lie within the {length_bytes}", range.start, range.end);
        return Err(io::Error::new(ErrorKind::InvalidInput, reason));
    }
    file.seek(io::SeekFrom::Start(range.start)).await?;
    let wanted = range.end - range.start;
    Ok(reading::exactly(wanted, ReaderStream::with_capacity(file.take(wanted), CHUNK_BYTES), PATIENCE))
}

/// Writes a blob so that it is there completely, also after a power failure, or not at all.
fn store(root: &Path, path: &Path, body: &BlobBody) -> io::Result<()> {
    // Keys contain the digest of their bytes: what is there with this length is the same.
    if fs::metadata(path).is_ok_and(|there| there.len() == length(body)) {
        return Ok(());
    }
    let mut incoming = Incoming::create(root)?;
    incoming.fill(body)?;
    incoming.file.sync_all()?;
    let directory = path.parent().ok_or_else(|| io::Error::other("a blob key has a directory"))?;
    make_durable(root, directory)?;
    incoming.name(path)?;
    sync(directory)
}

fn length(body: &BlobBody) -> u64 {
    match body {
        BlobBody::Bytes(bytes) => bytes.len() as u64,
        BlobBody::File { length_bytes, .. } => *length_bytes,
    }
}

/// A file that has no name as a blob yet; removed unless it gets one.
struct Incoming {
    path: PathBuf,
    file: File,
    named: bool,
}

impl Incoming {
    fn create(root: &Path) -> io::Result<Self> {
        let path = root.join(INCOMING).join(format!("{:032x}", rand::random::<u128>()));
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Self { path, file, named: false })
    }

    /// A file is copied rather than linked: it stays the caller's, who may write to it afterwards.
    fn fill(&mut self, body: &BlobBody) -> io::Result<()> {
        match body {
            BlobBody::Bytes(bytes) => self.file.write_all(bytes),
            BlobBody::File { path, length_bytes } => {
                let copied = io::copy(&mut File::open(path)?.take(*length_bytes), &mut self.file)?;
                if copied == *length_bytes {
                    return Ok(());
                }
                let reason = format!("the file to store has {copied} bytes instead of {length_bytes}");
                Err(io::Error::new(ErrorKind::InvalidInput, reason))
            }
        }
    }

    fn name(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.named
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "could not remove an unfinished blob");
        }
    }
}

/// Makes a directory below `root` and flushes the names of the new ones to the disk.
fn make_durable(root: &Path, directory: &Path) -> io::Result<()> {
    if directory == root || directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().ok_or_else(|| io::Error::other("not below the root"))?;
    make_durable(root, parent)?;
    match fs::create_dir(directory) {
        // Somebody else was faster, but may not have flushed it yet.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        outcome => outcome?,
    }
    sync(parent)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn remove_stale(incoming: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(incoming)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|at| now.duration_since(at));
        // What vanished meanwhile, or comes from the future, is somebody else's.
        if age.is_ok_and(|age| age.is_ok_and(|age| age > STALE_AFTER)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn fault(key: &BlobKey, error: io::Error) -> BlobError {
    match error.kind() {
        ErrorKind::NotFound => BlobError::NotFound(key.to_string()),
        ErrorKind::PermissionDenied => BlobError::Forbidden(key.to_string(), error.to_string()),
        _ if is_full(&error) => BlobError::NoSpace,
        _ => away(error),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn away(error: impl std::error::Error + Send + Sync + 'static) -> BlobError {
    BlobError::Away(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_unfinished_files_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        LocalStore::open(root).unwrap();
        let (old, fresh) = (root.join(INCOMING).join("old"), root.join(INCOMING).join("fresh"));
        fs::write(&fresh, b"x").unwrap();
        let before = SystemTime::now() - STALE_AFTER - Duration::from_secs(60);
        File::create(&old).unwrap().set_modified(before).unwrap();
        LocalStore::open(root).unwrap();
        assert!(!old.exists());
        assert!(fresh.exists());
    }
}
