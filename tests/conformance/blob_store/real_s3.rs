//! Blobs in S3, on a real server: all stories, and what is asked of any server.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::{BlobBody, BlobError, BlobStore, PresignedHeaders};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::Server;
use super::{error, key, put, source_bucket};

async fn run<F: Future<Output = ()>>(story: impl FnOnce(Arc<dyn BlobStore>) -> F) {
    let server = Server::from_environment();
    in_bucket(&server, async |bucket| {
        story(adapters::blob::open(&server.config(&format!("s3://{bucket}/some/prefix"))).unwrap()).await;
    })
    .await;
}

stories! {
    #[ignore = "needs S3: run `make test`"]
    run
}

/// Runs a test in a bucket of its own, which is deleted when the test ends, also when it fails.
pub(super) async fn in_bucket(server: &Server, test: impl AsyncFnOnce(&str)) {
    let bucket = server.create_bucket().await;
    let outcome = AssertUnwindSafe(test(&bucket)).catch_unwind().await;
    server.delete_bucket(&bucket).await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[tokio::test]
#[ignore = "needs S3: run `make test`"]
async fn a_bucket_that_is_not_there_is_named_with_what_to_do() {
    a_missing_bucket_is_told(&Server::from_environment()).await;
}

#[tokio::test]
#[ignore = "needs S3: run `make test`"]
async fn a_signed_url_is_all_that_one_needs() {
    a_signed_url_works(&Server::from_environment()).await;
}

#[tokio::test]
#[ignore = "needs S3: run `make test`"]
async fn a_wrong_key_is_refused() {
    let server = Server::from_environment();
    in_bucket(&server, async |bucket| {
        let mut config = server.config(&format!("s3://{bucket}"));
        config.secret_access_key = "not-the-secret".into();
        let store = adapters::blob::open(&config).unwrap();
        let put = store.put(&key(b"x"), BlobBody::Bytes(Bytes::from_static(b"x")), "text/plain").await;
        assert!(matches!(error(put), BlobError::Forbidden(..)));
        assert!(matches!(error(store.ping().await), BlobError::Forbidden(what, _) if what.contains(bucket)));
    })
    .await;
}

pub(super) async fn a_missing_bucket_is_told(server: &Server) {
    const MISSING: &str = "thumbline-not-there";
    let config = server.config(&format!("s3://{MISSING}/prefix"));
    let store = adapters::blob::open(&config).unwrap();
    let sources = adapters::blob::open_sources(&[source_bucket(MISSING, None)], &config, Arc::clone(&store)).unwrap();
    let source = SourceLocation::Bucket { bucket: MISSING.into(), key: "k".into(), version: None };
    let put = store.put(&key(b"x"), BlobBody::Bytes(Bytes::from_static(b"x")), "text/plain").await;
    let get = store.get(&key(b"x"), None).await;
    for away in [error(put), error(get), error(store.ping().await), error(sources.open(&source).await)] {
        let told = away.to_string();
        assert!(matches!(away, BlobError::Away(_)), "{told}");
        assert!(told.contains(&format!("{MISSING:?}")) && told.contains("create it"), "{told}");
    }
}

pub(super) async fn a_signed_url_works(server: &Server) {
    in_bucket(server, async |bucket| {
        let store = adapters::blob::open(&server.config(&format!("s3://{bucket}/some/prefix"))).unwrap();
        let key = put(&store, &Bytes::from_static(b"lent bytes")).await;
        let headers = PresignedHeaders {
            content_type: Some("image/webp".into()),
            content_disposition: Some("attachment; filename=\"a b.webp\"".into()),
            cache_control: Some("private, max-age=60".into()),
        };
        let url = store.presign(&key, Duration::from_secs(60), &headers).await.unwrap().unwrap();
        let answer = plain_get(&url).await;
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert!(answer.ends_with("lent bytes"), "{answer}");
        assert!(answer.contains("content-type: image/webp\r\n"), "{answer}");
        assert!(answer.contains("content-disposition: attachment; filename=\"a b.webp\"\r\n"), "{answer}");
        assert!(answer.contains("cache-control: private, max-age=60\r\n"), "{answer}");
        let forged = url.replace("X-Amz-Expires=60", "X-Amz-Expires=61");
        assert!(plain_get(&forged).await.starts_with("http/1.1 403"));
    })
    .await;
}

/// What anybody gets at this URL, in lower case.
async fn plain_get(url: &str) -> String {
    let rest = url.strip_prefix("http://").expect("the server for tests speaks plain HTTP");
    let (host, path) = rest.split_once('/').unwrap();
    let mut connection = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer.to_lowercase()
}
