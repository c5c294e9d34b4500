//! Sources, wherever they lie: our own blobs, S3 buckets, and directories that stand for buckets.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use shared::config::Problem;
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::{BlobError, BlobRead, BlobStore, SourceObject, SourceStore};

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
    async fn with_version(&self, bucket: &str, listed: SourceObject) -> Result<SourceObject, BlobError> {
        match self.buckets.get(bucket) {
            None => Err(BlobError::UnknownBucket(bucket.to_owned())),
            Some(SourceBucket::S3(bucket)) => bucket.with_version(listed).await,
            Some(SourceBucket::Directory(_)) => Ok(listed),
        }
    }

    async fn open(&self, source: &SourceLocation) -> Result<BlobRead, BlobError> {
        self.read(source, None).await
    }

    async fn open_part(&self, source: &SourceLocation, range: Range<u64>) -> Result<BlobRead, BlobError> {
        self.read(source, Some(range)).await
    }

    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SourceObject>, BlobError> {
        match self.buckets.get(bucket) {
            None => Err(BlobError::UnknownBucket(bucket.to_owned())),
            Some(SourceBucket::S3(bucket)) => bucket.list(prefix, after, limit).await,
            Some(SourceBucket::Directory(directory)) => {
                let (directory, prefix, after) = (directory.clone(), prefix.to_owned(), after.map(str::to_owned));
                let listing = move || list_below(&directory, &prefix, after.as_deref(), limit);
                let listed = tokio::task::spawn_blocking(listing).await.map_err(io::Error::other);
                listed.and_then(|listed| listed).map_err(|error| BlobError::Away(Box::new(error)))
            }
        }
    }
}

impl Sources {
    async fn read(&self, source: &SourceLocation, range: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        let (bucket, key, version) = match source {
            SourceLocation::Uploaded(key) => return self.own.get(key, range).await,
            SourceLocation::Bucket { bucket, key, version } => (bucket, key, version.as_deref()),
        };
        match self.buckets.get(bucket) {
            None => Err(BlobError::UnknownBucket(bucket.clone())),
            // The protocol has no object without a name: such a request would list the bucket.
            Some(_) if key.is_empty() => Err(BlobError::NotFound(source.display())),
            Some(SourceBucket::S3(bucket)) => bucket.get_version(key, version, range).await,
            // Directories keep no versions: what lies there is all that there is.
            Some(SourceBucket::Directory(directory)) => {
                open_below(directory, key, range).await.map_err(|error| fault(source, error))
            }
        }
    }
}

/// Files below the directory as objects, in the order of their keys. What is not a regular file, or not named in UTF-8,
/// is left out like everything that a symbolic link leads to.
pub(super) fn list_below(
    directory: &Path,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> io::Result<Vec<SourceObject>> {
    let mut found = Vec::new();
    walk(directory, "", &Page { prefix, after, limit: limit as usize }, &mut found)?;
    Ok(found)
}

/// Which part of a listing is wanted.
struct Page<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
}

impl Page<'_> {
    /// Whether keys that begin with `start` can be on this page.
    fn reaches(&self, start: &str) -> bool {
        let in_prefix = start.starts_with(self.prefix) || self.prefix.starts_with(start);
        in_prefix && self.after.is_none_or(|after| start > after || after.starts_with(start))
    }

    fn has(&self, key: &str) -> bool {
        key.starts_with(self.prefix) && self.after.is_none_or(|after| key > after)
    }
}

fn walk(directory: &Path, above: &str, page: &Page<'_>, found: &mut Vec<SourceObject>) -> io::Result<()> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        // A directory sorts as what its files begin with: that is the order of the keys.
        if kind.is_dir() {
            entries.push((format!("{above}{name}/"), entry.path(), true));
        } else if kind.is_file() {
            entries.push((format!("{above}{name}"), entry.path(), false));
        }
    }
    entries.sort();
    for (key, path, is_directory) in entries {
        if found.len() == page.limit {
            break;
        }
        if is_directory && page.reaches(&key) {
            walk(&path, &key, page, found)?;
        } else if !is_directory && page.has(&key) {
            let facts = path.metadata()?;
            let since = facts.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let modified_at = since.and_then(|since| i64::try_from(since.as_millis()).ok());
            found.push(SourceObject { key, size: facts.len(), etag: None, modified_at, version: None });
        }
    }
    Ok(())
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
    fn a_directory_is_listed_in_the_order_of_its_keys_page_by_page() {
        let directory = tempfile::tempdir().unwrap();
        let mut keys = ["a", "a-b", "a.d/x", "b/c/d", "b/c.e", "b/z", "ü/1"];
        for key in keys {
            let path = directory.path().join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, key).unwrap();
        }
        std::os::unix::fs::symlink("/etc", directory.path().join("link")).unwrap();
        keys.sort();
        let page = |prefix: &str, after: Option<&str>, limit| {
            let listed = list_below(directory.path(), prefix, after, limit).unwrap();
            listed.into_iter().map(|object| object.key).collect::<Vec<_>>()
        };
        assert_eq!(page("", None, 100), keys);
        for limit in 1..4 {
            let mut all: Vec<String> = Vec::new();
            loop {
                let next = page("", all.last().map(String::as_str), limit);
                all.extend(next.iter().cloned());
                if next.len() < limit as usize {
                    break;
                }
            }
            assert_eq!(all, keys, "in pages of {limit}");
        }
        assert_eq!(page("b/c", None, 100), ["b/c.e", "b/c/d"]);
    }

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
