//! The bytes of representations: waiting, streaming, ranges, caching, names, redirects.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use serde_json::Value;
use shared::domain::blob_key::BlobKey;
use shared::domain::failure::FailureCode;
use shared::domain::ids::Sha256Digest;
use shared::domain::lane::Lane;
use shared::domain::representation::{Content, Outcome};
use shared::ports::blob_store::{BlobBody, BlobError, BlobPage, BlobRead, BlobStore, PresignedHeaders};

use super::harness::{PUBLIC_URL, Setup, TestApi, Uploaded, failed};
use crate::config::Delivery;

const BYTES: &[u8] = b"0123456789";
const PAGED: &str = "jpg_paged_2048x2048";

async fn rendered(api: &TestApi) -> (Uploaded, String) {
    let uploaded = api.upload("my cat.heic.jpg", b"meow").await;
    api.succeed(uploaded, &[BYTES]).await;
    (uploaded, uploaded.content("jpg_320x320", ""))
}

async fn paged(api: &TestApi, pages: &[&'static [u8]]) -> Uploaded {
    let (uploaded, _) = rendered(api).await;
    api.json(&uploaded.representation(PAGED)).await;
    let content = api.store_pages(pages).await;
    api.settle(uploaded, |_| Outcome::Success(content.clone())).await;
    uploaded
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

async fn assert_code(response: reqwest::Response, status: u16, code: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], code);
}

#[tokio::test]
async fn what_is_not_ready_answers_202_in_the_letter_case_that_clients_look_up() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let path = uploaded.content("jpg_320x320", "");
    let answer =
        api.raw(format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    let header = |name: &str| answer.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or("");
    let seconds: u64 = header("Retry-After").parse().unwrap();
    assert!((1..=30).contains(&seconds));
    assert_eq!(header("Location"), format!("{PUBLIC_URL}/assets/placeholders/image.png"));
    assert!(!header("Box-Request-Id").is_empty());
    assert!(answer.ends_with("\r\n\r\n"), "a 202 has no body: {answer}");
    assert_eq!(api.next_wake(Lane::Interactive).await, uploaded.version);
}

#[tokio::test]
async fn the_content_of_a_none_starts_it_too() {
    let api = TestApi::start().await;
    let (uploaded, _) = rendered(&api).await;
    assert_eq!(api.get(&uploaded.content(PAGED, "1.jpg")).await.status(), 202);
    assert_eq!(api.next_wake(Lane::Interactive).await, uploaded.version);
}

#[tokio::test]
async fn placeholders_are_pictures_for_everybody() {
    let api = TestApi::with(Setup { mode: crate::auth::Mode::Token, ..Setup::default() }).await;
    for name in ["image", "file"] {
        let response = api.get(&format!("/assets/placeholders/{name}.png")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(text(response.headers(), "content-type"), "image/png");
        assert!(response.bytes().await.unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    }
    assert_eq!(api.get("/assets/placeholders/other.png").await.status(), 404);
    assert_eq!(api.get("/assets/placeholders/image").await.status(), 404);
}

#[tokio::test]
async fn ready_bytes_come_with_and_without_the_last_slash() {
    let api = TestApi::start().await;
    let (uploaded, path) = rendered(&api).await;
    for path in [path.as_str(), path.trim_end_matches('/')] {
        let response = api.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        let headers = response.headers().clone();
        assert_eq!(text(&headers, "content-type"), "image/jpeg");
        assert_eq!(text(&headers, "content-length"), "10");
        assert_eq!(text(&headers, "accept-ranges"), "bytes");
        assert_eq!(text(&headers, "etag"), format!("\"{}\"", Sha256Digest::of(BYTES)));
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
        assert!(text(&headers, "content-security-policy").contains("sandbox"));
        assert!(!headers.contains_key("content-disposition"));
        assert_eq!(response.bytes().await.unwrap(), BYTES);
    }
    assert_code(api.get(&uploaded.content("jpg_320x320", "1.jpg")).await, 404, "not_found").await;
}

#[tokio::test]
async fn only_a_url_that_names_the_bytes_may_be_kept() {
    let api = TestApi::start().await;
    let (_, path) = rendered(&api).await;
    let digest = Sha256Digest::of(BYTES);
    let cache =
        async |query: &str| text(api.get(&format!("{path}{query}")).await.headers(), "cache-control").to_owned();
    assert_eq!(cache("").await, "private, no-cache");
    assert_eq!(cache(&format!("?v={}", Sha256Digest::of(b"old"))).await, "private, no-cache");
    assert_eq!(cache(&format!("?v={digest}")).await, "private, max-age=300, immutable");
}

#[tokio::test]
async fn a_client_that_has_the_bytes_does_not_get_them_again() {
    let api = TestApi::start().await;
    let (_, path) = rendered(&api).await;
    let etag = format!("\"{}\"", Sha256Digest::of(BYTES));
    let fresh = api.request("GET", &path).header("If-None-Match", &etag).send().await.unwrap();
    assert_eq!(fresh.status(), 304);
    assert_eq!(text(fresh.headers(), "etag"), etag);
    assert_eq!(fresh.bytes().await.unwrap().len(), 0);
    let stale = api.request("GET", &path).header("If-None-Match", "\"other\"").send().await.unwrap();
    assert_eq!(stale.status(), 200);
}

#[tokio::test]
async fn head_tells_the_length_without_the_bytes() {
    let api = TestApi::start().await;
    let (_, path) = rendered(&api).await;
    let answer = api.raw(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Length: 10\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn one_range_is_answered_and_impossible_ones_are_refused() {
    let api = TestApi::start().await;
    let (_, path) = rendered(&api).await;
    let ask = |range: &'static str| api.request("GET", &path).header("Range", range).send();
    let part = ask("bytes=2-4").await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(text(part.headers(), "content-range"), "bytes 2-4/10");
    assert_eq!(part.bytes().await.unwrap(), &b"234"[..]);
    let suffix = ask("bytes=-3").await.unwrap();
    assert_eq!((suffix.status().as_u16(), suffix.bytes().await.unwrap()), (206, "789".into()));
    let beyond = ask("bytes=10-").await.unwrap();
    assert_eq!(text(beyond.headers(), "content-range"), "bytes */10");
    assert_code(beyond, 416, "range_not_satisfiable").await;
    assert_eq!(ask("bytes=0-1,4-5").await.unwrap().status(), 200);
    let other = api.request("GET", &path).header("Range", "bytes=0-1").header("If-Range", "\"other\"");
    assert_eq!(other.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_disposition_comes_only_when_asked_for() {
    let api = TestApi::start().await;
    let (_, path) = rendered(&api).await;
    let disposition = async |query: &str| {
        let response = api.get(&format!("{path}?{query}")).await;
        (response.status().as_u16(), text(response.headers(), "content-disposition").to_owned())
    };
    let name = |name: &str| (200, name.to_owned());
    assert_eq!(
        disposition("set_content_disposition_type=attachment").await,
        name("attachment; filename=\"my cat.heic.jpg\"")
    );
    assert_eq!(
        disposition("set_content_disposition_type=inline&set_content_disposition_filename=a%22%0d%0aX:b").await,
        name("inline; filename=\"a_X_b.jpg\"; filename*=UTF-8''a%22X_b.jpg")
    );
    assert_eq!(disposition("set_content_disposition_filename=x").await, name(""));
    assert_eq!(disposition("set_content_disposition_type=evil").await.0, 400);
}

#[tokio::test]
async fn pages_are_read_one_by_one() {
    let api = TestApi::start().await;
    let uploaded = paged(&api, &[b"one", b"two"]).await;
    for (asset_path, bytes) in [("1.jpg", "one"), ("2.jpg", "two"), ("", "one")] {
        let response = api.get(&uploaded.content(PAGED, asset_path)).await;
        assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, bytes.to_owned()));
    }
    for page in ["3.jpg", "0.jpg", "99999999999999.jpg"] {
        assert_code(api.get(&uploaded.content(PAGED, page)).await, 400, "requested_page_out_of_range").await;
    }
    assert_code(api.get(&uploaded.content(PAGED, "1.png")).await, 404, "not_found").await;
}

#[tokio::test]
async fn the_template_of_a_paged_one_lets_every_page_be_kept() {
    let api = TestApi::start().await;
    let uploaded = paged(&api, &[b"one", b"two"]).await;
    let info = api.json(&uploaded.representation(PAGED)).await;
    let template = info["content"]["url_template"].as_str().unwrap();
    for page in ["1.jpg", "2.jpg"] {
        let url = template.replace("{+asset_path}", page);
        let response = api.get(url.strip_prefix(PUBLIC_URL).unwrap()).await;
        assert_eq!(text(response.headers(), "cache-control"), "private, max-age=300, immutable", "{page}");
    }
}

#[tokio::test]
async fn a_viewable_one_shows_what_is_there_and_lets_wait_for_the_rest() {
    let api = TestApi::start().await;
    let (uploaded, _) = rendered(&api).await;
    api.json(&uploaded.representation(PAGED)).await;
    let content = api.store_pages(&[b"one"]).await;
    api.settle(uploaded, |_| Outcome::Viewable(content.clone())).await;
    assert_eq!(api.get(&uploaded.content(PAGED, "1.jpg")).await.status(), 200);
    assert_eq!(api.get(&uploaded.content(PAGED, "2.jpg")).await.status(), 202);
}

#[tokio::test]
async fn what_failed_is_not_there() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.settle(uploaded, |_| failed(FailureCode::PasswordProtected)).await;
    let response = api.get(&uploaded.content("jpg_320x320", "")).await;
    assert_code(response, 404, "preview_cannot_be_generated").await;
}

/// The local store with an S3 store's gift: signed URLs.
struct Signing(Arc<dyn BlobStore>);

#[async_trait]
impl BlobStore for Signing {
    async fn put(&self, key: &BlobKey, body: BlobBody, content_type: &str) -> Result<(), BlobError> {
        self.0.put(key, body, content_type).await
    }
    async fn get(&self, key: &BlobKey, range: Option<std::ops::Range<u64>>) -> Result<BlobRead, BlobError> {
        self.0.get(key, range).await
    }
    async fn head(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        self.0.head(key).await
    }
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        self.0.delete(key).await
    }
    async fn presign(
        &self,
        key: &BlobKey,
        lifetime: Duration,
        headers: &PresignedHeaders,
    ) -> Result<Option<String>, BlobError> {
        let disposition = headers.content_disposition.as_deref().unwrap_or("none");
        let content_type = headers.content_type.as_deref().unwrap_or("none");
        let seconds = lifetime.as_secs();
        Ok(Some(format!("https://blobs.example/{key}#{seconds}#{content_type}#{disposition}")))
    }
    async fn list(&self, after: Option<&str>, limit: u32) -> Result<BlobPage, BlobError> {
        self.0.list(after, limit).await
    }
    async fn ping(&self) -> Result<(), BlobError> {
        self.0.ping().await
    }
}

#[tokio::test]
async fn with_redirects_a_get_is_sent_to_the_blob_store_and_nobody_keeps_the_way() {
    let mut setup = Setup { blobs: |blobs| Arc::new(Signing(blobs)), ..Setup::default() };
    setup.config.delivery = Delivery::Redirect;
    setup.config.redirect_private = true;
    let api = TestApi::with(setup).await;
    let (_, path) = rendered(&api).await;
    let response = api.get(&format!("{path}?set_content_disposition_type=inline")).await;
    assert_eq!(response.status(), 302);
    let location = text(response.headers(), "location");
    assert!(location.starts_with("https://blobs.example/representations/default/"), "{location}");
    assert!(location.ends_with("#60#image/jpeg#inline; filename=\"my cat.heic.jpg\""), "{location}");
    assert_eq!(text(response.headers(), "cache-control"), "no-store");
    assert_eq!(api.request("HEAD", &path).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn with_redirects_but_a_store_that_cannot_sign_bytes_are_streamed() {
    let mut setup = Setup::default();
    setup.config.delivery = Delivery::Redirect;
    let api = TestApi::with(setup).await;
    let (_, path) = rendered(&api).await;
    assert_eq!(api.get(&path).await.bytes().await.unwrap(), BYTES);
}

/// A file whose representation lies between others in a pack, and the path to it.
async fn packed(api: &TestApi) -> (Uploaded, String) {
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let pack = api.store_pack(&[b"a neighbour", BYTES, b"another one"]).await;
    let content = Content::new(vec![pack.pages()[1].clone()]).unwrap();
    api.settle(uploaded, |_| Outcome::Success(content.clone())).await;
    (uploaded, uploaded.content("jpg_320x320", ""))
}

#[tokio::test]
async fn a_page_of_a_pack_is_served_like_any_other_and_nothing_beside_it() {
    let api = TestApi::start().await;
    let (_, path) = packed(&api).await;
    let ask = async |method: &str, name: &'static str, value: &str| {
        api.request(method, &path).header(name, value).send().await.unwrap()
    };
    // Before and after it is kept in memory.
    for range in ["bytes=2-4", "bytes=-3", "bytes=5-999", "bytes=0-"] {
        let part = ask("GET", "Range", range).await;
        let (from, to) = match range {
            "bytes=2-4" => (2, 4),
            "bytes=-3" => (7, 9),
            "bytes=5-999" => (5, 9),
            _ => (0, 9),
        };
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(text(part.headers(), "content-range"), format!("bytes {from}-{to}/10"));
        assert_eq!(part.bytes().await.unwrap(), BYTES[from..=to], "{range}");
        let whole = api.get(&path).await;
        assert_eq!(
            (text(whole.headers(), "content-length"), text(whole.headers(), "content-type")),
            ("10", "image/jpeg")
        );
        assert_eq!(text(whole.headers(), "etag"), format!("\"{}\"", Sha256Digest::of(BYTES)));
        assert_eq!(whole.bytes().await.unwrap(), BYTES);
    }
    let beyond = ask("GET", "Range", "bytes=10-").await;
    assert_eq!((beyond.status().as_u16(), text(beyond.headers(), "content-range")), (416, "bytes */10"));
    assert_eq!(ask("GET", "If-None-Match", &format!("\"{}\"", Sha256Digest::of(BYTES))).await.status(), 304);
    let head = ask("HEAD", "Accept", "*/*").await;
    assert_eq!((head.status().as_u16(), text(head.headers(), "content-length")), (200, "10"));
    assert!(text(head.headers(), "cache-control").contains("no-cache"));
}

#[tokio::test]
async fn pages_that_share_a_pack_are_told_apart() {
    let api = TestApi::start().await;
    let (uploaded, _) = rendered(&api).await;
    api.json(&uploaded.representation(PAGED)).await;
    let pages: [&'static [u8]; 3] = [b"one", b"second", b"the third"];
    let content = api.store_pack(&pages).await;
    api.settle(uploaded, |_| Outcome::Success(content.clone())).await;
    for (number, page) in (1..).zip(pages) {
        let response = api.get(&uploaded.content(PAGED, &format!("{number}.jpg"))).await;
        assert_eq!((response.status().as_u16(), response.bytes().await.unwrap()), (200, page.into()));
    }
}

#[tokio::test]
async fn with_redirects_what_is_in_a_pack_is_streamed() {
    let mut setup = Setup { blobs: |blobs| Arc::new(Signing(blobs)), ..Setup::default() };
    setup.config.delivery = Delivery::Redirect;
    setup.config.redirect_private = true;
    let api = TestApi::with(setup).await;
    let (_, path) = packed(&api).await;
    let response = api.get(&path).await;
    assert_eq!((response.status().as_u16(), response.bytes().await.unwrap()), (200, BYTES.into()));
}
