//! What nobody should send, to every route of Box's API: always Box's own error body, never a 500.

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::harness::{Setup, TOKEN, TestApi, Uploaded};
use crate::auth::Mode;
use crate::router;

/// An error of ours in Box's shape; returns its status and code.
async fn refusal(response: Response, what: &str) -> (u16, String) {
    let status = response.status().as_u16();
    assert!((400..500).contains(&status), "{what} answered {status}");
    let id = response.headers().get("box-request-id").map(|id| id.to_str().unwrap().to_owned());
    assert_eq!(response.headers().get("content-type").map(|t| t.to_str().unwrap()), Some("application/json"), "{what}");
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["type"], &body["status"]), (&"error".into(), &status.into()), "{what}: {body}");
    assert_eq!(body["request_id"].as_str(), id.as_deref(), "{what}: {body}");
    assert!(body["message"].is_string() && body["help_url"].is_string(), "{what}: {body}");
    (status, body["code"].as_str().unwrap().to_owned())
}

async fn refused(request: RequestBuilder, what: &str, expected: (u16, &str)) {
    let (status, code) = refusal(request.send().await.unwrap(), what).await;
    assert_eq!((status, code.as_str()), expected, "{what}");
}

/// Templates of Box's routes that name a file.
fn file_routes() -> Vec<&'static str> {
    let paths = router::paths().into_iter().map(|(path, _)| path);
    paths.filter(|path| path.starts_with("/2.0") && path.contains("{file}")).collect()
}

#[tokio::test]
async fn ids_that_are_none_name_nothing() {
    let api = TestApi::start().await;
    let tricks = [
        "x",
        "-1",
        "+1",
        "0",
        "00",
        "007",
        "1.0",
        "1e3",
        "9007199254740992",
        "99999999999999999999999",
        "%00",
        "%2e%2e",
        "%EF%BC%91",
        "1%2F2",
        "1;2",
        "%20",
        "null",
        "%F0%9F%98%80",
        "%ff",
    ];
    let routes = file_routes();
    assert!(routes.len() > 8, "{routes:?}");
    for route in routes {
        for trick in tricks {
            for method in ["GET", "DELETE", "PUT", "POST", "OPTIONS"] {
                let path = route.replace("{file}", trick).replace("{version}", "1").replace("{name}", "jpg_320x320");
                let path = path.replace("{*asset_path}", "1.jpg");
                let request = api.request(method, &path).body("{}").header("content-type", "application/json");
                let (status, _) = refusal(request.send().await.unwrap(), &format!("{method} {path}")).await;
                assert!([400, 404, 405, 411].contains(&status), "{method} {path} answered {status}");
            }
        }
    }
}

#[tokio::test]
async fn names_and_asset_paths_lead_nowhere() {
    let api = TestApi::start().await;
    let Uploaded { file, version } = api.upload("cat.jpg", b"meow").await;
    for trick in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..",
        "1.jpg%00",
        "1.jpg%2f..%2f2.jpg",
        "%5c..%5c1.jpg",
        "1.png",
        "-1.jpg",
        "01.jpg.jpg",
        "1.jpg;x",
        "%c0%ae%c0%ae%2f",
        "1.JPG",
        &"a".repeat(5000),
        "http:%2f%2fevil.example%2f",
        "?",
        "1%2ejpg/",
    ] {
        let below = format!("/2.0/internal_files/{file}/versions/{version}/representations");
        for path in [
            format!("{below}/jpg_paged_2048x2048/content/{trick}"),
            format!("{below}/{trick}"),
            format!("{below}/{trick}/content/"),
            format!("/2.0/files/{file}/versions/{trick}x"),
            format!("/2.0/folders/{trick}x/items"),
            format!("/2.0/users/{trick}x"),
        ] {
            // Sent as it stands: clients tidy paths up.
            let answer =
                api.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
            let status: u16 = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            let is_page_one = path.ends_with("content/?") || path.ends_with("content/1%2ejpg/");
            assert!(is_page_one || (400..500).contains(&status), "{path}: {answer}");
            assert!(is_page_one || answer.contains("\"type\":\"error\""), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn parameters_are_checked_before_they_matter() {
    let api = TestApi::start().await;
    let Uploaded { file, .. } = api.upload("cat.jpg", b"meow").await;
    for query in ["min_width=x", "min_width=31", "max_height=321", "min_height=-5", "max_width=1e2", "min_width=%00"] {
        for extension in ["png", "jpg"] {
            let path = format!("/2.0/files/{file}/thumbnail.{extension}?{query}");
            refused(api.request("GET", &path), &path, (400, "bad_request")).await;
        }
    }
    for path in [
        format!("/2.0/files/{file}/thumbnail.jpg?min_width=40&min_width=50"),
        format!("/2.0/files/{file}?fields=name&fields=id"),
        format!("/2.0/files/{file}/versions?limit=x"),
        format!("/2.0/files/{file}/versions?offset=-1"),
        "/2.0/folders/0/items?limit=ten".to_owned(),
        "/2.0/folders/0/items?offset=10001".to_owned(),
        "/2.0/folders/0/items?marker=x".to_owned(),
        "/2.0/folders/0/items?sort=colour".to_owned(),
        "/2.0/folders/0?direction=UP".to_owned(),
        format!("/2.0/files/{file}?fields={}", "a".repeat(9000)),
    ] {
        refused(api.request("GET", &path), &path[..path.len().min(80)], (400, "bad_request")).await;
    }
    let long = format!("/2.0/files/{file}?fields={}", "a".repeat(20_000));
    refused(api.request("GET", &long), "a long URL", (414, "uri_too_long")).await;
    for fields in ["", "%2C%2C", "nothing,%00,%ff", "id%2Cid", "representations,permissions,unknown"] {
        let path = format!("/2.0/files/{file}?fields={fields}");
        assert_eq!(api.get(&path).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn headers_that_are_broken_are_told() {
    let api = TestApi::start().await;
    let Uploaded { file, .. } = api.upload("cat.jpg", b"meow").await;
    let path = format!("/2.0/files/{file}?fields=representations");
    for hints in ["[", "]", "[jpg", "jpg", "[jpg?]", "[jpg?dimensions]", "[[jpg]]", "[jpg,]"] {
        refused(api.request("GET", &path).header("X-Rep-Hints", hints), hints, (400, "bad_request")).await;
    }
    let bytes = http::HeaderValue::from_bytes(b"[jpg\xff]").unwrap();
    refused(api.request("GET", &path).header("X-Rep-Hints", bytes), "no text", (400, "bad_request")).await;
    let long = "x".repeat(40_000);
    let request = api.request("GET", &path).header("X-Long", long);
    refused(request, "long headers", (431, "request_header_fields_too_large")).await;
    for (method, name, value, status) in
        [("DELETE", "If-Match", "\"7\"", 412), ("DELETE", "If-Match", "", 412), ("PUT", "If-Match", "x, y", 412)]
    {
        let request = api.request(method, &format!("/2.0/files/{file}")).header(name, value).body("{}");
        refused(request, value, (status, "precondition_failed")).await;
    }
    for fresh in ["0", "\"0\"", "W/\"0\"", "5, 0", "*"] {
        let request = api.request("GET", &format!("/2.0/files/{file}")).header("If-None-Match", fresh);
        assert_eq!(request.send().await.unwrap().status(), 304, "{fresh}");
    }
}

#[tokio::test]
async fn authorization_that_is_none_is_refused() {
    let api = TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await;
    let almost = format!("Bearer {TOKEN}x");
    let basic = format!("Basic {TOKEN}");
    let two = format!("Bearer {TOKEN} {TOKEN}");
    for value in ["", "Bearer", "Bearer ", TOKEN, &almost, &basic, &two, "Bearer \u{e9}", "Bearer ,", "Digest a=b"] {
        let request = api.request("GET", "/2.0/files/1").header("Authorization", value.as_bytes());
        refused(request, value, (401, "unauthorized")).await;
    }
    let bytes = http::HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
    refused(api.request("GET", "/2.0/files/1").header("Authorization", bytes), "no text", (401, "unauthorized")).await;
}

#[tokio::test]
async fn json_that_is_none_is_refused() {
    let api = TestApi::start().await;
    let Uploaded { file, .. } = api.upload("cat.jpg", b"meow").await;
    let version = format!("/2.0/files/{file}/versions/current");
    let (own, check, of_version) =
        (format!("/2.0/files/{file}"), "/2.0/files/content".to_owned(), format!("/api/2.0/files/{file}/content"));
    for (method, path) in [("PUT", &own), ("OPTIONS", &check), ("OPTIONS", &of_version), ("POST", &version)] {
        for body in
            ["{", "[]", "null", "\"x\"", "7", "{\"name\":7}", "{\"name\":[],\"id\":7}", "{\"parent\":\"0\"}", "\u{0}"]
        {
            let what = format!("{method} {path} {body}");
            let promotes = path.ends_with("current");
            if promotes && (body.contains("parent") || body == "{\"name\":7}") {
                continue;
            }
            refused(api.request(method, path).body(body), &what, (400, "bad_request")).await;
        }
        let long = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
        refused(api.request(method, path).body(long), "a long body", (400, "bad_request")).await;
    }
    for (body, code) in [
        ("{\"name\":\"\"}", "item_name_invalid"),
        ("{\"name\":\"a/b\"}", "item_name_invalid"),
        ("{\"name\":\"..\"}", "item_name_invalid"),
        ("{\"name\":\"a\\u0000b\"}", "item_name_invalid"),
        ("{\"parent\":{\"id\":[]}}", "bad_request"),
        ("{\"parent\":{\"id\":\"\"}}", "bad_request"),
    ] {
        refused(api.request("PUT", &own).body(body), body, (400, code)).await;
        if body.contains("name") {
            refused(api.request("OPTIONS", &check).body(body), body, (400, code)).await;
        }
    }
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(256));
    refused(api.request("PUT", &own).body(long), "a long name", (400, "item_name_too_long")).await;
    let announced = "{\"name\":\"big.jpg\",\"size\":99999999999}";
    refused(api.request("OPTIONS", &check).body(announced), "a big file", (403, "file_size_limit_exceeded")).await;
    for size in ["-1", "1.5", "\"9\"", "1e400"] {
        let body = format!("{{\"name\":\"a.jpg\",\"size\":{size}}}");
        refused(api.request("OPTIONS", &check).body(body), size, (400, "bad_request")).await;
    }
}

const ATTRIBUTES: &str = "--XX\r\nContent-Disposition: form-data; name=\"attributes\"\r\n\r\n";
const FILE: &str = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\nbytes\r\n";

#[tokio::test]
async fn forms_that_are_none_are_refused_and_leave_nothing() {
    let api = TestApi::start().await;
    let Uploaded { file, .. } = api.upload("cat.jpg", b"meow").await;
    let attributes = |json: &str| format!("{ATTRIBUTES}{json}\r\n{FILE}--XX--\r\n");
    let many =
        format!("{}{FILE}--XX--\r\n", "--XX\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n".repeat(10_000));
    let file_first = format!("{FILE}{ATTRIBUTES}{{}}\r\n--XX--\r\n");
    let form = "multipart/form-data; boundary=XX";
    let cases = [
        ("multipart/form-data", attributes("{}"), "bad_request"),
        ("multipart/form-data; boundary=", attributes("{}"), "bad_request"),
        ("application/json", "{}".to_owned(), "bad_request"),
        ("text/plain; boundary=XX", attributes("{}"), "bad_request"),
        (form, "--XX--\r\n".to_owned(), "bad_request"),
        (form, "no boundary at all".to_owned(), "bad_request"),
        (form, many, "bad_request"),
        (form, file_first, "metadata_after_file_contents"),
        (form, format!("{FILE}{FILE}--XX--\r\n"), "bad_request"),
        (form, format!("{ATTRIBUTES}{{}}\r\n--XX--\r\n"), "bad_request"),
        (form, format!("{ATTRIBUTES}{{}}\r\n{FILE}"), "bad_request"),
        (form, attributes("not JSON"), "bad_request"),
        (form, attributes("[]"), "bad_request"),
        (form, attributes("{\"name\":7}"), "bad_request"),
        (form, attributes("{\"name\":\"a.jpg\",\"parent\":{\"id\":{}}}"), "bad_request"),
        (form, attributes("{\"name\":\"a/b.jpg\"}"), "item_name_invalid"),
        (form, attributes(&format!("{{\"name\":\"{}\"}}", "x".repeat(300))), "item_name_too_long"),
        (form, attributes(&format!("{{\"x\":\"{}\"}}", "x".repeat(70_000))), "bad_request"),
    ];
    for path in ["/2.0/files/content".to_owned(), format!("/api/2.0/files/{file}/content")] {
        for (content_type, body, code) in &cases {
            let what = format!("{path} {content_type} {}", &body[..body.len().min(120)]);
            let request = api.request("POST", &path).header("content-type", *content_type).body(body.clone());
            refused(request, &what, (400, code)).await;
        }
        let bare = api.raw(format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(bare.starts_with("HTTP/1.1 411 ") && bare.contains("\"length_required\""), "{bare}");
    }
    let stale = api.request("POST", &format!("/2.0/files/{file}/content")).header("content-type", form);
    refused(stale.header("If-Match", "7").body(attributes("{}")), "stale", (412, "precondition_failed")).await;
    assert_eq!(api.files().await, 1, "nothing was registered");
    assert_eq!(api.spooled(), [""; 0].map(std::path::PathBuf::from), "nothing is left in the spool");
}
