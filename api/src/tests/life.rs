//! A file's life over Box's API: versions, downloads, thumbnails, folders, the trash, browsers and limits.

use serde_json::{Value, json};
use shared::domain::failure::FailureCode;

use super::harness::{PUBLIC_URL, Setup, TOKEN, TestApi, Uploaded, failed};
use crate::Config;
use crate::auth::Mode;

/// The path of an absolute URL of ours.
fn path(url: &str) -> &str {
    url.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("{url} is not below {PUBLIC_URL}"))
}

async fn location(api: &TestApi, path: &str) -> String {
    let response = api.get(path).await;
    assert_eq!(response.status(), 302, "{path}");
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn code(api: &TestApi, method: &str, path: &str) -> (u16, String) {
    let response = api.request(method, path).send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or("").to_owned())
}

async fn new_version(api: &TestApi, file: Uploaded, attributes: Option<Value>, bytes: &'static [u8]) -> Value {
    let mut form = reqwest::multipart::Form::new();
    if let Some(attributes) = attributes {
        form = form.text("attributes", attributes.to_string());
    }
    let form = form.part("content", reqwest::multipart::Part::bytes(bytes).file_name("unused"));
    let request = api.request("POST", &format!("/api/2.0/files/{}/content", file.file)).multipart(form);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json::<Value>().await.unwrap()["entries"][0].clone()
}

#[tokio::test]
async fn a_download_is_a_redirect_that_needs_no_credentials() {
    let api = TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await;
    let refused = api.get("/2.0/files/1/content").await;
    assert_eq!(refused.status(), 401);
    let attributes = json!({ "name": "mäw \"x\".jpg".replace('"', "'"), "parent": { "id": "0" } }).to_string();
    let form = reqwest::multipart::Form::new()
        .text("attributes", attributes)
        .part("file", reqwest::multipart::Part::bytes(&b"0123456789"[..]).file_name(""));
    let upload = api.request("POST", "/2.0/files/content").bearer_auth(TOKEN).multipart(form).send().await.unwrap();
    let id = upload.json::<Value>().await.unwrap()["entries"][0]["id"].as_str().unwrap().to_owned();
    let content = format!("/2.0/files/{id}/content?access_token={TOKEN}");
    let url = location(&api, &content).await;
    let whole = api.get(path(&url)).await;
    assert_eq!(whole.status(), 200);
    let disposition = whole.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(
        disposition.starts_with("attachment; filename=\"m_w 'x'.jpg\"; filename*=UTF-8''m%C3%A4w"),
        "{disposition}"
    );
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.bytes().await.unwrap(), "0123456789");

    let part = api.request("GET", path(&url)).header("Range", "bytes=2-4").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()), (206, "bytes 2-4/10"));
    assert_eq!(part.bytes().await.unwrap(), "234");
    let beyond = api.request("GET", path(&url)).header("Range", "bytes=10-").send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    let fresh = api.request("GET", path(&url)).header("If-None-Match", &etag).send().await.unwrap();
    assert_eq!(fresh.status(), 304);
    let stale = api.request("GET", path(&url)).header("If-Match", "\"other\"").send().await.unwrap();
    assert_eq!(stale.status(), 412);
    let head = api.request("HEAD", path(&url)).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "10");

    let last = if url.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &url[..url.len() - 1]);
    for bad in [
        forged,
        url.replace("expires=", "expires=9"),
        url.replace("attachment", "inline"),
        url.replace("source", "x.1"),
    ] {
        assert_eq!(api.get(path(&bad)).await.status(), 404, "{bad}");
    }
}

#[tokio::test]
async fn versions_replace_one_another_and_stay() {
    let api = TestApi::start().await;
    let first = api.upload("cat.jpg", b"first").await;
    let second = new_version(&api, first, None, b"second").await;
    assert_eq!(
        (&second["id"], &second["etag"], &second["name"]),
        (&json!(first.file.to_string()), &json!("1"), &json!("cat.jpg"))
    );
    assert_ne!(second["file_version"]["id"], json!(first.version.to_string()));
    let same = new_version(&api, first, Some(json!({ "name": "kitten.jpg" })), b"first").await;
    assert_eq!((&same["etag"], &same["name"]), (&json!("2"), &json!("kitten.jpg")), "the same bytes are a new version");

    let list = api.json(&format!("/2.0/files/{}/versions", first.file)).await;
    let ids: Vec<_> = list["entries"].as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids, [second["file_version"]["id"].clone(), json!(first.version.to_string())]);
    let old = format!("/2.0/files/{}/versions/{}", first.file, first.version);
    let version = api.json(&format!("{old}?fields=name,representations,extension")).await;
    assert_eq!((&version["type"], &version["id"]), (&json!("file_version"), &json!(first.version.to_string())));
    assert_eq!(version["representations"]["entries"].as_array().unwrap().len(), 8);
    let content = format!("/2.0/files/{}/content?version={}", first.file, first.version);
    let bytes = api.get(path(&location(&api, &content).await)).await.bytes().await.unwrap();
    assert_eq!(bytes, "first");

    assert_eq!(api.request("DELETE", &old).send().await.unwrap().status(), 204);
    assert_eq!(code(&api, "GET", &old).await, (404, "trashed".to_owned()));
    assert_eq!(code(&api, "GET", &content).await, (404, "trashed".to_owned()));
    let restored = api.request("PUT", &old).body("{\"trashed_at\":null}").send().await.unwrap();
    assert_eq!(restored.status(), 200);
    let promote = api.request("POST", &format!("/2.0/files/{}/versions/current", first.file));
    let promoted =
        promote.body(format!("{{\"type\":\"file_version\",\"id\":\"{}\"}}", first.version)).send().await.unwrap();
    assert_eq!(promoted.status(), 201);
    let shown = api.json(&format!("/2.0/files/{}", first.file)).await;
    assert_eq!(shown["file_version"]["id"], promoted.json::<Value>().await.unwrap()["id"]);
}

#[tokio::test]
async fn what_is_in_the_trash_answers_as_such_everywhere() {
    let api = TestApi::start().await;
    let cat = api.upload("cat.jpg", b"meow").await;
    api.succeed(cat, &[b"jpeg"]).await;
    let url = location(&api, &format!("/2.0/files/{}/content", cat.file)).await;
    let own = format!("/2.0/files/{}", cat.file);
    assert_eq!(api.request("DELETE", &own).send().await.unwrap().status(), 204);
    for path in [
        own.clone(),
        format!("{own}/content"),
        format!("{own}/thumbnail.jpg"),
        format!("{own}/versions"),
        cat.representation("jpg_320x320"),
        cat.content("jpg_320x320", ""),
        format!("/v1/files/{}", cat.file),
        path(&url).to_owned(),
    ] {
        assert_eq!(code(&api, "GET", &path).await, (404, "trashed".to_owned()), "{path}");
    }
    assert_eq!(code(&api, "DELETE", &own).await, (404, "trashed".to_owned()));
    let trash = format!("{own}/trash");
    assert_eq!(api.json(&trash).await["item_status"], "trashed");
    let again = api.upload("CAT.jpg", b"another").await;
    assert_eq!(code(&api, "POST", &own).await, (409, "item_name_in_use".to_owned()));
    assert_eq!(api.request("DELETE", &format!("/2.0/files/{}", again.file)).send().await.unwrap().status(), 204);
    assert_eq!(api.request("POST", &own).send().await.unwrap().status(), 201);
    assert_eq!(code(&api, "DELETE", &trash).await, (404, "not_trashed".to_owned()));
    assert_eq!(api.get(&cat.content("jpg_320x320", "")).await.status(), 200);
    assert_eq!(api.request("DELETE", &own).send().await.unwrap().status(), 204);
    assert_eq!(api.request("DELETE", &trash).send().await.unwrap().status(), 204);
    assert_eq!(code(&api, "GET", &own).await, (404, "not_found".to_owned()));
    assert_eq!(code(&api, "DELETE", &trash).await, (404, "not_found".to_owned()));
}

#[tokio::test]
async fn thumbnails_are_waited_for_made_or_stood_in_for() {
    let api = TestApi::start().await;
    let cat = api.upload("cat.jpg", b"meow").await;
    let thumbnail = |file: Uploaded, rest: &str| format!("/2.0/files/{}/thumbnail.{rest}", file.file);
    let pending = api.get(&thumbnail(cat, "jpg?min_width=94&min_height=94")).await;
    assert_eq!(pending.status(), 202);
    assert_eq!(pending.headers()["location"], format!("{PUBLIC_URL}/assets/placeholders/image.png"));
    assert!(pending.headers().contains_key("retry-after"));
    api.succeed(cat, &[b"jpeg"]).await;
    let ready = api.get(&thumbnail(cat, "jpg?min_width=94&min_height=94")).await;
    assert_eq!((ready.status().as_u16(), ready.headers()["content-type"].to_str().unwrap()), (200, "image/jpeg"));
    assert_eq!(api.get(&thumbnail(cat, "png")).await.status(), 202, "made when somebody asks");
    let listed = api.json(&format!("/2.0/files/{}?fields=representations", cat.file)).await;
    assert_eq!(listed["representations"]["entries"].as_array().unwrap().len(), 9, "asked for once, it is listed");

    let notes = api.upload("notes.PDF", b"%PDF").await;
    api.settle(notes, |_| failed(FailureCode::UnsupportedFormat)).await;
    let stand_in = location(&api, &thumbnail(notes, "jpg")).await;
    assert_eq!(path(&stand_in), "/assets/placeholders/pdf.png");
    assert_eq!(api.get(path(&stand_in)).await.headers()["content-type"], "image/png");
    let broken = api.upload("broken.jpg", b"x").await;
    api.settle(broken, |_| failed(FailureCode::CorruptSource)).await;
    assert_eq!(code(&api, "GET", &thumbnail(broken, "jpg")).await, (404, "preview_cannot_be_generated".to_owned()));
    let odd = thumbnail(cat, "png?min_width=144&max_width=144");
    assert_eq!(code(&api, "GET", &odd).await, (400, "requested_preview_unavailable".to_owned()));
}

#[tokio::test]
async fn names_belong_to_one_file_and_conflicts_say_to_which() {
    let api = TestApi::start().await;
    let cat = api.upload("cat.jpg", b"meow").await;
    let dog = api.upload("dog.jpg", b"woof").await;
    let attributes = json!({ "name": "CAT.jpg", "parent": { "id": "0" } }).to_string();
    let form = reqwest::multipart::Form::new()
        .text("attributes", attributes)
        .part("file", reqwest::multipart::Part::bytes(&b"x"[..]).file_name("x"));
    let upload = api.request("POST", "/2.0/files/content").multipart(form);
    let rename = api.request("PUT", &format!("/2.0/files/{}", dog.file)).body("{\"name\":\"Cat.jpg\"}");
    let check = api.request("OPTIONS", "/2.0/files/content").body("{\"name\":\"cat.JPG\",\"parent\":{\"id\":\"0\"}}");
    for request in [upload, rename, check] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 409);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["code"], "item_name_in_use");
        assert_eq!(body["context_info"]["conflicts"]["id"], cat.file.to_string(), "{body}");
    }
    let own = api.request("OPTIONS", &format!("/2.0/files/{}/content", cat.file)).body("{\"name\":\"cat.jpg\"}");
    let answer: Value = own.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["upload_url"], format!("{PUBLIC_URL}/api/2.0/files/{}/content", cat.file));
    let moved = api
        .request("PUT", &format!("/2.0/files/{}", dog.file))
        .body("{\"parent\":{\"id\":\"77\"},\"name\":\"cat.jpg\"}");
    assert_eq!(moved.send().await.unwrap().json::<Value>().await.unwrap()["parent"]["id"], "77");

    let items = api.json("/2.0/folders/77/items?fields=name,parent").await;
    assert_eq!((&items["total_count"], &items["entries"][0]["name"]), (&json!(1), &json!("cat.jpg")));
    assert_eq!(api.json("/2.0/folders/77").await["path_collection"]["entries"][0]["name"], "All Files");
    assert_eq!(code(&api, "GET", "/2.0/folders/78").await, (404, "not_found".to_owned()));
    let page = api.json("/2.0/folders/0/items?usemarker=true&limit=1").await;
    assert_eq!(
        (&page["entries"][0]["id"], &page["next_marker"]),
        (&json!(cat.file.to_string()), &json!(cat.file.to_string()))
    );
    assert_eq!(api.json("/2.0/users/me").await["type"], "user");
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_and_others_may_not() {
    let api = TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await;
    let ask = |origin: &'static str| {
        let request = api.request("OPTIONS", "/2.0/files/content").header("Origin", origin);
        request.header("Access-Control-Request-Method", "POST").header("Access-Control-Request-Headers", "x-rep-hints")
    };
    let allowed = ask("https://app.example").send().await.unwrap();
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example");
    assert!(allowed.headers()["access-control-allow-headers"].to_str().unwrap().contains("X-Rep-Hints"));
    assert!(!allowed.headers().contains_key("access-control-allow-credentials"));
    let other = ask("https://evil.example").send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.headers().get("access-control-allow-origin")), (403, None));
    assert_eq!(other.json::<Value>().await.unwrap()["code"], "cors_origin_not_whitelisted");
    // Without the browser's headers it is Box's own preflight, and wants a token like everything else.
    assert_eq!(api.request("OPTIONS", "/2.0/files/content").body("{}").send().await.unwrap().status(), 401);
    for (origin, expected) in [("https://app.example", Some("https://app.example")), ("https://evil.example", None)] {
        let request = api.request("GET", "/2.0/files/1").header("Origin", origin).bearer_auth(TOKEN);
        let response = request.send().await.unwrap();
        let allowed = response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(
            (response.status().as_u16(), allowed, response.headers()["vary"].to_str().unwrap()),
            (404, expected, "Origin")
        );
    }
}

#[tokio::test]
async fn whoever_asks_too_much_waits_alone() {
    let config = Config { requests_per_minute: 60, uploads_per_minute: 6, ..Setup::default().config };
    let api = TestApi::with(Setup { mode: Mode::Token, config, ..Setup::default() }).await;
    let ask = |user: &'static str| api.request("GET", "/2.0/users/me").bearer_auth(TOKEN).header("As-User", user);
    for _ in 0..10 {
        assert_eq!(ask("1").send().await.unwrap().status(), 200);
    }
    let refused = ask("1").send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(
        (refused.headers()["retry-after"].as_bytes(), refused.headers()["x-ratelimit-limit"].as_bytes()),
        (&b"1"[..], &b"60"[..])
    );
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "rate_limit_exceeded");
    assert_eq!(ask("2").send().await.unwrap().status(), 200, "others are not held up");
    assert_eq!(api.get("/livez").await.status(), 200);
    let upload = || {
        let form = reqwest::multipart::Form::new().part("f", reqwest::multipart::Part::bytes(&b"x"[..]).file_name("a"));
        api.request("POST", "/2.0/files/content").bearer_auth(TOKEN).header("As-User", "3").multipart(form)
    };
    assert_eq!(upload().send().await.unwrap().status(), 201);
    assert_eq!(upload().send().await.unwrap().status(), 429, "uploads have a limit of their own");
}

#[tokio::test]
async fn hints_may_have_spaces_come_twice_and_be_empty() {
    let api = TestApi::start().await;
    let cat = api.upload("cat.jpg", b"meow").await;
    let names = async |hints: &[&'static str]| {
        let mut request = api.request("GET", &format!("/2.0/files/{}?fields=representations", cat.file));
        for hint in hints {
            request = request.header("X-Rep-Hints", *hint);
        }
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        let entries = body["representations"]["entries"].as_array().unwrap().clone();
        entries.iter().map(|e| e["properties"]["dimensions"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[" [jpg?dimensions=32x32] [jpg ? dimensions=94x94 , png] "]).await, ["32x32", "94x94"]);
    assert_eq!(names(&["[jpg?dimensions=94x94]", "[jpg?dimensions=32x32]"]).await, ["94x94", "32x32"]);
    assert_eq!(names(&["[]"]).await, [""; 0]);
    assert_eq!(names(&["[][jpg?dimensions=32x32]"]).await, ["32x32"]);
    assert_eq!(names(&["", " "]).await.len(), 8, "an empty header is none");
}
