//! Uploads in every shape that clients send, and every way in which one is refused.

use http::StatusCode;
use reqwest::Response;
use serde_json::Value;
use shared::domain::failure::FailureCode;
use shared::domain::lane::Lane;
use shared::ports::file_store::{Change, FileStore as _};
use shared::ports::state_store::StateStore as _;

use super::harness::{Setup, TestApi, failed};

const ATTRIBUTES: &str = r#"{"name":"cat.jpg","parent":{"id":"0"}}"#;
/// SHA-1 of `meow`.
const MEOW_SHA1: &str = "7d5c2a2d6136fbf166211d5183bf66214a247f31";

fn part(headers: &str, body: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; {headers}\r\n\r\n{body}\r\n")
}

fn attributes(json: &str) -> String {
    part("name=\"attributes\"", json)
}

fn form(parts: &[String]) -> String {
    format!("{}--XX--\r\n", parts.concat())
}

async fn post(api: &TestApi, path: &str, form: String, headers: &[(&str, &str)]) -> Response {
    let mut request = api.request("POST", path).header("Content-Type", "multipart/form-data; boundary=XX").body(form);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn assert_refused(api: &TestApi, response: Response, status: StatusCode, code: &str) {
    assert_eq!(response.status(), status, "{code}");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(api.files().await, 0, "a refused upload has rows");
    assert_eq!(api.spooled(), Vec::<std::path::PathBuf>::new(), "a refused upload is still spooled");
}

#[tokio::test]
async fn every_clients_form_is_understood() {
    let api = TestApi::start().await;
    let legacy_python = r#"{"name":"cat.jpg","parent":{"id":"0"},"description":null,"content_created_at":null}"#;
    for (client, form) in [
        ("legacy Python", form(&[attributes(legacy_python), part("name=\"file\"; filename=\"unused\"", "meow")])),
        ("generated Python", form(&[attributes(ATTRIBUTES), part("name=\"file\"; filename=\"\"", "meow")])),
        ("legacy Node", form(&[attributes(ATTRIBUTES), part("name=\"content\"; filename=\"unused\"", "meow")])),
        (
            "generated Node",
            form(&[
                attributes(ATTRIBUTES),
                part("name=\"file\"; filename=\"file\"\r\nContent-Type: application/octet-stream", "meow"),
            ]),
        ),
        (
            "browser with a Blob",
            form(&[part("name=\"attributes\"; filename=\"blob\"", ATTRIBUTES), part("name=file; filename=a", "meow")]),
        ),
        ("curl without attributes", form(&[part("name=\"file\"; filename=\"cat.jpg\"", "meow")])),
        (
            "a field more",
            form(&[
                part("name=\"x\"", "y"),
                attributes(ATTRIBUTES),
                part("name=file; filename=a", "meow"),
                part("name=z", ""),
            ]),
        ),
    ] {
        for path in ["/2.0/files/content", "/api/2.0/files/content"] {
            let response = post(&api, path, form.clone(), &[]).await;
            assert_eq!(response.status(), 201, "{client}");
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["total_count"], 1, "{client}");
            let file = &body["entries"][0];
            assert_eq!(
                (&file["type"], &file["name"], &file["size"]),
                (&"file".into(), &"cat.jpg".into(), &4.into()),
                "{client}"
            );
            // The next one has the same name.
            let id = file["id"].as_str().unwrap().parse().unwrap();
            api.store.change(id, &Change::Trash, None).await.unwrap();
        }
    }
    assert!(api.spooled().is_empty());
}

#[tokio::test]
async fn an_upload_is_stored_registered_and_woken_before_it_is_answered() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let state = api.store.file(uploaded.file).await.unwrap().unwrap();
    let shared::domain::source::SourceLocation::Uploaded(key) = &state.version.source else { panic!("not uploaded") };
    assert_eq!(api.blobs.head(key).await.unwrap(), Some(4));
    assert_eq!(state.version.bytes.unwrap().length_bytes, 4);
    assert_eq!(state.representations.len(), 5, "the eager presets");
    assert_eq!(api.next_wake(Lane::Normal).await, uploaded.version);
}

#[tokio::test]
async fn the_same_bytes_twice_are_two_files() {
    let api = TestApi::start().await;
    let (one, other) = (api.upload("cat.jpg", b"meow").await, api.upload("cat 2.jpg", b"meow").await);
    assert_ne!(one.file, other.file);
}

#[tokio::test]
async fn a_declared_sha1_is_checked() {
    let api = TestApi::start().await;
    let upload = form(&[attributes(ATTRIBUTES), part("name=file; filename=a", "abc")]);
    let wrong = post(&api, "/2.0/files/content", upload.clone(), &[("Content-MD5", MEOW_SHA1)]).await;
    assert_refused(&api, wrong, StatusCode::BAD_REQUEST, "bad_digest").await;
    let right = [("content-md5", "A9993E364706816ABA3E25717850C26C9CD0D89D")];
    let response = post(&api, "/2.0/files/content?fields=sha1", upload, &right).await;
    assert_eq!(response.status(), 201);
    let body: Value = response.json().await.unwrap();
    let entry = body["entries"][0].as_object().unwrap();
    assert_eq!(entry["sha1"], "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(entry.keys().collect::<Vec<_>>(), ["etag", "id", "sha1", "type"]);
}

#[tokio::test]
async fn forms_that_are_not_uploads_are_refused_and_leave_nothing() {
    let api = TestApi::start().await;
    let file = || part("name=file; filename=cat.jpg", "meow");
    let named = |name: &str| form(&[attributes(&format!(r#"{{"name":{name:?}}}"#)), file()]);
    let cut = form(&[attributes(ATTRIBUTES), file()]).replace("\r\n--XX--", "");
    for (code, form) in [
        ("metadata_after_file_contents", form(&[file(), attributes(ATTRIBUTES)])),
        ("metadata_after_file_contents", form(&[attributes(ATTRIBUTES), file(), attributes(ATTRIBUTES)])),
        ("bad_request", cut),
        ("bad_request", form(&[])),
        ("bad_request", form(&[attributes(ATTRIBUTES)])),
        ("bad_request", form(&[attributes("not json"), file()])),
        ("bad_request", form(&[attributes("null"), file()])),
        ("bad_request", form(&[attributes(r#"{"name":7}"#), file()])),
        ("bad_request", form(&[attributes(r#"{"parent":{"id":[]}}"#), file()])),
        ("bad_request", form(&[attributes(&format!("\"{}\"", "x".repeat(100_000))), file()])),
        ("bad_request", form(&[attributes(ATTRIBUTES), file(), file()])),
        ("item_name_invalid", form(&[part("name=file; filename=\"\"", "meow")])),
        ("item_name_invalid", named("../etc/passwd")),
        ("item_name_invalid", named(" cat.jpg")),
        ("item_name_too_long", named(&"x".repeat(256))),
    ] {
        let response = post(&api, "/2.0/files/content", form, &[]).await;
        assert_refused(&api, response, StatusCode::BAD_REQUEST, code).await;
    }
    let json = api.request("POST", "/2.0/files/content").json(&ATTRIBUTES).send().await.unwrap();
    assert_refused(&api, json, StatusCode::BAD_REQUEST, "bad_request").await;
}

#[tokio::test]
async fn zero_bytes_are_taken_and_end_in_their_own_code() {
    let api = TestApi::start().await;
    let empty = api.upload("empty.jpg", b"").await;
    api.settle(empty, |_| failed(FailureCode::ZeroBytes)).await;
    let info = api.json(&empty.representation("jpg_320x320")).await;
    assert_eq!(info["status"], serde_json::json!({ "state": "error", "code": "error_zero_byte_file" }));
}

fn small() -> Setup {
    let mut setup = Setup::default();
    setup.config.upload_bytes_max = 1000;
    setup
}

#[tokio::test]
async fn the_limit_is_exact() {
    let api = TestApi::with(small()).await;
    let upload = |length| form(&[attributes(ATTRIBUTES), part("name=file; filename=a", &"x".repeat(length))]);
    let over = post(&api, "/2.0/files/content", upload(1001), &[]).await;
    assert_refused(&api, over, StatusCode::PAYLOAD_TOO_LARGE, "request_entity_too_large").await;
    assert_eq!(post(&api, "/2.0/files/content", upload(1000), &[]).await.status(), 201);
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_before_a_byte_is_sent() {
    let api = TestApi::with(small()).await;
    let head = "POST /2.0/files/content HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=XX\r\n\
                Content-Length: 10000000000\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    let answer = api.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("request_entity_too_large"), "{answer}");
    assert!(api.spooled().is_empty());
}

#[tokio::test]
async fn a_stream_without_a_length_is_cut_at_the_limit_and_the_client_hears_why() {
    let api = TestApi::with(small()).await;
    let opening =
        format!("{}--XX\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n", attributes(ATTRIBUTES));
    let chunks = std::iter::once(opening).chain((0..2000).map(|_| "x".repeat(1000))).map(Ok::<_, std::io::Error>);
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let request = api.request("POST", "/2.0/files/content").header("Content-Type", "multipart/form-data; boundary=XX");
    let response = request.body(body).send().await.unwrap();
    assert_refused(&api, response, StatusCode::PAYLOAD_TOO_LARGE, "request_entity_too_large").await;
}

#[tokio::test]
async fn chunked_uploads_need_no_length() {
    let api = TestApi::start().await;
    let upload = form(&[attributes(ATTRIBUTES), part("name=file; filename=\"\"", "meow")]);
    let pieces: Vec<_> = upload.as_bytes().chunks(3).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let request = api.request("POST", "/2.0/files/content").header("Content-Type", "multipart/form-data; boundary=XX");
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    assert_eq!(request.body(body).send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing() {
    let api = TestApi::start().await;
    let opening =
        format!("{}--XX\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nmeo", attributes(ATTRIBUTES));
    let head = format!(
        "POST /2.0/files/content HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=XX\r\n\
         Content-Length: 100000\r\n\r\n{opening}"
    );
    let mut stream = tokio::net::TcpStream::connect(api.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    api.until("the upload is spooled", || !api.spooled().is_empty()).await;
    drop(stream);
    api.until("the spool is empty again", || api.spooled().is_empty()).await;
    assert_eq!(api.files().await, 0);
}
