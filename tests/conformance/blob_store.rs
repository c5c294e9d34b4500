//! What every `BlobStore` and `SourceStore` must do, told once and run over each of them.

/// Runs every story over one kind of store.
macro_rules! stories {
    ($(#[$attribute:meta])* $run:path) => {
        stories! { @each [$(#[$attribute])*] $run;
            what_was_put_is_got
            files_are_stored_and_stay_the_callers
            ranges_are_exact
            ranges_outside_are_refused
            of_a_pack_only_the_page_is_read
            a_missing_blob_is_not_there
            deleting_is_final_and_repeatable
            putting_again_changes_nothing
            many_may_put_the_same_at_once
            long_blobs_survive_being_sent_in_parts
            a_file_that_is_too_short_is_not_stored
            presigning_is_possible_or_declined
            its_own_blobs_are_listed_in_pages
            it_answers_pings
            uploaded_sources_are_our_own_blobs
            buckets_that_are_not_configured_are_never_asked
        }
    };
    (@each $attributes:tt $run:path; $($story:ident)*) => {
        $(stories! { @one $attributes $run; $story })*
    };
    (@one [$($attribute:tt)*] $run:path; $story:ident) => {
        #[tokio::test]
        $($attribute)*
        async fn $story() {
            $run(crate::blob_store::$story).await;
        }
    };
}

mod local;
mod real_s3;
mod s3;
mod server;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use adapters::blob::{Config, SourceBucketConfig};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use shared::domain::blob_key::{BlobKey, PageName};
use shared::domain::dimensions::Dimensions;
use shared::domain::format::OutputFormat;
use shared::domain::ids::Sha256Digest;
use shared::domain::representation::{PageContent, Placement};
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::{BlobBody, BlobError, BlobRead, BlobStore, PresignedHeaders};

/// Longer than what is sent in one request.
const LONG_BYTES: usize = 17 * 1024 * 1024 + 1;

fn config(url: &str) -> Config {
    Config {
        url: url.to_owned(),
        endpoint: String::new(),
        region: String::new(),
        path_style: true,
        access_key_id: String::new(),
        secret_access_key: String::new(),
        session_token: String::new(),
        timeout_seconds: 10,
        tries_max: 3,
    }
}

fn source_bucket(bucket: &str, url: Option<&str>) -> SourceBucketConfig {
    SourceBucketConfig {
        bucket: bucket.to_owned(),
        tenant: "acme".parse().unwrap(),
        url: url.map(str::to_owned),
        endpoint: None,
        region: None,
        path_style: None,
        access_key_id: None,
        secret_access_key: None,
        session_token: None,
        access: None,
    }
}

fn key(content: &[u8]) -> BlobKey {
    BlobKey::Source { tenant: "acme".parse().unwrap(), digest: Sha256Digest::of(content) }
}

fn long_content() -> Bytes {
    (0..LONG_BYTES).map(|n| (n % 251) as u8).collect::<Vec<_>>().into()
}

async fn put(store: &Arc<dyn BlobStore>, content: &Bytes) -> BlobKey {
    let key = key(content);
    store.put(&key, BlobBody::Bytes(content.clone()), "image/jpeg").await.unwrap();
    key
}

async fn bytes_of(read: BlobRead) -> Result<Vec<u8>, BlobError> {
    let promised = read.length_bytes;
    let bytes = read.stream.try_collect::<Vec<_>>().await?.concat();
    assert_eq!(bytes.len() as u64, promised);
    Ok(bytes)
}

async fn get(store: &Arc<dyn BlobStore>, key: &BlobKey) -> Vec<u8> {
    bytes_of(store.get(key, None).await.unwrap()).await.unwrap()
}

fn error<T>(result: Result<T, BlobError>) -> BlobError {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error,
    }
}

async fn what_was_put_is_got(store: Arc<dyn BlobStore>) {
    for content in [Bytes::from_static(b"bytes"), Bytes::new(), Bytes::from(vec![0xff; 300_000])] {
        let key = put(&store, &content).await;
        assert!(get(&store, &key).await == content, "{} bytes", content.len());
        assert_eq!(store.head(&key).await.unwrap(), Some(content.len() as u64));
    }
}

async fn files_are_stored_and_stay_the_callers(store: Arc<dyn BlobStore>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"content of a file").unwrap();
    let key = key(b"content of a file");
    let body = BlobBody::File { path: file.path().to_owned(), length_bytes: 17 };
    store.put(&key, body, "text/plain").await.unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), b"content of a file");
    std::fs::write(file.path(), b"CHANGED afterwards").unwrap();
    assert_eq!(get(&store, &key).await, b"content of a file");
}

async fn ranges_are_exact(store: Arc<dyn BlobStore>) {
    let key = put(&store, &Bytes::from_static(b"0123456789")).await;
    for range in [0..10, 0..1, 9..10, 3..7, 5..5, 0..0] {
        let read = store.get(&key, Some(range.clone())).await.unwrap();
        let expected = &b"0123456789"[range.start as usize..range.end as usize];
        assert_eq!(bytes_of(read).await.unwrap(), expected, "{range:?}");
    }
}

async fn ranges_outside_are_refused(store: Arc<dyn BlobStore>) {
    let key = put(&store, &Bytes::from_static(b"0123456789")).await;
    for range in [0..11, 10..11, 20..30] {
        let refused = error(store.get(&key, Some(range.clone())).await);
        assert!(!matches!(refused, BlobError::NotFound(_)), "{range:?}: {refused}");
    }
}

async fn of_a_pack_only_the_page_is_read(store: Arc<dyn BlobStore>) {
    let content = Bytes::from_static(b"beforePAGEafter");
    let pack = BlobKey::Pack { tenant: "acme".parse().unwrap(), digest: Sha256Digest::of(&content) };
    store.put(&pack, BlobBody::Bytes(content), "application/octet-stream").await.unwrap();
    let page = |offset_bytes: u64, bytes: &[u8]| {
        let name = PageName { digest: Sha256Digest::of(bytes), format: OutputFormat::Jpg };
        let placement = Placement::Packed { pack: pack.clone(), offset_bytes, name };
        PageContent { placement, dimensions: Dimensions::new(1, 1).unwrap(), length_bytes: bytes.len() as u64 }
    };
    for (offset, bytes) in [(0, &b"before"[..]), (6, b"PAGE"), (10, b"after")] {
        let read = store.get_page(&page(offset, bytes), None).await.unwrap();
        assert_eq!(bytes_of(read).await.unwrap(), bytes);
    }
    for (part, expected) in
        [(0..4, &b"PAGE"[..]), (1..3, b"AG"), (3..4, b"E"), (2..2, b""), (2..99, b"GE"), (4..9, b"")]
    {
        let read = store.get_page(&page(6, b"PAGE"), Some(part.clone())).await.unwrap();
        assert_eq!(bytes_of(read).await.unwrap(), expected, "{part:?}");
    }
    assert!(store.get_page(&page(10, b"beyond the end"), None).await.is_err(), "a page that is not all there");
    let listed = store.list(None, 1000).await.unwrap();
    assert!(listed.blobs.iter().any(|blob| blob.key == pack), "it is listed as one of ours: {listed:?}");
    store.delete(&pack).await.unwrap();
    assert!(matches!(error(store.get_page(&page(6, b"PAGE"), None).await), BlobError::NotFound(_)));
}

async fn a_missing_blob_is_not_there(store: Arc<dyn BlobStore>) {
    let key = key(b"never put");
    assert!(matches!(error(store.get(&key, None).await), BlobError::NotFound(_)));
    assert!(matches!(error(store.get(&key, Some(0..0)).await), BlobError::NotFound(_)));
    assert_eq!(store.head(&key).await.unwrap(), None);
}

async fn deleting_is_final_and_repeatable(store: Arc<dyn BlobStore>) {
    let key = put(&store, &Bytes::from_static(b"short-lived")).await;
    for _ in 0..2 {
        store.delete(&key).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap(), None);
    }
    put(&store, &Bytes::from_static(b"short-lived")).await;
    assert_eq!(get(&store, &key).await, b"short-lived");
}

async fn putting_again_changes_nothing(store: Arc<dyn BlobStore>) {
    let content = Bytes::from_static(b"the same");
    let key = put(&store, &content).await;
    let reading = store.get(&key, None).await.unwrap();
    put(&store, &content).await;
    assert_eq!(bytes_of(reading).await.unwrap(), content);
    assert_eq!(get(&store, &key).await, content);
}

async fn many_may_put_the_same_at_once(store: Arc<dyn BlobStore>) {
    let content = Bytes::from(vec![7; 100_000]);
    let puts = (0..8).map(|_| {
        let (store, content) = (Arc::clone(&store), content.clone());
        tokio::spawn(async move { put(&store, &content).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    assert!(get(&store, &key(&content)).await == content);
}

async fn long_blobs_survive_being_sent_in_parts(store: Arc<dyn BlobStore>) {
    let content = long_content();
    let in_memory = put(&store, &content).await;
    assert!(get(&store, &in_memory).await == content);
    let at_the_seam = 16 * 1024 * 1024 - 2..16 * 1024 * 1024 + 2;
    let expected = content.slice(at_the_seam.clone());
    let range = at_the_seam.start as u64..at_the_seam.end as u64;
    assert_eq!(bytes_of(store.get(&in_memory, Some(range)).await.unwrap()).await.unwrap(), expected);

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &content).unwrap();
    let from_file = BlobKey::Source { tenant: "other".parse().unwrap(), digest: Sha256Digest::of(&content) };
    let body = BlobBody::File { path: file.path().to_owned(), length_bytes: content.len() as u64 };
    store.put(&from_file, body, "video/mp4").await.unwrap();
    assert!(get(&store, &from_file).await == content);
}

async fn a_file_that_is_too_short_is_not_stored(store: Arc<dyn BlobStore>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"short").unwrap();
    let key = key(b"should have been longer");
    for path in [file.path().to_owned(), file.path().join("not-there")] {
        let put = store.put(&key, BlobBody::File { path, length_bytes: 23 }, "text/plain").await;
        assert!(matches!(error(put), BlobError::Away(_)));
        assert_eq!(store.head(&key).await.unwrap(), None);
    }
}

async fn presigning_is_possible_or_declined(store: Arc<dyn BlobStore>) {
    let key = put(&store, &Bytes::from_static(b"lent")).await;
    let headers = PresignedHeaders::default();
    if let Some(url) = store.presign(&key, Duration::from_secs(60), &headers).await.unwrap() {
        assert!(url.contains(&key.digest().to_string()), "{url}");
    }
}

async fn its_own_blobs_are_listed_in_pages(store: Arc<dyn BlobStore>) {
    let mut keys = Vec::new();
    for content in ["one", "two", "three", "four", "five"] {
        keys.push(put(&store, &Bytes::from(format!("{content} {}", rand::random::<u64>()))).await.to_string());
    }
    keys.sort_unstable();
    let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.list(after.as_deref(), 2).await.unwrap();
        assert!(page.blobs.len() <= 2);
        listed.extend(page.blobs.into_iter().map(|blob| (blob.key.to_string(), blob.length_bytes)));
        pages += 1;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    for key in &keys {
        let (_, length) = listed.iter().find(|(listed, _)| listed == key).unwrap_or_else(|| panic!("{key} is missing"));
        assert_eq!(Some(*length), store.head(&key.parse().unwrap()).await.unwrap());
    }
    assert!(pages > 2);
}

async fn it_answers_pings(store: Arc<dyn BlobStore>) {
    store.ping().await.unwrap();
}

async fn uploaded_sources_are_our_own_blobs(store: Arc<dyn BlobStore>) {
    let key = put(&store, &Bytes::from_static(b"uploaded")).await;
    let sources = adapters::blob::open_sources(&[], &config("file:unused"), store).unwrap();
    let read = sources.open(&SourceLocation::Uploaded(key)).await.unwrap();
    assert_eq!(bytes_of(read).await.unwrap(), b"uploaded");
    let missing = sources.open(&SourceLocation::Uploaded(self::key(b"missing"))).await;
    assert!(matches!(error(missing), BlobError::NotFound(_)));
}

async fn buckets_that_are_not_configured_are_never_asked(store: Arc<dyn BlobStore>) {
    let sources = adapters::blob::open_sources(&[], &config("file:unused"), store).unwrap();
    let elsewhere = SourceLocation::Bucket { bucket: "elsewhere".into(), key: "k".into(), version: None };
    assert!(matches!(error(sources.open(&elsewhere).await), BlobError::UnknownBucket(name) if name == "elsewhere"));
}
