//! Who may see what: every route of the table with every kind of caller, and what changes of access change.

use std::collections::BTreeSet;

use reqwest::Response;
use serde_json::{Value, json};
use shared::domain::access::Access as FileRules;
use shared::domain::credential::{Login, PREFIX_BYTES, Token, token_prefix, token_text};
use shared::domain::ids::Sha256Digest;
use shared::domain::principal::{Action, Identity, Scopes};
use shared::ports::access_store::AccessStore as _;
use shared::ports::state_store::StateStore as _;

use super::harness::{PUBLIC_URL, Setup, TOKEN, TestApi, Uploaded};
use crate::auth::access::{Access, By};
use crate::auth::jwt::tests as jwt;
use crate::auth::{Mode, password};
use crate::router;

/// Every route by class. A route that is missing here has not been thought about: who may see what it shows?
const ROUTES: &[(&str, &str)] = &[
    ("/2.0/files/content", "caller"),
    ("/api/2.0/files/content", "caller"),
    ("/2.0/files/{file}", "file"),
    ("/2.0/files/{file}/content", "file"),
    ("/api/2.0/files/{file}/content", "file"),
    ("/2.0/files/{file}/trash", "file"),
    ("/2.0/files/{file}/thumbnail.png", "file"),
    ("/2.0/files/{file}/thumbnail.jpg", "file"),
    ("/2.0/files/{file}/versions", "file"),
    ("/2.0/files/{file}/versions/current", "file"),
    ("/2.0/files/{file}/versions/{version}", "file"),
    ("/2.0/folders/{folder}", "caller"),
    ("/2.0/folders/{folder}/items", "caller"),
    ("/2.0/users/{user}", "caller"),
    ("/2.0/internal_files/{file}/versions/{version}/representations/{name}", "file"),
    ("/2.0/internal_files/{file}/versions/{version}/representations/{name}/content", "file"),
    ("/2.0/internal_files/{file}/versions/{version}/representations/{name}/content/", "file"),
    ("/2.0/internal_files/{file}/versions/{version}/representations/{name}/content/{*asset_path}", "file"),
    ("/file/{uuid}/binary", "public"),
    ("/assets/placeholders/{name}", "public"),
    ("/media/{file}/{version}/{what}", "public"),
    ("/v1/files", "caller"),
    ("/v1/files/{file}", "file"),
    ("/v1/files/{file}/access", "operator"),
    ("/v1/files/{file}/explain", "operator"),
    ("/v1/events", "caller"),
    ("/v1/failures", "operator"),
    ("/v1/redrive", "operator"),
    ("/v1/presets", "caller"),
    ("/v1/capabilities", "caller"),
    ("/v1/pipeline", "operator"),
    ("/v1/parked", "operator"),
    ("/v1/parked/{id}", "operator"),
    ("/v1/parked/{id}/replay", "operator"),
    ("/v1/webhooks", "operator"),
    ("/v1/webhooks/{id}", "operator"),
    ("/v1/webhooks/{id}/test", "operator"),
    ("/v1/webhooks/{id}/enable", "operator"),
    ("/v1/webhooks/{id}/disable", "operator"),
    ("/v1/webhooks/{id}/rotate", "operator"),
    ("/v1/openapi.json", "public"),
    ("/docs", "public"),
    ("/", "public"),
    ("/rest/api/{api}/serverInfo", "public"),
    ("/ex/jira/{cloud}/rest/api/{api}/serverInfo", "public"),
    ("/rest/api/{api}/myself", "caller"),
    ("/ex/jira/{cloud}/rest/api/{api}/myself", "caller"),
    ("/rest/api/{api}/user", "caller"),
    ("/ex/jira/{cloud}/rest/api/{api}/user", "caller"),
    ("/rest/api/{api}/attachment/meta", "caller"),
    ("/ex/jira/{cloud}/rest/api/{api}/attachment/meta", "caller"),
    ("/rest/api/{api}/attachment/{attachment}", "file"),
    ("/ex/jira/{cloud}/rest/api/{api}/attachment/{attachment}", "file"),
    ("/rest/api/{api}/attachment/{attachment}/expand/human", "file"),
    ("/ex/jira/{cloud}/rest/api/{api}/attachment/{attachment}/expand/human", "file"),
    ("/rest/api/{api}/attachment/{attachment}/expand/raw", "file"),
    ("/ex/jira/{cloud}/rest/api/{api}/attachment/{attachment}/expand/raw", "file"),
    ("/rest/api/{api}/attachment/content/{attachment}", "file"),
    ("/ex/jira/{cloud}/rest/api/{api}/attachment/content/{attachment}", "file"),
    ("/rest/api/{api}/attachment/thumbnail/{attachment}", "file"),
    ("/ex/jira/{cloud}/rest/api/{api}/attachment/thumbnail/{attachment}", "file"),
    ("/rest/api/{api}/issue/{issue}", "caller"),
    ("/ex/jira/{cloud}/rest/api/{api}/issue/{issue}", "caller"),
    ("/rest/api/{api}/issue/{issue}/attachments", "caller"),
    ("/ex/jira/{cloud}/rest/api/{api}/issue/{issue}/attachments", "caller"),
    ("/livez", "public"),
    ("/readyz", "public"),
    ("/metrics", "operator"),
];

/// Scopes of somebody who may do everything that users may.
const ALL: [&str; 3] = ["thumbline:read", "thumbline:write", "thumbline:delete"];

fn class(access: Access) -> &'static str {
    match access {
        Access::Public => "public",
        Access::Operator => "operator",
        Access::Caller(_) => "caller",
        Access::File(_) | Access::Route(_) => "file",
    }
}

async fn guarded() -> TestApi {
    TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await
}

async fn issue(api: &TestApi, user: &str, scopes: &[&str], expires_at: Option<i64>) -> String {
    let seed = format!("{user}{scopes:?}{expires_at:?}");
    let digest = Sha256Digest::of(seed.as_bytes());
    let mut prefix = [0; PREFIX_BYTES];
    prefix.copy_from_slice(&digest.as_bytes()[..PREFIX_BYTES]);
    let text = token_text(prefix, *digest.as_bytes());
    let token = Token {
        prefix: token_prefix(&text).unwrap().to_owned(),
        digest: Sha256Digest::of(text.as_bytes()),
        label: String::new(),
        email: Some(format!("{user}@example.org")),
        identity: Identity {
            user: Some(user.to_owned()),
            groups: BTreeSet::from(["staff".to_owned()]),
            scopes: Scopes::named(scopes.iter().copied()),
            tenant: None,
        },
        expires_at,
    };
    api.store.issue_token(&token).await.unwrap();
    text
}

async fn ask(api: &TestApi, method: &str, path: &str, token: Option<&str>) -> Response {
    let request = api.request(method, path).header("X-Atlassian-Token", "no-check");
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    request.send().await.unwrap()
}

/// A token of a user who may do everything that users may.
pub(super) async fn user(api: &TestApi, name: &str) -> String {
    issue(api, name, &ALL, None).await
}

pub(super) async fn upload_as(api: &TestApi, token: &str, access: Option<Value>) -> Uploaded {
    // Names belong to one file of a folder.
    let name = format!("{:016x}.jpg", rand::random::<u64>());
    let mut attributes = json!({ "name": name, "parent": { "id": "0" } });
    if let Some(access) = access {
        attributes["access"] = access;
    }
    let form = reqwest::multipart::Form::new()
        .text("attributes", attributes.to_string())
        .part("file", reqwest::multipart::Part::bytes(rand::random::<u128>().to_le_bytes().to_vec()).file_name("x"));
    let request = api.request("POST", "/2.0/files/content").bearer_auth(token).multipart(form);
    let body: Value = request.send().await.unwrap().json().await.unwrap();
    let entry = &body["entries"][0];
    let id = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    Uploaded { file: id(&entry["id"]).parse().unwrap(), version: id(&entry["file_version"]["id"]).parse().unwrap() }
}

/// A path of the table with this file, or another id, in its places.
fn concrete(path: &str, file: &str, version: &str) -> String {
    let path = path.replace("{api}", "3").replace("{cloud}", "1").replace("{issue}", "A-1").replace("{uuid}", "1");
    let path =
        path.replace("{attachment}", file).replace("{file}", file).replace("{id}", file).replace("{version}", version);
    let path = path.replace("{name}", "jpg_320x320").replace("{*asset_path}", "");
    let path = path.replace("{folder}", "0").replace("{user}", "me").replace("{what}", "source");
    assert!(!path.contains('{'), "say what stands for the parameters of {path}");
    path
}

/// The answer without what differs between any two requests.
async fn shown(response: Response, file: &str) -> (u16, String) {
    let status = response.status().as_u16();
    let id = ["box-request-id", "x-request-id"].iter().find_map(|name| response.headers().get(*name)).cloned();
    let body = response.text().await.unwrap();
    (
        status,
        body.replace(id.unwrap().to_str().unwrap(), "ID")
            .replace(&format!("/{file}"), "/FILE")
            .replace(&format!("'{file}'"), "'FILE'"),
    )
}

#[tokio::test]
async fn every_route_has_a_class_that_somebody_has_thought_about() {
    let table: Vec<_> = router::paths().into_iter().map(|(path, access)| (path, class(access))).collect();
    let thought: BTreeSet<_> = ROUTES.iter().copied().collect();
    for line in &table {
        assert!(thought.contains(line), "{line:?} is not in ROUTES");
    }
    assert_eq!(table.len(), ROUTES.len(), "ROUTES has a route that is gone");
}

#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_its_class_says() {
    let api = guarded().await;
    let expired = issue(&api, "ada", &ALL, Some(1)).await;
    let narrow = issue(&api, "ada", &["photos"], None).await;
    let (ada, eve) = (issue(&api, "ada", &ALL, None).await, issue(&api, "eve", &ALL, None).await);
    let altered = format!("{ada}0");
    for (path, access) in router::paths() {
        let uploaded = upload_as(&api, TOKEN, Some(json!([["user:ada"]]))).await;
        let (file, version) = (uploaded.file.to_string(), uploaded.version.to_string());
        let (there, missing) = (concrete(path, &file, &version), concrete(path, "4000000", &version));
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let status = async |url: &str, token| ask(&api, method, url, token).await.status().as_u16();
            let action = access.action(&method.parse().unwrap());
            let what = format!("{method} {path}");
            let Some(action) = action else {
                for token in [None, Some("wrong"), Some(TOKEN)] {
                    assert!(!matches!(status(&there, token).await, 401 | 403), "{what}");
                }
                continue;
            };
            for url in [&there, &missing] {
                for wrong in ["wrong", &expired, &altered, "a.b.c"] {
                    assert_eq!(status(url, Some(wrong)).await, 401, "{what} with a wrong token");
                }
                assert_eq!(status(url, Some(&narrow)).await, 403, "{what} without the scope");
                let as_nobody = status(url, None).await;
                let fits = match access {
                    // Whoever is nobody has no account.
                    Access::Caller(_) if path.ends_with("/myself") => matches!(as_nobody, 401 | 405),
                    Access::Caller(_) if action == Action::Read => as_nobody != 401,
                    Access::Route(_) if method != "GET" => matches!(as_nobody, 401 | 405),
                    _ => as_nobody == 401,
                };
                assert!(fits, "{what} as nobody answered {as_nobody}");
            }
            match access {
                Access::Public => {}
                Access::Operator => {
                    assert_eq!(status(&there, Some(&ada)).await, 403, "{what}");
                    assert!(!matches!(status(&there, Some(TOKEN)).await, 401 | 403), "{what}");
                }
                Access::Caller(_) => {
                    for token in [&ada, &eve, TOKEN] {
                        assert!(!matches!(status(&there, Some(token)).await, 401 | 403), "{what}");
                    }
                }
                Access::File(_) | Access::Route(_) => {
                    let hidden = shown(ask(&api, method, &there, Some(&eve)).await, &file).await;
                    let none = shown(ask(&api, method, &missing, Some(&eve)).await, "4000000").await;
                    assert_eq!(hidden, none, "{what}: whoever may not see a file must not learn that it exists");
                    let refused = if method == "GET" { hidden.0 == 404 } else { matches!(hidden.0, 404 | 405) };
                    assert!(refused, "{what} answered {hidden:?} to somebody without access");
                }
            }
        }
        if let Access::File(_) | Access::Route(_) = access {
            for token in [&ada, TOKEN] {
                let status = ask(&api, "GET", &there, Some(token)).await.status();
                // What is not in the trash is not found there.
                let fits = status.as_u16() != 404 || path.ends_with("/trash");
                assert!(fits && !matches!(status.as_u16(), 401 | 403), "GET {path} answered {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_of_access_holds_from_the_next_request_on() {
    let api = guarded().await;
    let (ada, eve) = (issue(&api, "ada", &ALL, None).await, issue(&api, "eve", &ALL, None).await);
    let uploaded = upload_as(&api, &ada, None).await;
    api.settle(uploaded, |_| super::harness::failed(shared::domain::failure::FailureCode::DeadlineExceeded)).await;
    let access = format!("/v1/files/{}/access", uploaded.file);
    let ways = [
        format!("/2.0/files/{}", uploaded.file),
        uploaded.representation("jpg_320x320"),
        format!("/v1/files/{}", uploaded.file),
    ];
    let seen = async |token: Option<&str>| {
        let mut statuses = BTreeSet::new();
        for way in &ways {
            statuses.insert(ask(&api, "GET", way, token).await.status().as_u16());
        }
        let list: Value = ask(&api, "GET", "/v1/files", token).await.json().await.unwrap();
        (statuses, list["files"].as_array().unwrap().len())
    };
    let set = async |rules: Value| {
        let request = api.request("PUT", &access).bearer_auth(TOKEN).json(&json!({ "access": rules }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.json::<Value>().await.unwrap()["access"], rules);
    };
    let only = |status: u16, listed| (BTreeSet::from([status]), listed);
    // What a user uploads without a word is theirs.
    assert_eq!((seen(Some(&ada)).await, seen(Some(&eve)).await), (only(200, 1), only(404, 0)));
    set(json!([["user:eve"]])).await;
    assert_eq!((seen(Some(&ada)).await, seen(Some(&eve)).await), (only(404, 0), only(200, 1)));
    set(json!([["user:eve"], ["user:ada"]])).await;
    assert_eq!((seen(Some(&ada)).await, seen(Some(&eve)).await), (only(404, 0), only(404, 0)));
    set(json!([["anonymous"]])).await;
    assert_eq!((seen(None).await, seen(Some(&eve)).await), (only(200, 1), only(200, 1)));
    set(Value::Null).await;
    assert_eq!((seen(None).await, seen(Some(&ada)).await), (only(401, 0), only(404, 0)));
    assert_eq!(seen(Some(TOKEN)).await, only(200, 1));
}

#[tokio::test]
async fn links_given_out_before_a_change_of_access_are_dead_after_it() {
    let api = guarded().await;
    let ada = issue(&api, "ada", &ALL, None).await;
    let uploaded = upload_as(&api, &ada, None).await;
    let ways =
        [format!("/2.0/files/{}/content", uploaded.file), format!("/rest/api/3/attachment/content/{}", uploaded.file)];
    let links = async || {
        let mut links = Vec::new();
        for way in &ways {
            let response = ask(&api, "GET", way, Some(&ada)).await;
            let url = response.headers()["location"].to_str().unwrap().to_owned();
            links.push(url.strip_prefix(PUBLIC_URL).unwrap().to_owned());
        }
        links
    };
    let before = links().await;
    for access in [json!([["user:ada"]]), json!([["user:ada", "user:eve"]]), json!([["user:ada"]])] {
        let request = api.request("PUT", &format!("/v1/files/{}/access", uploaded.file)).bearer_auth(TOKEN);
        assert_eq!(request.json(&json!({ "access": access })).send().await.unwrap().status(), 200);
        let is_the_same = access == json!([["user:ada"]]);
        for link in &before {
            let expected = if is_the_same { 200 } else { 404 };
            assert_eq!(api.get(link).await.status(), expected, "{link} with {access}");
            let altered = link.replace("&access=", "&access=0");
            assert_eq!(api.get(&altered).await.status(), 404, "{altered}");
        }
        for link in links().await {
            assert_eq!(api.get(&link).await.status(), 200, "{link} was given out for {access}");
        }
    }
}

#[tokio::test]
async fn a_credential_for_previews_downloads_nothing() {
    let api = guarded().await;
    let uploaded = upload_as(&api, TOKEN, Some(json!([["anonymous"]]))).await;
    let previewer = issue(&api, "ada", &["item_preview"], None).await;
    let status = async |path: &str| ask(&api, "GET", path, Some(&previewer)).await.status().as_u16();
    assert_eq!(status(&format!("/2.0/files/{}", uploaded.file)).await, 200);
    assert_eq!(status(&format!("/2.0/files/{}/content", uploaded.file)).await, 403);
    assert_eq!(status(&format!("/rest/api/3/attachment/content/{}", uploaded.file)).await, 403);
}

#[tokio::test]
async fn an_access_that_nobody_can_mean_changes_nothing() {
    let api = guarded().await;
    let uploaded = upload_as(&api, TOKEN, Some(json!([["user:ada"]]))).await;
    let access = format!("/v1/files/{}/access", uploaded.file);
    for body in [
        "",
        "{}",
        "[]",
        r#"{"access":[]}"#,
        r#"{"access":[[]]}"#,
        r#"{"access":[["all"]]}"#,
        r#"{"access":null,"x":1}"#,
    ] {
        let request = api.request("PUT", &access).bearer_auth(TOKEN).body(body);
        assert_eq!(request.send().await.unwrap().status(), 400, "{body}");
    }
    let long = format!(r#"{{"access":[["user:{}"]]}}"#, "x".repeat(3_000_000));
    assert_eq!(api.request("PUT", &access).bearer_auth(TOKEN).body(long).send().await.unwrap().status(), 400);
    let kept = api.store.access_of(uploaded.file).await.unwrap().unwrap().access;
    assert_eq!(kept, Some(FileRules::only_user("ada").unwrap()));
    let missing = api.request("PUT", "/v1/files/4000000/access").bearer_auth(TOKEN).json(&json!({ "access": null }));
    assert_eq!(missing.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn caches_keep_what_everybody_may_see_and_forget_the_rest_soon() {
    let api = guarded().await;
    for (access, named, plain) in [
        (json!([["anonymous"]]), "public, max-age=31536000, immutable", "public, no-cache"),
        (json!([["user:ada"]]), "private, max-age=300, immutable", "private, no-cache"),
    ] {
        let uploaded = upload_as(&api, TOKEN, Some(access)).await;
        api.succeed(uploaded, &[b"bytes"]).await;
        let cache = async |query: &str| {
            let path = format!("{}{query}", uploaded.content("jpg_320x320", ""));
            let response = ask(&api, "GET", &path, Some(TOKEN)).await;
            response.headers()["cache-control"].to_str().unwrap().to_owned()
        };
        assert_eq!(cache(&format!("?v={}", Sha256Digest::of(b"bytes"))).await, named);
        assert_eq!(cache("").await, plain);
    }
}

#[tokio::test]
async fn small_bytes_come_from_memory_but_only_for_whom_they_are() {
    let api = guarded().await;
    let ada = issue(&api, "ada", &ALL, None).await;
    let uploaded = upload_as(&api, &ada, None).await;
    api.succeed(uploaded, &[b"a small page"]).await;
    let path = uploaded.content("jpg_320x320", "");
    assert_eq!(ask(&api, "GET", &path, Some(&ada)).await.bytes().await.unwrap(), "a small page");
    let blob =
        api.store.file(uploaded.file).await.unwrap().unwrap().representations[0].state.content().unwrap().clone();
    api.blobs.delete(blob.first().blob()).await.unwrap();
    assert_eq!(ask(&api, "GET", &path, Some(&ada)).await.bytes().await.unwrap(), "a small page");
    api.store.set_access(uploaded.file, None).await.unwrap();
    assert_eq!(ask(&api, "GET", &path, Some(&ada)).await.status(), 404);
}

#[tokio::test]
async fn basic_takes_an_address_with_its_token_or_its_password() {
    let api = guarded().await;
    let token = issue(&api, "ada", &ALL, None).await;
    let login = Login {
        email: "bob@example.org".to_owned(),
        password_hash: password::hash("correct horse", [3; 16]).unwrap(),
        user: "bob".to_owned(),
        groups: BTreeSet::new(),
        tenant: None,
    };
    api.store.put_login(&login).await.unwrap();
    let status = async |name: &str, secret: &str| {
        api.request("GET", "/v1/presets").basic_auth(name, Some(secret)).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("Ada@example.org", &token).await, 200);
    assert_eq!(status("bob@example.org", &token).await, 401, "a token of somebody else");
    assert_eq!(status("BOB@example.org", "correct horse").await, 200);
    assert_eq!(status("bob@example.org", "wrong horse").await, 401);
    assert_eq!(status("nobody@example.org", "correct horse").await, 401);
    assert_eq!(status("anybody", TOKEN).await, 200);
    // An upload of a login is theirs, as any user's.
    let listed = api.request("GET", "/v1/files").basic_auth("bob@example.org", Some("correct horse"));
    assert_eq!(listed.send().await.unwrap().json::<Value>().await.unwrap()["files"], json!([]));
}

#[tokio::test]
async fn a_crowd_of_wrong_logins_does_not_starve_the_others() {
    let api = guarded().await;
    let crowd = futures_util::future::join_all((0..200).map(|n| {
        api.request("GET", "/v1/presets").basic_auth(format!("nobody-{n}@example.org"), Some("wrong")).send()
    }));
    let others = async {
        for _ in 0..20 {
            assert_eq!(ask(&api, "GET", "/v1/presets", Some(TOKEN)).await.status(), 200);
        }
    };
    let (crowd, ()) = futures_util::future::join(crowd, others).await;
    assert!(crowd.into_iter().all(|response| matches!(response.unwrap().status().as_u16(), 401 | 503)));
}

#[tokio::test]
async fn a_producer_finds_its_file_by_source() {
    let api = guarded().await;
    let eve = issue(&api, "eve", &ALL, None).await;
    let uploaded = upload_as(&api, TOKEN, None).await;
    let identity = api.store_identity(uploaded).await;
    let found = async |query: &str, token: &str| ask(&api, "GET", &format!("/v1/files?{query}"), Some(token)).await;
    let files =
        async |query: &str, token: &str| found(query, token).await.json::<Value>().await.unwrap()["files"].clone();
    assert!(identity.starts_with("upload:"), "uploads are nobody's source: {identity}");
    assert_eq!(files("source_id=nobody%20knows", TOKEN).await, json!([]));
    assert_eq!(files("source=s3://bucket/key&tenant=acme", &eve).await, json!([]));
    for odd in ["source=bucket/key", "source=s3://bucket", "source=s3://b/k&source_id=x", "source_id=x&tenant=a/b"] {
        assert_eq!(found(odd, TOKEN).await.status(), 400, "{odd}");
    }
}

async fn with_keys_of(path: &std::path::Path) -> TestApi {
    let keys = adapters::keys::open(&format!("file:{}", path.display())).unwrap();
    TestApi::with(Setup { mode: Mode::Jwt, keys: Some(keys), ..Setup::default() }).await
}

#[tokio::test]
async fn access_tokens_of_a_provider_open_what_their_claims_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    std::fs::write(&path, jwt::jwks(&jwt::pair(1)).to_string()).unwrap();
    let api = with_keys_of(&path).await;
    let uploaded = upload_as(&api, TOKEN, Some(json!([["group:staff"], ["scope:photos"]]))).await;
    let file = format!("/2.0/files/{}", uploaded.file);
    let status = async |pair: u8, header: Value, claims: Value| {
        let token = jwt::signed(&jwt::pair(pair), &header, &claims);
        ask(&api, "GET", &file, Some(&token)).await.status().as_u16()
    };
    let with = |name: &str, value: Value| {
        let mut claims = jwt::claims();
        claims[name] = value;
        claims
    };
    assert_eq!(status(1, jwt::header(), jwt::claims()).await, 200);
    assert_eq!(status(1, jwt::header(), with("groups", json!(["others"]))).await, 404);
    assert_eq!(status(1, jwt::header(), with("scope", json!("thumbline:read"))).await, 404);
    assert_eq!(status(1, jwt::header(), with("scope", json!("photos"))).await, 403);
    assert_eq!(status(1, jwt::header(), with("scope", json!("thumbline:operate"))).await, 200);
    assert_eq!(status(1, jwt::header(), with("iss", json!("https://evil.example"))).await, 401);
    assert_eq!(status(1, jwt::header(), with("padding", json!("x".repeat(10_000)))).await, 401);
    assert_eq!(status(1, json!({ "alg": "none", "kid": "k" }), jwt::claims()).await, 401);
    assert_eq!(status(1, json!({ "alg": "EdDSA", "kid": "unknown" }), jwt::claims()).await, 401);
    assert_eq!(status(2, jwt::header(), jwt::claims()).await, 401);
    // What was seen of the keys outlives them.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(status(1, jwt::header(), jwt::claims()).await, 200);
}

#[tokio::test]
async fn without_keys_only_access_tokens_wait() {
    let directory = tempfile::tempdir().unwrap();
    let api = with_keys_of(&directory.path().join("missing.json")).await;
    let token = jwt::signed(&jwt::pair(1), &jwt::header(), &jwt::claims());
    let answer = ask(&api, "GET", "/v1/presets", Some(&token)).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(ask(&api, "GET", "/v1/presets", Some(TOKEN)).await.status(), 200);
}

#[test]
fn what_a_method_wants_is_what_it_does() {
    let wants = |method: &str| Access::File(By::Method).action(&method.parse().unwrap()).unwrap();
    assert_eq!((wants("GET"), wants("HEAD")), (Action::Read, Action::Read));
    assert_eq!((wants("POST"), wants("PUT"), wants("PATCH")), (Action::Write, Action::Write, Action::Write));
    assert_eq!(wants("DELETE"), Action::Delete);
}
