//! What holds for every route: who may pass, request ids, error bodies, and how connections end.

use serde_json::Value;

use super::harness::{PATIENCE, Setup, TOKEN, TestApi};
use crate::auth::Mode;

async fn guarded() -> TestApi {
    TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await
}

#[tokio::test]
async fn a_401_is_the_one_that_box_sends() {
    let api = guarded().await;
    let answer = api.raw(b"GET /2.0/files/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(
        answer.contains(
            "\r\nWww-Authenticate: Bearer realm=\"Service\", error=\"invalid_token\", \
             error_description=\"The access token provided is invalid.\"\r\n"
        ),
        "{answer}"
    );
    assert!(answer.contains("\r\nBox-Request-Id: "), "{answer}");
    assert!(answer.contains("\"code\":\"unauthorized\""), "{answer}");
}

#[tokio::test]
async fn a_token_in_the_query_opens_only_the_bytes() {
    let api = guarded().await;
    let content = "/2.0/internal_files/1/versions/1/representations/jpg_320x320/content/";
    assert_eq!(api.get(&format!("{content}?access_token={TOKEN}")).await.status(), 404);
    assert_eq!(api.get(&format!("{content}?access_token=wrong")).await.status(), 401);
    assert_eq!(api.get(&format!("/v1/pipeline?access_token={TOKEN}")).await.status(), 401);
    let write = api.request("POST", &format!("/2.0/files/content?access_token={TOKEN}")).send().await.unwrap();
    assert_eq!(write.status(), 401);
}

/// Many clients send the whole body before they read a byte of the answer.
#[tokio::test]
async fn a_refused_upload_hears_why_however_long_it_is() {
    let api = guarded().await;
    let length = 20_000_000;
    let head =
        format!("POST /2.0/files/content HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let answer = api.raw(&[head.into_bytes(), vec![b'x'; length]].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn each_surface_has_its_own_error_body_and_request_id() {
    let api = TestApi::start().await;
    for (method, path, status) in
        [("GET", "/2.0/nothing", 404), ("DELETE", "/2.0/files/content", 405), ("GET", "/api/2.0", 404)]
    {
        let response = api.request(method, path).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let id = response.headers()["box-request-id"].to_str().unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["type"], body["request_id"].as_str()), (&"error".into(), Some(id.as_str())), "{path}");
    }
    for (method, path, status) in [("GET", "/v1/nothing", 404), ("POST", "/v1/files", 405), ("GET", "/v1/files/x", 404)]
    {
        let response = api.request(method, path).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers().contains_key("x-request-id"));
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["status"], &body["type"]), (&status.into(), &"about:blank".into()), "{path}");
        assert!(body["title"].is_string() && body["detail"].is_string() && body["code"].is_string());
    }
}

#[tokio::test]
async fn a_405_says_what_is_allowed() {
    let api = TestApi::start().await;
    let response = api.request("DELETE", "/v1/files").send().await.unwrap();
    assert_eq!(response.headers()["allow"], "GET,HEAD");
}

#[tokio::test]
async fn other_sites_pages_cannot_upload_to_an_open_api() {
    let api = TestApi::start().await;
    let request = api.request("POST", "/2.0/files/content").header("Origin", "https://evil.example");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "cors_origin_not_whitelisted");
}

#[tokio::test]
async fn absurd_requests_are_answered_and_the_next_one_too() {
    let api = TestApi::start().await;
    let long_query =
        format!("GET /v1/files?limit=1&{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "x".repeat(20_000));
    assert!(api.raw(long_query.as_bytes()).await.starts_with("HTTP/1.1 400 "));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert!(api.raw(many_headers.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    assert!(api.raw(b"\x16\x03\x01\x02\x00\x01\x00").await.starts_with("HTTP/1.1 400 "));
    assert_eq!(api.get("/livez").await.status(), 200);
}

#[tokio::test]
async fn shutdown_lets_a_running_request_end_and_then_is_over() {
    let api = TestApi::start().await;
    let mut stream = tokio::net::TcpStream::connect(api.address).await.unwrap();
    let head = "POST /2.0/files/content HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=XX\r\n\
                Content-Length: 96\r\n\r\n";
    let body = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\nmeow, meow\r\n--XX--\r\n\r\n\r\n ";
    assert_eq!(body.len(), 96);
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream.write_all(format!("{head}{}", &body[..80]).as_bytes()).await.unwrap();
    api.until("the upload has begun", || !api.spooled().is_empty()).await;
    api.shutdown.cancel();
    stream.write_all(&body.as_bytes()[80..]).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    tokio::time::timeout(PATIENCE, api.served).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(api.address).await.is_err());
}
