//! Blobs in a directory: all stories, and what only it promises.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use shared::ports::blob_store::{BlobBody, BlobError, BlobStore};

use super::{config, error, get, key, put};

async fn run<F: Future<Output = ()>>(story: impl FnOnce(Arc<dyn BlobStore>) -> F) {
    let directory = tempfile::tempdir().unwrap();
    story(open(directory.path())).await;
    assert_eq!(unfinished(directory.path()), 0, "something was left behind");
}

stories! { run }

fn open(directory: &Path) -> Arc<dyn BlobStore> {
    adapters::blob::open(&config(&format!("file:{}", directory.display()))).unwrap()
}

fn unfinished(directory: &Path) -> usize {
    fs::read_dir(directory.join(".incoming")).unwrap().count()
}

#[tokio::test]
async fn blobs_outlive_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("not/there/yet");
    let key = put(&open(&below), &Bytes::from_static(b"kept")).await;
    assert_eq!(get(&open(&below), &key).await, b"kept");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_a_problem_with_its_key() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let problems = match adapters::blob::open(&config(&format!("file:{}", file.path().display()))) {
        Ok(_) => panic!("it opened"),
        Err(problems) => problems,
    };
    assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), ["blobs.url"]);
}

#[tokio::test]
async fn a_lost_directory_is_an_error_of_the_store_and_not_a_missing_blob() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fs::remove_dir_all(directory.path()).unwrap();
    let put = store.put(&key(b"x"), BlobBody::Bytes(Bytes::from_static(b"x")), "text/plain").await;
    assert!(matches!(error(put), BlobError::Away(_)));
    assert!(matches!(error(store.ping().await), BlobError::Away(_)));
}

/// A file system of one megabyte; needs the right to mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory.path());
        let mounted = mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg("-l").arg(self.0.path()).status().unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_half_stored_is_left() {
    let Some(disk) = SmallDisk::mount() else {
        return eprintln!("left out: it needs the right to mount a small disk");
    };
    let store = open(disk.0.path());
    let small = put(&store, &Bytes::from_static(b"fits")).await;
    let content = Bytes::from(vec![1; 2_000_000]);
    let too_big = store.put(&key(&content), BlobBody::Bytes(content.clone()), "image/jpeg").await;
    assert!(matches!(error(too_big), BlobError::NoSpace));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &content).unwrap();
    let body = BlobBody::File { path: file.path().to_owned(), length_bytes: content.len() as u64 };
    assert!(matches!(error(store.put(&key(&content), body, "image/jpeg").await), BlobError::NoSpace));
    assert_eq!(store.head(&key(&content)).await.unwrap(), None);
    assert_eq!(unfinished(disk.0.path()), 0);
    assert_eq!(get(&store, &small).await, b"fits");
    put(&store, &Bytes::from(vec![2; 100_000])).await;
}
