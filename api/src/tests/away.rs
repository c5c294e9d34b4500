//! What is answered while a dependency is away or full.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use shared::domain::blob_key::BlobKey;
use shared::ports::blob_store::{BlobBody, BlobError, BlobPage, BlobRead, BlobStore, PresignedHeaders};
use shared::ports::work_queue::{Channel, Message, ParkingReason, QueueError, Subscription, Wake, WorkQueue};

use super::harness::{Setup, TestApi};

/// A broker that nobody reaches.
struct NoQueue;

fn unreachable() -> QueueError {
    QueueError::Away("no route to host".into())
}

#[async_trait]
impl WorkQueue for NoQueue {
    async fn wake(&self, _: &Wake) -> Result<(), QueueError> {
        Err(unreachable())
    }
    async fn publish_upload(&self, _: &Message) -> Result<(), QueueError> {
        Err(unreachable())
    }
    async fn announce(&self, _: &str, _: &str, _: &Message) -> Result<(), QueueError> {
        Err(unreachable())
    }
    async fn park(&self, _: &Message, _: &ParkingReason) -> Result<(), QueueError> {
        Err(unreachable())
    }
    async fn subscribe(&self, _: Channel, _: u16) -> Result<Box<dyn Subscription>, QueueError> {
        Err(unreachable())
    }
    async fn ping(&self) -> Result<(), QueueError> {
        Err(unreachable())
    }
}

/// A blob store that fails in one way.
struct BadBlobs(fn() -> BlobError);

#[async_trait]
impl BlobStore for BadBlobs {
    async fn put(&self, _: &BlobKey, _: BlobBody, _: &str) -> Result<(), BlobError> {
        Err((self.0)())
    }
    async fn get(&self, _: &BlobKey, _: Option<std::ops::Range<u64>>) -> Result<BlobRead, BlobError> {
        Err((self.0)())
    }
    async fn head(&self, _: &BlobKey) -> Result<Option<u64>, BlobError> {
        Err((self.0)())
    }
    async fn delete(&self, _: &BlobKey) -> Result<(), BlobError> {
        Err((self.0)())
    }
    async fn presign(&self, _: &BlobKey, _: Duration, _: &PresignedHeaders) -> Result<Option<String>, BlobError> {
        Err((self.0)())
    }
    async fn list(&self, _: Option<&str>, _: u32) -> Result<BlobPage, BlobError> {
        Err((self.0)())
    }
    async fn ping(&self) -> Result<(), BlobError> {
        Err((self.0)())
    }
}

async fn post(api: &TestApi) -> reqwest::Response {
    let form = "--XX\r\nContent-Disposition: form-data; name=file; filename=a.jpg\r\n\r\nmeow\r\n--XX--\r\n";
    let request = api.request("POST", "/2.0/files/content").header("Content-Type", "multipart/form-data; boundary=XX");
    request.body(form).send().await.unwrap()
}

#[tokio::test]
async fn without_the_queue_uploads_and_requests_go_on() {
    let api = TestApi::with(Setup { queue: |_| Arc::new(NoQueue), ..Setup::default() }).await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    assert_eq!(api.json(&uploaded.representation("png_paged_1024x1024")).await["status"]["state"], "pending");
    let ready = api.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    let report: Value = ready.json().await.unwrap();
    assert_eq!(report["dependencies"]["queue"]["state"], "away");
    assert_eq!(report["dependencies"]["database"]["state"], "up");
    assert_eq!(api.get("/livez").await.status(), 200);
}

/// A broker that froze: it takes everything and answers nothing.
struct FrozenQueue;

#[async_trait]
impl WorkQueue for FrozenQueue {
    async fn wake(&self, _: &Wake) -> Result<(), QueueError> {
        std::future::pending().await
    }
    async fn publish_upload(&self, _: &Message) -> Result<(), QueueError> {
        std::future::pending().await
    }
    async fn announce(&self, _: &str, _: &str, _: &Message) -> Result<(), QueueError> {
        std::future::pending().await
    }
    async fn park(&self, _: &Message, _: &ParkingReason) -> Result<(), QueueError> {
        std::future::pending().await
    }
    async fn subscribe(&self, _: Channel, _: u16) -> Result<Box<dyn Subscription>, QueueError> {
        std::future::pending().await
    }
    async fn ping(&self) -> Result<(), QueueError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_frozen_queue_costs_the_first_upload_a_moment_and_the_next_nothing() {
    let api = TestApi::with(Setup { queue: |_| Arc::new(FrozenQueue), ..Setup::default() }).await;
    let begun = std::time::Instant::now();
    for name in ["a.jpg", "b.jpg", "c.jpg", "d.jpg"] {
        let uploaded = api.upload(name, b"meow").await;
        assert_eq!(api.json(&uploaded.representation("png_paged_1024x1024")).await["status"]["state"], "pending");
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn without_the_database_clients_are_told_to_come_again() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.store.clone().close().await.unwrap();
    for path in [format!("/2.0/files/{}", uploaded.file), uploaded.content("jpg_320x320", ""), "/v1/files".to_owned()] {
        let response = api.get(&path).await;
        assert_eq!(response.status(), 503, "{path}");
        assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "unavailable");
    }
    let response = post(&api).await;
    assert_eq!(response.status(), 503);
    assert!(api.spooled().is_empty());
}

#[tokio::test]
async fn a_full_blob_store_is_507_and_leaves_nothing() {
    let api = TestApi::with(Setup { blobs: |_| Arc::new(BadBlobs(|| BlobError::NoSpace)), ..Setup::default() }).await;
    let response = post(&api).await;
    assert_eq!(response.status(), 507);
    assert_eq!(response.json::<Value>().await.unwrap()["type"], "error");
    assert_eq!((api.files().await, api.spooled().len()), (0, 0));
}

#[tokio::test]
async fn an_absent_blob_store_is_503_and_leaves_nothing() {
    let blobs = |_| Arc::new(BadBlobs(|| BlobError::Away("connection refused".into()))) as Arc<dyn BlobStore>;
    let api = TestApi::with(Setup { blobs, ..Setup::default() }).await;
    assert_eq!(post(&api).await.status(), 503);
    assert_eq!((api.files().await, api.spooled().len()), (0, 0));
}
