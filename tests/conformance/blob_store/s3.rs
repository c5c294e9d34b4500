//! Blobs in S3, on a server in this process: all stories, and what happens when the server fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use adapters::blob::Config;
use bytes::Bytes;
use shared::ports::blob_store::{BlobBody, BlobError, BlobStore};

use super::server::{Fault, Faults, InProcess};
use super::{bytes_of, error, get, key, long_content, put};

/// Longest that anything may take with a timeout of one second and two tries.
const BOUND: Duration = Duration::from_secs(15);

async fn run<F: Future<Output = ()>>(story: impl FnOnce(Arc<dyn BlobStore>) -> F) {
    let (_running, store) = start(Arc::new(|_, _| None)).await;
    story(store).await;
}

stories! { run }

/// A server with faults, and a store in a bucket of it, impatient.
async fn start(faults: Faults) -> (InProcess, Arc<dyn BlobStore>) {
    // Preparing the bucket is spared.
    let spared = move |method: &str, path: &str| if path.contains("prefix") { faults(method, path) } else { None };
    let running = InProcess::start(Arc::new(spared)).await;
    let bucket = running.server.create_bucket().await;
    let config = running.server.config(&format!("s3://{bucket}/some/prefix"));
    let store = adapters::blob::open(&Config { timeout_seconds: 1, tries_max: 2, ..config }).unwrap();
    (running, store)
}

fn always(fault: Fault) -> Faults {
    Arc::new(move |_, _| Some(fault))
}

/// The first requests fail.
fn at_first(count: usize, fault: Fault) -> Faults {
    let seen = AtomicUsize::new(0);
    Arc::new(move |_, _| (seen.fetch_add(1, Ordering::SeqCst) < count).then_some(fault))
}

/// Requests of this method fail.
fn when(method: &'static str, fault: Fault) -> Faults {
    Arc::new(move |asked, _| (asked == method).then_some(fault))
}

async fn put_bytes(store: &Arc<dyn BlobStore>, content: &Bytes) -> Result<(), BlobError> {
    store.put(&key(content), BlobBody::Bytes(content.clone()), "image/jpeg").await
}

#[tokio::test]
async fn a_server_that_is_busy_for_a_moment_is_asked_again() {
    let (running, store) = start(at_first(1, Fault::Answer(503, "SlowDown"))).await;
    let key = put(&store, &Bytes::from_static(b"patience")).await;
    assert_eq!(running.count("PUT", "prefix"), 2);
    assert_eq!(get(&store, &key).await, b"patience");
}

#[tokio::test]
async fn a_server_that_stays_busy_is_away() {
    let (running, store) = start(always(Fault::Answer(503, "SlowDown"))).await;
    let away = error(put_bytes(&store, &Bytes::from_static(b"x")).await);
    assert!(matches!(&away, BlobError::Away(_)) && away.to_string().contains("SlowDown"), "{away}");
    assert_eq!(running.count("PUT", "prefix"), 2, "tries_max");
}

#[tokio::test]
async fn a_silent_server_is_away_in_bounded_time() {
    let (_running, store) = start(always(Fault::Silence)).await;
    let asked = Instant::now();
    assert!(matches!(error(put_bytes(&store, &Bytes::from_static(b"x")).await), BlobError::Away(_)));
    assert!(matches!(error(store.get(&key(b"x"), None).await), BlobError::Away(_)));
    assert!(matches!(error(store.head(&key(b"x")).await), BlobError::Away(_)));
    assert!(asked.elapsed() < BOUND, "it took {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_body_that_ends_early_or_stalls_is_an_error() {
    for fault in [Fault::CutBody, Fault::StalledBody] {
        let (_running, store) = start(when("GET", fault)).await;
        let asked = Instant::now();
        let read = store.get(&key(b"x"), None).await.unwrap();
        assert_eq!(read.length_bytes, 1000);
        assert!(matches!(error(bytes_of(read).await), BlobError::Away(_)), "{fault:?}");
        assert!(asked.elapsed() < BOUND, "{fault:?} took {:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_ignores_ranges_is_found_out() {
    let (_running, store) = start(when("GET", Fault::CutBody)).await;
    assert!(matches!(error(store.get(&key(b"x"), Some(0..5)).await), BlobError::Away(_)));
}

#[tokio::test]
async fn a_full_server_is_told_in_any_dialect() {
    for fault in [
        Fault::Answer(507, "InsufficientStorage"),
        Fault::Answer(507, ""),
        Fault::Answer(403, "QuotaExceeded"),
        Fault::Answer(500, "XMinioStorageFull"),
    ] {
        let (_running, store) = start(when("PUT", fault)).await;
        assert!(matches!(error(put_bytes(&store, &Bytes::from_static(b"x")).await), BlobError::NoSpace), "{fault:?}");
    }
}

#[tokio::test]
async fn parts_of_an_upload_that_fails_are_deleted() {
    let (running, store) = start(Arc::new(|method, path| {
        (method == "PUT" && path.contains("partNumber=2")).then_some(Fault::Answer(507, "InsufficientStorage"))
    }))
    .await;
    assert!(matches!(error(put_bytes(&store, &long_content()).await), BlobError::NoSpace));
    let deadline = Instant::now() + BOUND;
    while running.count("DELETE", "uploadId=") == 0 {
        assert!(Instant::now() < deadline, "the upload was never aborted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.head(&key(&long_content())).await.unwrap(), None);
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let running = InProcess::start(Arc::new(|_, _| None)).await;
    let bucket = running.server.create_bucket().await;
    let config = Config { secret_access_key: "wrong".into(), ..running.server.config(&format!("s3://{bucket}")) };
    let store = adapters::blob::open(&config).unwrap();
    let refused = error(put_bytes(&store, &Bytes::from_static(b"x")).await);
    assert!(matches!(&refused, BlobError::Forbidden(..)) && !refused.to_string().contains("wrong"), "{refused}");
    assert!(matches!(error(store.ping().await), BlobError::Forbidden(what, _) if what.contains(&bucket)));
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_from_wrong_credentials() {
    let (_server, store) = start(always(Fault::Answer(403, "RequestTimeTooSkewed"))).await;
    let away = error(put_bytes(&store, &Bytes::from_static(b"x")).await);
    assert!(matches!(&away, BlobError::Away(_)) && away.to_string().contains("the clock of this machine"), "{away}");
    // An answer to HEAD has no code.
    let (_server, store) = start(always(Fault::RefuseElsewhen)).await;
    let away = error(store.head(&key(b"x")).await);
    assert!(matches!(&away, BlobError::Away(_)) && away.to_string().contains("it is 2001-02-03"), "{away}");
}

#[tokio::test]
async fn a_server_that_is_down_is_away() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let running = InProcess::start(Arc::new(|_, _| None)).await;
    let endpoint = format!("http://127.0.0.1:{port}");
    let store = adapters::blob::open(&Config { endpoint, ..running.server.config("s3://bucket") }).unwrap();
    let asked = Instant::now();
    let away = error(store.ping().await);
    assert!(matches!(&away, BlobError::Away(_)) && away.to_string().contains("refused"), "{away}");
    assert!(asked.elapsed() < BOUND, "it took {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named_with_what_to_do() {
    // The server in this process would make the bucket.
    let running = InProcess::start(always(Fault::Answer(404, "NoSuchBucket"))).await;
    super::real_s3::a_missing_bucket_is_told(&running.server).await;
}

#[tokio::test]
async fn a_signed_url_is_all_that_one_needs() {
    let running = InProcess::start(Arc::new(|_, _| None)).await;
    super::real_s3::a_signed_url_works(&running.server).await;
}
