//! Sources, wherever they lie: our own blobs, S3 buckets, and directories that stand for buckets.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use shared::config::Problem;
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::{BlobError, BlobRead, BlobStore, SourceStore};

use super::config::{Config, Location, SourceBucketConfig};
use super::{local, s3};

/// A [`SourceStore`] over the configured buckets; no other is ever asked.
pub(super) struct Sources {
    own: Arc<dyn BlobStore>,
    buckets: BTreeMap<String, SourceBucket>,
}

enum SourceBucket {
    Directory(PathBuf),
    S3(s3::Bucket),
}

impl Sources {
    pub(super) fn open(
        sources: &[SourceBucketConfig],
        config: &Config,
        own: Arc<dyn BlobStore>,
    ) -> Result<Self, Vec<Problem>> {
        let http = s3::http_client();
        let mut buckets = BTreeMap::new();
        for (index, source) in sources.iter().enumerate() {
            let location = source.location(&format!("sources[{index}]")).map_err(|problem| vec![problem])?;
            let bucket = match location {
                Location::Directory(directory) => SourceBucket::Directory(directory),
                Location::Bucket { bucket, prefix } => {
                    let client = s3::Client::new(&source.s3_settings(config), http.clone());
                    SourceBucket::S3(client.bucket(bucket, prefix))
                }
            };
            buckets.insert(source.bucket.clone(), bucket);
        }
        Ok(Self { own, buckets })
    }
}

#[async_trait]
impl SourceStore for Sources {
    async fn open(&self, source: &SourceLocation) -> Result<BlobRead, BlobError> {
        self.read(source, None).await
    }

    async fn open_part(&self, source: &SourceLocation, range: Range<u64>) -> Result<BlobRead, BlobError> {
        self.read(source, Some(range)).await
    }
}

impl Sources {
    async fn read(&self, source: &SourceLocation, range: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        let (bucket, key) = match source {
            SourceLocation::Uploaded(key) => return self.own.get(key, range).await,
            SourceLocation::Bucket { bucket, key } => (bucket, key),
        };
        match self.buckets.get(bucket) {
            None => Err(BlobError::UnknownBucket(bucket.clone())),
            // The protocol has no object without a name: such a request would list the bucket.
            Some(_) if key.is_empty() => Err(BlobError::NotFound(source.display())),
            Some(SourceBucket::S3(bucket)) => bucket.get(key, range).await,
            Some(SourceBucket::Directory(directory)) => {
                open_below(directory, key, range).await.map_err(|error| fault(source, error))
            }
        }
    }
}

/// Opens a regular file below the directory. Keys come from outside: one that leads out of it, also by a symbolic
/// link, is treated like one that is not there, so that nobody learns what else there is.
async fn open_below(directory: &Path, key: &str, range: Option<Range<u64>>) -> io::Result<BlobRead> {
    let (directory, below) = (directory.to_owned(), plain(key)?);
    let opening = move || {
        let root = directory.canonicalize()?;
        let path = root.join(below).canonicalize()?;
        // Only regular files: opening a pipe would wait for somebody to write into it.
        if !path.starts_with(&root) || !path.metadata()?.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        std::fs::File::open(path)
    };
    let file = tokio::task::spawn_blocking(opening).await.map_err(io::Error::other)??;
    local::read(tokio::fs::File::from_std(file), range).await
}

/// The key as a path that can only lead downwards.
fn plain(key: &str) -> io::Result<PathBuf> {
    let path = PathBuf::from(key);
    let downwards = path.components().all(|component| matches!(component, Component::Normal(_)));
    if downwards && !key.contains('\0') { Ok(path) } else { Err(ErrorKind::NotFound.into()) }
}

fn fault(source: &SourceLocation, error: io::Error) -> BlobError {
    match error.kind() {
        // A key with a part too long, or a file where the key has a directory, names nothing that could be there.
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
            BlobError::NotFound(source.display())
        }
        ErrorKind::PermissionDenied => BlobError::Forbidden(source.display(), error.to_string()),
        _ => BlobError::Away(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_climb_are_refused() {
        for bad in ["/etc/passwd", "..", "../x", "a/../../x", "a/..", "./a", "a\0b"] {
            assert!(plain(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "a/b c/d+e%20.jpg", "ü/名.png", "..a/b.."] {
            assert!(plain(good).is_ok(), "{good:?}");
        }
    }
}
