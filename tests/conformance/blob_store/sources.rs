//! Sources that others put somewhere: in buckets, and in directories that stand for buckets.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adapters::blob::SourceBucketConfig;
use aws_sdk_s3::primitives::ByteStream;
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::{BlobError, BlobRead, SourceStore};

use super::real_s3::in_bucket;
use super::server::{InProcess, Server};
use super::{bytes_of, config, error, source_bucket};

/// Keys as people and programs choose them.
const KEYS: [&str; 6] = [
    "plain.jpg",
    "a b/c+d/100%/e%20f.png",
    "ü/名前 (1).jpeg",
    "q?x=1&y=2#z;.gif",
    "UPPER/lower~_-.!'()*",
    "a=b:c@d,e$.png",
];

fn open_local(directory: &Path) -> Arc<dyn SourceStore> {
    let own = tempfile::tempdir().unwrap();
    let blobs = config(&format!("file:{}", own.path().display()));
    let bucket = source_bucket("inbox", Some(&format!("file:{}", directory.display())));
    let own = adapters::blob::open(&blobs).unwrap();
    adapters::blob::open_sources(&[bucket], &blobs, own).unwrap()
}

async fn read(sources: &Arc<dyn SourceStore>, bucket: &str, key: &str) -> Result<BlobRead, BlobError> {
    let source = SourceLocation::Bucket { bucket: bucket.into(), key: key.into(), version: None };
    tokio::time::timeout(Duration::from_secs(20), sources.open(&source)).await.expect("opening hangs")
}

#[tokio::test]
async fn files_below_a_directory_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let sources = open_local(directory.path());
    for key in KEYS {
        let path = directory.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, key).unwrap();
        assert_eq!(bytes_of(read(&sources, "inbox", key).await.unwrap()).await.unwrap(), key.as_bytes());
    }
}

#[tokio::test]
async fn keys_that_lead_out_of_the_directory_are_not_there() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    let inside = outside.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("file"), b"x").unwrap();
    std::os::unix::fs::symlink(&secret, inside.join("link-out")).unwrap();
    std::os::unix::fs::symlink(outside.path(), inside.join("way-out")).unwrap();
    std::os::unix::fs::symlink("file", inside.join("link-within")).unwrap();
    std::os::unix::fs::symlink("loop", inside.join("loop")).unwrap();
    let sources = open_local(&inside);
    let absolute = secret.to_str().unwrap();
    for key in ["../secret", "a/../../secret", absolute, "link-out", "way-out/secret", "file\0", "..", "."] {
        assert!(matches!(error(read(&sources, "inbox", key).await), BlobError::NotFound(_)), "{key:?}");
    }
    assert_eq!(bytes_of(read(&sources, "inbox", "link-within").await.unwrap()).await.unwrap(), b"x");
    assert!(read(&sources, "inbox", "loop").await.is_err());
}

#[tokio::test]
async fn what_is_no_regular_file_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("folder")).unwrap();
    fs::write(directory.path().join("file"), b"x").unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let sources = open_local(directory.path());
    let long = "n".repeat(5_000);
    for key in ["", "folder", "folder/", "pipe", "missing", "file/below", &long] {
        assert!(matches!(error(read(&sources, "inbox", key).await), BlobError::NotFound(_)), "{key:?}");
    }
}

#[tokio::test]
async fn objects_in_buckets_are_read_whatever_they_are_called() {
    let running = InProcess::start(Arc::new(|_, _| None)).await;
    objects_are_read(&running.server).await;
}

#[tokio::test]
#[ignore = "needs S3: run `make test`"]
async fn objects_in_real_buckets_are_read_whatever_they_are_called() {
    objects_are_read(&Server::from_environment()).await;
}

#[tokio::test]
#[ignore = "needs S3: run `make test`"]
async fn each_version_of_an_object_is_read_for_itself() {
    let server = Server::from_environment();
    in_bucket(&server, async |bucket| {
        use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
        let client = server.client();
        let put = async |content: &'static [u8]| {
            let body = ByteStream::from_static(content);
            let put = client.put_object().bucket(bucket).key("k").body(body).send().await.unwrap();
            put.version_id
        };
        assert_eq!(put(b"before").await, None);
        let keep = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        client.put_bucket_versioning().bucket(bucket).versioning_configuration(keep).send().await.unwrap();
        let blobs = server.config(&format!("s3://{bucket}/own"));
        let own = adapters::blob::open(&blobs).unwrap();
        let sources = adapters::blob::open_sources(&[source_bucket(bucket, None)], &blobs, own).unwrap();
        let listed = || async { sources.list(bucket, "", None, 10).await.unwrap().pop().unwrap() };
        let before = listed().await;
        assert_eq!(sources.with_version(bucket, before.clone()).await.unwrap(), before, "it has no version");

        let (first, second) = (put(b"first").await.unwrap(), put(b"the second").await.unwrap());
        let newest = sources.with_version(bucket, listed().await).await.unwrap();
        assert_eq!((newest.version.as_deref(), newest.size), (Some(&*second), 10));
        // The marker hides all of them.
        let marker = client.delete_object().bucket(bucket).key("k").send().await.unwrap().version_id.unwrap();
        let read_version = async |version: Option<&str>| {
            let version = version.map(str::to_owned);
            sources.open(&SourceLocation::Bucket { bucket: bucket.into(), key: "k".into(), version }).await
        };
        assert_eq!(bytes_of(read_version(Some(&first)).await.unwrap()).await.unwrap(), b"first");
        assert_eq!(bytes_of(read_version(Some(&second)).await.unwrap()).await.unwrap(), b"the second");
        for gone in [None, Some(&*marker), Some("never-was")] {
            let BlobError::NotFound(what) = error(read_version(gone).await) else { panic!("{gone:?}") };
            assert_eq!(what.rsplit_once("?versionId=").map(|(_, version)| version), gone);
        }
        let source = SourceLocation::Bucket { bucket: bucket.into(), key: "k".into(), version: Some(first.clone()) };
        let part = sources.open_part(&source, 1..3).await.unwrap();
        assert_eq!(bytes_of(part).await.unwrap(), b"ir");
        for version in [first, second, marker, "null".to_owned()] {
            client.delete_object().bucket(bucket).key("k").version_id(version).send().await.unwrap();
        }
    })
    .await;
}

async fn objects_are_read(server: &Server) {
    in_bucket(server, async |bucket| {
        let blobs = server.config(&format!("s3://{bucket}/own"));
        let renamed = SourceBucketConfig { url: Some(format!("s3://{bucket}/ü")), ..source_bucket("renamed", None) };
        let own = adapters::blob::open(&blobs).unwrap();
        let buckets = [source_bucket(bucket, None), renamed];
        let sources = adapters::blob::open_sources(&buckets, &blobs, own).unwrap();
        for key in KEYS {
            let body = ByteStream::from(key.as_bytes().to_vec());
            server.client().put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
            assert_eq!(bytes_of(read(&sources, bucket, key).await.unwrap()).await.unwrap(), key.as_bytes(), "{key}");
        }
        let below_a_prefix = bytes_of(read(&sources, "renamed", "名前 (1).jpeg").await.unwrap()).await.unwrap();
        assert_eq!(below_a_prefix, "ü/名前 (1).jpeg".as_bytes());
        for key in ["", "missing"] {
            assert!(matches!(error(read(&sources, bucket, key).await), BlobError::NotFound(_)), "{key:?}");
        }
    })
    .await;
}
