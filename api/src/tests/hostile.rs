//! Clients that mean harm: smuggled requests, slow ones, forms and JSON made to cost, names made to break out.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::harness::{PATIENCE, Setup, TOKEN, TestApi};
use crate::auth::Mode;

/// A silent client is told to go after this at the latest when others wait; far less than its own time limit.
const NOT_KEPT_OUT: Duration = Duration::from_secs(10);

async fn crowded(connections_max: usize) -> TestApi {
    TestApi::with(Setup { connections_max, ..Setup::default() }).await
}

async fn connected(api: &TestApi, says: &str) -> TcpStream {
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream.write_all(says.as_bytes()).await.unwrap();
    stream
}

const LIVE: &str = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn silent_and_slow_clients_keep_nobody_out() {
    let api = crowded(8).await;
    let mut holding = Vec::new();
    for number in 0..12 {
        // Nothing at all, half a request line, half a head: none of them is a request.
        let says = ["", "GET /li", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "][number % 3];
        holding.push(connected(&api, says).await);
    }
    let began = Instant::now();
    for _ in 0..3 {
        let answer = timeout(NOT_KEPT_OUT, api.raw(LIVE.as_bytes())).await.expect("others are kept out");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(began.elapsed() < NOT_KEPT_OUT);
    drop(holding);
}

/// More than the sockets' own buffers take.
const LONG_BYTES: usize = 24 << 20;

#[tokio::test]
async fn clients_that_do_not_take_their_answers_keep_nobody_out() {
    let api = crowded(4).await;
    let uploaded = api.upload("a.jpg", b"meow").await;
    api.succeed(uploaded, &[Box::leak(vec![b'm'; LONG_BYTES].into_boxed_slice())]).await;
    let asks = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", uploaded.content("jpg_320x320", ""));
    let mut holding = Vec::new();
    for _ in 0..6 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(api.address).await.unwrap();
        stream.write_all(asks.as_bytes()).await.unwrap();
        holding.push(stream);
    }
    for _ in 0..3 {
        let answer = timeout(NOT_KEPT_OUT, api.raw(LIVE.as_bytes())).await.expect("others are kept out");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    drop(holding);
}

#[tokio::test]
async fn who_works_keeps_its_connection_however_many_come() {
    let api = crowded(4).await;
    let source = "meow".repeat(50_000);
    let disposition = "Content-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"";
    let body = format!("--XX\r\n{disposition}\r\n\r\n{source}\r\n--XX--\r\n");
    let (first, rest) = body.split_at(body.len() / 2);
    let head = format!(
        "POST /2.0/files/content HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; \
         boundary=XX\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut upload = connected(&api, &format!("{head}{first}")).await;
    api.until("the upload has begun", || !api.spooled().is_empty()).await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(connected(&api, "").await);
    }
    let answer = timeout(NOT_KEPT_OUT, api.raw(LIVE.as_bytes())).await.expect("others are kept out");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    upload.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, upload.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

/// One byte, and then nothing: the time for the whole request ends it, not the time between two bytes.
#[tokio::test]
async fn a_body_that_never_ends_is_told_to_go() {
    let mut setup = Setup::default();
    (setup.config.request_timeout_seconds, setup.config.upload_timeout_seconds) = (1, 1);
    let api = TestApi::with(setup).await;
    let part = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\nm";
    for (method, path, kind, begins) in [
        ("POST", "/2.0/files/content", "multipart/form-data; boundary=XX", part),
        ("POST", "/v1/redrive", "application/json", "{"),
        ("PUT", "/v1/files/1/access", "application/json", "{"),
    ] {
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n");
        let mut stream = connected(&api, &format!("{head}{begins}")).await;
        let mut answer = String::new();
        timeout(NOT_KEPT_OUT, stream.read_to_string(&mut answer)).await.expect("it is waited for").unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 ") || answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
    }
    api.until("nothing is left of the upload", || api.spooled().is_empty()).await;
    assert_eq!(api.files().await, 0);
}

#[tokio::test]
async fn json_made_to_cost_is_refused() {
    let api = TestApi::start().await;
    let file = api.upload("a.jpg", b"meow").await.file;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let wide = format!("[{}[\"anonymous\"]]", "[\"user:1\"],".repeat(4_000));
    let (long, number) = (format!("\"{}\"", "n".repeat(3_000_000)), "9".repeat(15_000));
    // The route, and a field of it that is looked at.
    for (method, path, field) in [
        ("PUT", format!("/v1/files/{file}/access"), "access"),
        ("PUT", format!("/2.0/files/{file}"), "name"),
        ("POST", "/v1/redrive".to_owned(), "limit"),
        ("OPTIONS", "/2.0/files/content".to_owned(), "name"),
    ] {
        for (what, value) in [("long", &long), ("deep", &deep), ("wide", &wide), ("a huge number", &number)] {
            let began = Instant::now();
            let response = api.request(method, &path).body(format!("{{\"{field}\":{value}}}")).send().await;
            // A server may hang up on what is too long before all of it was sent.
            let refused = response.map_or(what == "long", |response| response.status().is_client_error());
            assert!(refused, "{method} {path} took {what}");
            assert!(began.elapsed() < NOT_KEPT_OUT, "{method} {path}: {what}");
        }
    }
    assert_eq!(api.get("/livez").await.status(), 200);
}

/// Two servers in a row that disagree on where a request ends would let one client speak in another's name. Whatever
/// is ambiguous gets one answer at most, and the connection ends.
#[tokio::test]
async fn ambiguous_requests_are_not_split_in_two() {
    let api = TestApi::start().await;
    let hidden = "GET /livez?hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let ambiguous = [
        // Both lengths; two lengths; a length that is a list, signed, or hexadecimal.
        format!(
            "POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n{hidden}"),
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 44\r\n\r\n{hidden}"),
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n{hidden}"),
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 0x0\r\n\r\n{hidden}"),
        // Encodings that one of the two may not understand.
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n{hidden}"),
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        // White space where none may be, and a folded header.
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length : 44\r\n\r\n{hidden}"),
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 44\r\n\r\n{hidden}"),
        // A chunk length that overflows, and one that is none.
        format!(
            "POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff1\r\n{hidden}"
        ),
        format!("POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{hidden}"),
    ];
    for request in ambiguous {
        let mut stream = connected(&api, &request).await;
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
        let answer = String::from_utf8_lossy(&answer);
        let answers = answer.matches("HTTP/1.1 ").count();
        let chunked_is_taken = request.contains("Content-Length: 5\r\nTransfer-Encoding: chunked");
        // RFC 9112 section 6.1 lets a server take the chunks, if it then closes: what follows must not be answered.
        assert!(!answer.contains("HTTP/1.1 200"), "the hidden request of {request:?} was answered: {answer}");
        assert!(answers <= 1 || chunked_is_taken, "{request:?} got {answers} answers: {answer}");
    }
    assert_eq!(api.get("/livez").await.status(), 200);
}

/// Nothing is ever inflated on the way in: what claims to be compressed is taken as it is, within the same limits.
#[tokio::test]
async fn compressed_bodies_are_not_inflated() {
    let api = TestApi::start().await;
    // 20 bytes of gzip, then anything.
    let bomb = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), &[0xff; 4096]].concat();
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let request = api.request("POST", "/2.0/files/content").header("Content-Encoding", encoding);
        let response =
            request.header("Content-Type", "multipart/form-data; boundary=XX").body(bomb.clone()).send().await.unwrap();
        assert!(response.status().is_client_error(), "{encoding}: {}", response.status());
    }
    assert_eq!((api.files().await, api.spooled().len()), (0, 0));
}

fn part(disposition: &str, body: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{body}\r\n")
}

async fn post_form(api: &TestApi, form: String) -> reqwest::Response {
    let request = api.request("POST", "/2.0/files/content");
    request.header("Content-Type", "multipart/form-data; boundary=XX").body(form).send().await.unwrap()
}

#[tokio::test]
async fn forms_made_to_cost_are_refused_early_and_leave_nothing() {
    let api = TestApi::start().await;
    let file = part("name=\"file\"; filename=\"a.jpg\"", "meow");
    let attributes = |json: &str| format!("{}{file}--XX--\r\n", part("name=\"attributes\"", json));
    let nested = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
    let costly = [
        ("thousands of parts", format!("{}{file}--XX--\r\n", part("name=\"x\"", "y").repeat(5000))),
        ("parts within parts", part("name=\"x\"", "--XX\r\n").repeat(2000)),
        ("a long part header", part(&format!("name=\"{}\"", "n".repeat(100_000)), "y")),
        ("long attributes", attributes(&format!("{{\"name\":\"{}\"}}", "n".repeat(1_000_000)))),
        ("deeply nested attributes", attributes(&format!("{{\"name\":\"a.jpg\",\"x\":{nested}}}"))),
        ("a deep parent", attributes(&format!("{{\"parent\":{{\"id\":{}}}}}", "[".repeat(30_000)))),
        ("a huge number", attributes(&format!("{{\"parent\":{{\"id\":{}}}}}", "9".repeat(60_000)))),
    ];
    for (what, form) in costly {
        let response = post_form(&api, form).await;
        assert!(response.status().is_client_error(), "{what}: {}", response.status());
    }
    assert_eq!((api.files().await, api.spooled().len()), (0, 0));
    assert_eq!(api.get("/livez").await.status(), 200);
}

#[tokio::test]
async fn names_can_neither_climb_nor_add_headers() {
    let api = TestApi::start().await;
    for name in ["../../etc/passwd", "a/b.jpg", "..\\..\\x.jpg", "a\r\nSet-Cookie: x=1.jpg", "nul\0.jpg", "C:\\x.jpg"] {
        let form = format!(
            "{}{}--XX--\r\n",
            part("name=\"attributes\"", &json!({ "name": name }).to_string()),
            part("name=\"file\"; filename=\"a.jpg\"", "meow")
        );
        let response = post_form(&api, form).await;
        assert_eq!(response.status(), 400, "{name:?}");
        assert!(!response.headers().contains_key("set-cookie"), "{name:?}");
    }
    // What names may hold comes back in a header without breaking it.
    let uploaded = api.upload("qu\"ote; filename=evil.exe – ünï\u{202e}gpj.jpg", b"meow").await;
    api.succeed(uploaded, &[b"\xff\xd8\xff\xe0page"]).await;
    let response = api.get(&uploaded.content("jpg_320x320", "?dl=1")).await;
    let disposition = response.headers().get("content-disposition").map(|value| value.to_str().unwrap().to_owned());
    if let Some(disposition) = disposition {
        assert!(disposition.is_ascii() && !disposition.contains("evil.exe\""), "{disposition}");
        assert_eq!(disposition.matches('"').count(), 2, "{disposition}");
    }
    assert!(response.status().is_success(), "{}", response.status());
}

#[tokio::test]
async fn paths_that_climb_lead_nowhere() {
    let api = TestApi::start().await;
    let uploaded = api.upload("a.jpg", b"meow").await;
    api.succeed(uploaded, &[b"\xff\xd8\xff\xe0page"]).await;
    let content = uploaded.content("jpg_320x320", "");
    let climbing = [
        "/../../../../etc/passwd".to_owned(),
        "/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "/assets/placeholders/..%2f..%2fetc%2fpasswd".to_owned(),
        format!("{content}..%2f..%2fthumbline.db"),
        format!("{content}../../../../../thumbline.db"),
        format!("{content}%00.jpg"),
        "//etc/passwd".to_owned(),
    ];
    for path in climbing {
        let answer = api.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('4'), "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("SQLite"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn links_do_not_follow_the_host_header() {
    let api = TestApi::start().await;
    let uploaded = api.upload("a.jpg", b"meow").await;
    api.succeed(uploaded, &[b"\xff\xd8\xff\xe0page"]).await;
    let path = uploaded.representation("jpg_320x320");
    let hostile = "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example";
    let answer = api.raw(format!("GET {path} HTTP/1.1\r\n{hostile}\r\nConnection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("evil.example"), "{answer}");
}

/// That the comparison looks at every byte is tested beside it; here, that nothing else of the answer differs.
#[tokio::test]
async fn a_token_that_is_nearly_right_looks_as_wrong_as_any_other() {
    let api = TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await;
    let nearly = format!("{}x", &TOKEN[..TOKEN.len() - 1]);
    let mut answers = Vec::new();
    for token in [nearly.as_str(), "x", &TOKEN[..TOKEN.len() - 1], &"y".repeat(10_000)] {
        let response = api.request("GET", "/2.0/files/1").bearer_auth(token).send().await.unwrap();
        let status = response.status();
        let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        let mut body: Value = response.json().await.unwrap();
        body["request_id"] = Value::Null;
        answers.push((status, challenge, body));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, 401);
}
