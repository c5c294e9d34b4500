//! Jira's attachment API: every status of its table, and every input that is not meant so.

use std::time::Duration;

use http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::FailureCode;
use shared::domain::file::PictureFacts;
use shared::domain::format::SourceFormat;
use shared::domain::lane::Lane;
use shared::domain::representation::{Content, Outcome};
use shared::ports::state_store::StateStore as _;

use super::harness::{PUBLIC_URL, Setup, TOKEN, TestApi, Uploaded, failed};
use crate::auth::Mode;
use crate::jira::Config;

const UPLOAD: &str = "/rest/api/3/issue/PROJ-1/attachments";
const COLLECTION: &str = "application/json;charset=UTF-8";
const BYTES: &[u8] = b"0123456789";

async fn guarded() -> TestApi {
    TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await
}

/// Thumbnails are not waited for.
async fn impatient() -> TestApi {
    TestApi::with(Setup { jira: Config { attachments_enabled: true, thumbnail_wait_seconds: 0 }, ..Setup::default() })
        .await
}

fn part(headers: &str, body: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; {headers}\r\n\r\n{body}\r\n")
}

fn file(name: &str, body: &str) -> String {
    part(&format!("name=\"file\"; filename=\"{name}\""), body)
}

async fn post(api: &TestApi, path: &str, parts: &[String]) -> Response {
    let request = api.request("POST", path).header("Content-Type", "multipart/form-data; boundary=XX");
    request.header("X-Atlassian-Token", "no-check").body(format!("{}--XX--\r\n", parts.concat())).send().await.unwrap()
}

/// Attaches files to PROJ-1 and returns their ids.
async fn attached(api: &TestApi, names: &[&str]) -> Vec<String> {
    let parts: Vec<_> = names.iter().map(|name| file(name, "0123456789")).collect();
    let response = post(api, UPLOAD, &parts).await;
    assert_eq!(response.status(), 200);
    let body: Vec<Value> = response.json().await.unwrap();
    body.iter().map(|attachment| attachment["id"].as_str().unwrap().to_owned()).collect()
}

/// The file behind an attachment's id.
async fn behind(api: &TestApi, id: &str) -> Uploaded {
    let state = api.store.file(id.parse().unwrap()).await.unwrap().unwrap();
    Uploaded { file: state.file.id, version: state.version.id }
}

/// Plays the worker that has looked at the source, which is 4000 pixels wide and 3000 high.
async fn seen(api: &TestApi, uploaded: Uploaded) {
    let dimensions = Dimensions::new(4000, 3000).unwrap();
    let picture = PictureFacts { format: SourceFormat::Jpeg, dimensions, pages: 1, placeholder: None };
    api.store.record_picture(uploaded.version, picture).await.unwrap();
}

/// A picture with its eager representations, of which every one is 32x24 for want of a worker.
async fn rendered(api: &TestApi) -> (String, Uploaded) {
    let id = attached(api, &["cat.jpg"]).await.remove(0);
    let uploaded = behind(api, &id).await;
    seen(api, uploaded).await;
    api.succeed(uploaded, &[BYTES]).await;
    (id, uploaded)
}

/// Whether the answer is this status in the shape of an error collection; returns its only message.
async fn refused(response: Response, status: u16) -> String {
    let url = response.url().to_string();
    assert_eq!(response.status().as_u16(), status, "{url}");
    assert_eq!(response.headers()["content-type"], COLLECTION, "{url}");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["errors"], json!({}), "{url}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    let messages = body["errorMessages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{body}");
    messages[0].as_str().unwrap().to_owned()
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let location = response.headers()["location"].to_str().unwrap();
    location.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("{location} is not absolute")).to_owned()
}

#[tokio::test]
async fn without_credentials_jira_says_so_in_its_own_words() {
    let api = guarded().await;
    let malformed = [
        "",
        "Bearer",
        "Bearer x",
        "Basic",
        "Basic !",
        "Basic AAAA",
        "Digest x",
        "Bearer \t",
        &format!("Bearer {TOKEN}x"),
    ];
    for authorization in malformed {
        let request = api.request("GET", "/rest/api/2/attachment/1").header("Authorization", authorization);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "OAuth realm=\"Thumbline\"", "{authorization:?}");
        assert_eq!(refused(response, 401).await, "Client must be authenticated to access this resource.");
    }
    for path in ["/rest/api/3/attachment/content/1", "/rest/api/latest/attachment/x", "/rest/api/2/myself"] {
        refused(api.get(path).await, 401).await;
    }
    refused(api.request("POST", UPLOAD).send().await.unwrap(), 401).await;
}

#[tokio::test]
async fn a_token_opens_as_a_password_and_as_a_bearer() {
    let api = guarded().await;
    for prefix in ["/rest/api/2", "/rest/api/3", "/rest/api/latest", "/ex/jira/11223344/rest/api/3"] {
        let path = format!("{prefix}/myself");
        let basic = api.request("GET", &path).basic_auth("me@example.org", Some(TOKEN)).send().await.unwrap();
        let me: Value = basic.json().await.unwrap();
        assert_eq!(
            (&me["accountId"], &me["accountType"], &me["active"]),
            (&json!("operator"), &json!("atlassian"), &json!(true))
        );
        let bearer = api.request("GET", &path).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(bearer.status(), 200, "{path}");
    }
    refused(api.request("GET", "/rest/api/4/myself").bearer_auth(TOKEN).send().await.unwrap(), 404).await;
}

#[tokio::test]
async fn everybody_may_ask_what_server_this_is() {
    let api = guarded().await;
    let response = api.get("/rest/api/2/serverInfo").await;
    assert_eq!(response.headers()["content-type"], COLLECTION);
    let info: Value = response.json().await.unwrap();
    assert_eq!((&info["baseUrl"], &info["deploymentType"]), (&json!(PUBLIC_URL), &json!("Cloud")));
    assert!(info["versionNumbers"].as_array().unwrap().iter().all(Value::is_u64));
}

#[tokio::test]
async fn accounts_that_authors_link_to_are_found() {
    let api = TestApi::start().await;
    let me = api.json("/rest/api/3/myself").await;
    let link = me["self"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned();
    assert_eq!(api.json(&link).await, me);
    let avatar = me["avatarUrls"]["48x48"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned();
    assert_eq!(api.get(&avatar).await.headers()["content-type"], "image/png");
    refused(api.get("/rest/api/3/user?accountId=nobody").await, 404).await;
    refused(api.get("/rest/api/3/user").await, 400).await;
}

#[tokio::test]
async fn several_files_of_one_request_are_attachments_of_their_own() {
    let api = TestApi::start().await;
    let typed = part("name=\"file\"; filename=\"notes\"\r\nContent-Type: text/csv; charset=utf-8", "a,b");
    let unknown = part("name=\"file\"; filename=\"C:\\dir\\Zürich.PNG\"\r\nContent-Type: application/octet-stream", "");
    let response = post(&api, UPLOAD, &[part("name=\"comment\"", "hello"), typed, unknown]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], COLLECTION);
    let body: Vec<Value> = response.json().await.unwrap();
    let told: Vec<_> = body.iter().map(|a| (a["filename"].as_str().unwrap(), &a["mimeType"], &a["size"])).collect();
    assert_eq!(told, [("notes", &json!("text/csv"), &json!(3)), ("Zürich.PNG", &json!("image/png"), &json!(0))]);
    assert!(body.iter().all(|a| a["id"].is_string() && a.get("properties").is_none()));
    assert!(body[0].get("thumbnail").is_none(), "a table has no thumbnail");
    assert_eq!(body[1]["author"]["accountId"], "operator");
    assert!(api.spooled().is_empty());
}

#[tokio::test]
async fn names_may_come_twice_in_an_issue() {
    let api = TestApi::start().await;
    let ids = attached(&api, &["cat.jpg", "cat.jpg"]).await;
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn the_metadata_has_a_number_where_the_upload_had_text() {
    let api = TestApi::start().await;
    let id = attached(&api, &["cat.jpg"]).await.remove(0);
    for version in ["2", "3", "latest"] {
        let metadata = api.json(&format!("/rest/api/{version}/attachment/{id}")).await;
        let link = |path: &str| json!(format!("{PUBLIC_URL}/rest/api/{version}/attachment/{path}{id}"));
        assert_eq!(metadata["id"], json!(id.parse::<u64>().unwrap()));
        assert_eq!(
            (&metadata["self"], &metadata["content"], &metadata["thumbnail"]),
            (&link(""), &link("content/"), &link("thumbnail/"))
        );
        assert_eq!(
            (&metadata["mimeType"], &metadata["size"], &metadata["properties"]),
            (&json!("image/jpeg"), &json!(10), &json!({}))
        );
        let created = metadata["created"].as_str().unwrap();
        assert!(created.ends_with("+0000") && created.len() == "2022-10-06T07:32:47.000+0000".len(), "{created}");
    }
}

#[tokio::test]
async fn an_attachment_and_a_box_file_are_the_same_file() {
    let api = TestApi::start().await;
    let attachment = attached(&api, &["cat.jpg"]).await.remove(0);
    let seen_by_box = api.json(&format!("/2.0/files/{attachment}")).await;
    assert_eq!((&seen_by_box["name"], &seen_by_box["parent"]["id"]), (&json!("cat.jpg"), &json!("PROJ-1")));

    let form = reqwest::multipart::Form::new()
        .text("attributes", json!({ "name": "dog.png", "parent": { "id": "PROJ-1" } }).to_string())
        .part("file", reqwest::multipart::Part::bytes(BYTES).file_name("unused"));
    let uploaded: Value =
        api.request("POST", "/2.0/files/content").multipart(form).send().await.unwrap().json().await.unwrap();
    let box_file = uploaded["entries"][0]["id"].as_str().unwrap();
    assert_eq!(api.json(&format!("/rest/api/3/attachment/{box_file}")).await["filename"], "dog.png");

    let issue = api.json("/rest/api/2/issue/proj-1?fields=attachment").await;
    assert_eq!(
        (&issue["key"], &issue["self"]),
        (&json!("PROJ-1"), &json!(format!("{PUBLIC_URL}/rest/api/2/issue/PROJ-1")))
    );
    let listed: Vec<_> = issue["fields"]["attachment"].as_array().unwrap().iter().map(|a| a["id"].clone()).collect();
    assert_eq!(listed, [json!(attachment), json!(box_file)]);
    assert_eq!(api.json("/rest/api/2/issue/PROJ-1?fields=summary").await["fields"], json!({}));
    assert_eq!(api.json("/rest/api/2/issue/PROJ-2").await["fields"]["attachment"], json!([]));
}

#[tokio::test]
async fn what_is_deleted_is_gone_both_ways_and_from_its_issue() {
    let api = TestApi::start().await;
    let ids = attached(&api, &["cat.jpg", "dog.jpg"]).await;
    let path = format!("/rest/api/3/attachment/{}", ids[0]);
    let signed = location(&api.get(&format!("/rest/api/3/attachment/content/{}", ids[0])).await);
    let deleted = api.request("DELETE", &path).send().await.unwrap();
    assert_eq!((deleted.status().as_u16(), deleted.bytes().await.unwrap().len()), (204, 0));
    assert_eq!(refused(api.get(&path).await, 404).await, format!("The attachment with id '{}' does not exist", ids[0]));
    refused(api.request("DELETE", &path).send().await.unwrap(), 404).await;
    assert_eq!(api.get(&format!("/2.0/files/{}", ids[0])).await.status(), 404);
    assert_eq!(api.get(&signed).await.status(), 404, "links to it end as well");
    let issue = api.json("/rest/api/3/issue/PROJ-1").await;
    assert_eq!(issue["fields"]["attachment"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn content_is_reached_by_a_link_that_needs_no_credentials() {
    let api = guarded().await;
    let authorized = |method: &str, path: &str| api.request(method, path).bearer_auth(TOKEN);
    let request = authorized("POST", UPLOAD).header("Content-Type", "multipart/form-data; boundary=XX");
    let form = format!("{}--XX--\r\n", file("a b&c.jpg", "0123456789"));
    let body: Value =
        request.header("X-Atlassian-Token", "no-check").body(form).send().await.unwrap().json().await.unwrap();
    let id = body[0]["id"].as_str().unwrap();
    let see_other = authorized("GET", &format!("/rest/api/3/attachment/content/{id}")).send().await.unwrap();
    let link = location(&see_other);
    assert!(link.starts_with("/file/") && link.contains("/binary?"), "{link}");
    let response = api.get(&link).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"a b&c.jpg\"");
    assert_eq!(response.headers()["content-security-policy"], "default-src 'none'; sandbox");
    assert_eq!(response.bytes().await.unwrap(), BYTES);
    let tampered = [
        link.replace(&format!("file={id}"), "file=4711"),
        link.replace("&expires=", "&expires=9"),
        link.replace("&signature=", "&signature=0"),
        link.replace("what=source", "what=jpg_320x320.1"),
        link.replace("&expires=", "&expired="),
        link.replace("&expires=", "&expires=1&expires="),
        link.split('?').next().unwrap().to_owned(),
    ];
    for link in tampered {
        let status = api.get(&link).await.status().as_u16();
        assert!(matches!(status, 400 | 404), "{link} answered {status}");
    }
}

#[tokio::test]
async fn content_itself_comes_whole_or_in_part() {
    let api = TestApi::start().await;
    let id = attached(&api, &["notes.txt"]).await.remove(0);
    for redirect in ["false", "False"] {
        let path = format!("/rest/api/2/attachment/content/{id}?redirect={redirect}");
        let whole = api.request("GET", &path).header("Accept", "application/json").send().await.unwrap();
        assert_eq!((whole.status().as_u16(), &whole.headers()["content-type"]), (200, &"text/plain".parse().unwrap()));
        assert_eq!(whole.headers()["content-disposition"], "attachment; filename=\"notes.txt\"");
        let etag = whole.headers()["etag"].clone();
        assert_eq!(whole.bytes().await.unwrap(), BYTES);
        let fresh = api.request("GET", &path).header("If-None-Match", etag).send().await.unwrap();
        assert_eq!(fresh.status(), 304);
        let ranged = async |range: &str| api.request("GET", &path).header("Range", range).send().await.unwrap();
        let part = ranged("bytes=2-4").await;
        assert_eq!((part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()), (206, "bytes 2-4/10"));
        assert_eq!(part.bytes().await.unwrap(), "234");
        let beyond = ranged("bytes=10-").await;
        assert_eq!(beyond.headers()["content-range"], "bytes */10");
        refused(beyond, 416).await;
        for malformed in ["bytes=x", "bytes=4-2", "items=0-1"] {
            refused(ranged(malformed).await, 400).await;
        }
        assert_eq!(ranged("bytes=0-1,4-5").await.status(), 200);
    }
}

#[tokio::test]
async fn a_thumbnail_is_there_or_behind_a_link() {
    let api = TestApi::start().await;
    let (id, _) = rendered(&api).await;
    // The eager representation is what fills this box exactly.
    let path = format!("/rest/api/3/attachment/thumbnail/{id}?width=320&height=320");
    let here = api.get(&format!("{path}&redirect=False&fallbackToDefault=False")).await;
    assert_eq!((here.status().as_u16(), &here.headers()["content-type"]), (200, &"image/jpeg".parse().unwrap()));
    assert_eq!(here.headers()["content-disposition"], "inline; filename=\"cat.jpg\"");
    assert_eq!(here.bytes().await.unwrap(), BYTES);
    let there = api.get(&location(&api.get(&path).await)).await;
    assert_eq!((there.status().as_u16(), there.bytes().await.unwrap()), (200, BYTES.into()));
}

#[tokio::test]
async fn a_thumbnail_in_a_pack_is_that_page_alone() {
    let api = TestApi::start().await;
    let id = attached(&api, &["cat.jpg"]).await.remove(0);
    let uploaded = behind(&api, &id).await;
    seen(&api, uploaded).await;
    let pack = api.store_pack(&[b"a neighbour", BYTES, b"another one"]).await;
    let content = Content::new(vec![pack.pages()[1].clone()]).unwrap();
    api.settle(uploaded, |_| Outcome::Success(content.clone())).await;
    let path = format!("/rest/api/3/attachment/thumbnail/{id}?width=320&height=320");
    let here = api.get(&format!("{path}&redirect=False")).await;
    assert_eq!((here.status().as_u16(), here.bytes().await.unwrap()), (200, BYTES.into()));
    let link = location(&api.get(&path).await);
    let there = api.request("GET", &link).header("Range", "bytes=8-20").send().await.unwrap();
    let headers = there.headers().clone();
    assert_eq!(
        (&headers["content-type"], &headers["content-range"]),
        (&"image/jpeg".parse().unwrap(), &"bytes 8-9/10".parse().unwrap())
    );
    assert_eq!(there.bytes().await.unwrap(), BYTES[8..]);
}

#[tokio::test]
async fn a_thumbnail_that_is_being_made_is_waited_for() {
    let api = TestApi::with(Setup {
        jira: Config { attachments_enabled: true, thumbnail_wait_seconds: 20 },
        ..Setup::default()
    })
    .await;
    let id = attached(&api, &["cat.jpg"]).await.remove(0);
    let uploaded = behind(&api, &id).await;
    let asking = tokio::spawn(
        api.request("GET", &format!("/rest/api/3/attachment/thumbnail/{id}?redirect=false&width=100")).send(),
    );
    assert_eq!(api.next_wake(Lane::Interactive).await, uploaded.version, "what waits is hurried");
    seen(&api, uploaded).await;
    assert_eq!(api.next_wake(Lane::Interactive).await, uploaded.version, "the box is asked for");
    api.succeed(uploaded, &[BYTES]).await;
    let response = tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap().unwrap().unwrap();
    assert_eq!((response.status().as_u16(), response.bytes().await.unwrap()), (200, BYTES.into()));
    let own = api.json(&format!("/v1/files/{id}")).await;
    let names: Vec<_> = own["representations"].as_array().unwrap().iter().map(|r| r["name"].clone()).collect();
    assert!(names.contains(&json!("fit_100x75")), "{names:?}");
}

#[tokio::test]
async fn nobody_waits_longer_than_configured_and_gets_what_there_is() {
    let api = impatient().await;
    let id = attached(&api, &["cat.jpg"]).await.remove(0);
    let path = format!("/rest/api/3/attachment/thumbnail/{id}");
    let icon = api.get(&format!("{path}?redirect=false")).await;
    assert_eq!((icon.status().as_u16(), &icon.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
    assert_eq!(icon.headers()["cache-control"], "no-store", "the thumbnail may come any moment");
    assert_eq!(location(&api.get(&path).await), "/assets/placeholders/image.png");
    refused(api.get(&format!("{path}?fallbackToDefault=false")).await, 404).await;
    let uploaded = behind(&api, &id).await;
    seen(&api, uploaded).await;
    api.succeed(uploaded, &[BYTES]).await;
    let nearest = api.get(&format!("{path}?redirect=false&width=1000")).await;
    assert_eq!((nearest.status().as_u16(), nearest.bytes().await.unwrap()), (200, BYTES.into()));
}

#[tokio::test]
async fn what_has_no_picture_has_an_icon_or_nothing() {
    let api = TestApi::start().await;
    let id = attached(&api, &["notes.txt"]).await.remove(0);
    let uploaded = behind(&api, &id).await;
    api.settle(uploaded, |_| failed(FailureCode::UnsupportedFormat)).await;
    let path = format!("/rest/api/3/attachment/thumbnail/{id}");
    assert_eq!(location(&api.get(&path).await), "/assets/placeholders/text.png");
    let message = refused(api.get(&format!("{path}?fallbackToDefault=false")).await, 404).await;
    assert_eq!(message, format!("The attachment with id '{id}' has no thumbnail"));
}

#[tokio::test]
async fn sixteen_boxes_are_kept_and_then_the_nearest_larger_is_shown() {
    let api = impatient().await;
    let (id, uploaded) = rendered(&api).await;
    for width in 1..=20 {
        api.get(&format!("/rest/api/3/attachment/thumbnail/{id}?redirect=false&width={width}")).await;
    }
    let state = api.store.file(uploaded.file).await.unwrap().unwrap();
    let boxes: Vec<_> = state.representations.iter().filter(|row| row.preset.as_str().starts_with("fit_")).collect();
    assert_eq!(boxes.len(), 16);
    let content = api.store_pages(&[b"a box"]).await;
    api.settle(uploaded, |_| Outcome::Success(content.clone())).await;
    let nearest = api.get(&format!("/rest/api/3/attachment/thumbnail/{id}?redirect=false&width=700")).await;
    assert_eq!(nearest.status(), 200);
    // Box's routes show what there is, and start nothing.
    let state_of = async |name: &str| api.get(&uploaded.representation(name)).await.status().as_u16();
    assert_eq!((state_of("fit_1x1").await, state_of("fit_300x225").await, state_of("fit_x").await), (200, 404, 404));
}

#[tokio::test]
async fn uploads_are_refused_before_anything_is_stored() {
    let api = TestApi::with({
        let mut setup = Setup::default();
        setup.config.upload_bytes_max = 1000;
        setup
    })
    .await;
    let without_token = api.request("POST", UPLOAD).header("Content-Type", "multipart/form-data; boundary=XX");
    let form = format!("{}--XX--\r\n", file("a.txt", "x"));
    assert_eq!(refused(without_token.body(form.clone()).send().await.unwrap(), 403).await, "XSRF check failed");
    let other = api.request("POST", UPLOAD).header("Content-Type", "multipart/form-data; boundary=XX");
    refused(other.header("X-Atlassian-Token", "check").body(form.clone()).send().await.unwrap(), 403).await;
    for issue in ["PROJ", "1-1", "PROJ-0", "%2e%2e", "PROJ-1%00", "%ff-1"] {
        refused(post(&api, &format!("/rest/api/3/issue/{issue}/attachments"), &[file("a.txt", "x")]).await, 404).await;
    }
    for (what, parts, status) in [
        ("no file", vec![part("name=\"file\"", "x")], 400),
        ("nothing", vec![], 400),
        ("no name", vec![file("", "x")], 400),
        ("a bad name after a good one", vec![file("a.txt", "x"), file("a|b", "x")], 400),
        ("too long", vec![file("a.txt", &"x".repeat(1001))], 413),
        ("61 files", (0..61).map(|n| file(&format!("{n}.txt"), "x")).collect(), 413),
        ("10,000 parts", (0..10_000).map(|_| part("name=\"x\"", "")).collect(), 413),
    ] {
        let message = refused(post(&api, UPLOAD, &parts).await, status).await;
        assert!(!message.is_empty(), "{what}");
        assert_eq!((api.files().await, api.spooled().len()), (0, 0), "{what} left something");
    }
    for content_type in ["application/json", "multipart/form-data", "multipart/form-data; boundary=\"\"", "", "x"] {
        let request = api.request("POST", UPLOAD).header("X-Atlassian-Token", "no-check");
        refused(request.header("Content-Type", content_type).body(form.clone()).send().await.unwrap(), 400).await;
    }
    assert_eq!(attached(&api, &["fine.txt"]).await.len(), 1);
}

#[tokio::test]
async fn without_attachments_nothing_of_them_is_found() {
    let jira = Config { attachments_enabled: false, thumbnail_wait_seconds: 0 };
    let api = TestApi::with(Setup { jira, ..Setup::default() }).await;
    let id = api.upload("cat.jpg", b"meow").await.file;
    assert_eq!(api.json("/rest/api/3/attachment/meta").await["enabled"], json!(false));
    for path in ["attachment/", "attachment/content/", "attachment/thumbnail/"] {
        assert_eq!(refused(api.get(&format!("/rest/api/3/{path}{id}")).await, 404).await, "Attachments are disabled");
    }
    refused(api.request("DELETE", &format!("/rest/api/3/attachment/{id}")).send().await.unwrap(), 404).await;
    refused(post(&api, UPLOAD, &[file("a.txt", "x")]).await, 404).await;
    assert_eq!(api.json("/rest/api/3/issue/PROJ-1").await["fields"]["attachment"], json!([]));
    assert_eq!(api.get(&format!("/2.0/files/{id}")).await.status(), 200, "Box's clients have it still");
}

#[tokio::test]
async fn attachment_meta_and_archives_are_what_jira_says() {
    let api = TestApi::start().await;
    assert_eq!(api.json("/rest/api/2/attachment/meta").await, json!({ "enabled": true, "uploadLimit": 1_000_000 }));
    let id = attached(&api, &["a.zip"]).await.remove(0);
    for kind in ["human", "raw"] {
        refused(api.get(&format!("/rest/api/3/attachment/{id}/expand/{kind}")).await, 409).await;
        refused(api.get(&format!("/rest/api/3/attachment/4711/expand/{kind}")).await, 404).await;
    }
    refused(api.get(&format!("/rest/api/3/attachment/{id}/expand/all")).await, 404).await;
}

/// The attachment is found before its parameters are looked at, and whatever they are is no server error.
#[tokio::test]
async fn nothing_that_clients_send_is_a_server_error() {
    let api = TestApi::start().await;
    let (id, _) = rendered(&api).await;
    let long = "9".repeat(9000);
    for bad in [
        "width=0",
        "width=-1",
        "width=abc",
        "width=",
        "width=1.5",
        "height=2147483648",
        "width=%ff",
        "width=1&width=2",
        "redirect=maybe",
        "redirect=",
        "fallbackToDefault=1",
        "redirect=true&redirect=false",
        "width=%00",
        &format!("width={long}"),
    ] {
        refused(api.get(&format!("/rest/api/3/attachment/thumbnail/{id}?{bad}")).await, 400).await;
        refused(api.get(&format!("/rest/api/3/attachment/thumbnail/4711?{bad}")).await, 404).await;
    }
    refused(api.get(&format!("/rest/api/3/attachment/content/{id}?redirect=x")).await, 400).await;
    refused(api.get("/rest/api/3/issue/A-1?fields=a&fields=b").await, 400).await;
    let unknown = api.get(&format!("/rest/api/3/attachment/thumbnail/{id}?width=320&extra=1&%zz&=")).await;
    assert_eq!(unknown.status(), 303, "unknown parameters are left alone");
    for strange in [
        "0",
        "-1",
        "01",
        "9007199254740992",
        "99999999999999999999",
        "abc",
        "%2e%2e",
        "%00",
        "%ff",
        "1%2f2",
        "1;x",
        &long,
    ] {
        let is_issue = strange.parse().is_ok_and(|id: u64| id > 0);
        let paths = ["attachment/", "attachment/content/", "attachment/thumbnail/", "issue/"];
        for path in &paths[..if is_issue { 3 } else { 4 }] {
            refused(api.get(&format!("/rest/api/3/{path}{strange}")).await, 404).await;
        }
    }
    for (method, path) in [("PUT", "/rest/api/3/attachment/1"), ("POST", "/rest/api/2/serverInfo"), ("DELETE", UPLOAD)]
    {
        refused(api.request(method, path).send().await.unwrap(), 405).await;
    }
    for path in ["/rest", "/rest/api", "/rest/api/3", "/rest/api/3/nothing", "/rest/api/3/attachment", "/ex/jira/x/y"] {
        refused(api.get(path).await, 404).await;
    }
}
