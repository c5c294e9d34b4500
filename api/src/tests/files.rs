//! `GET /2.0/files/{id}`: the file object, and listings of representations with and without hints.

use serde_json::{Value, json};
use shared::domain::failure::FailureCode;
use shared::domain::lane::Lane;
use shared::ports::state_store::StateStore as _;
use shared::ports::work_queue::Channel;

use super::harness::{PUBLIC_URL, TestApi, Uploaded, failed};

async fn entries(api: &TestApi, uploaded: Uploaded, hints: &str) -> Vec<Value> {
    let request = api.request("GET", &format!("/2.0/files/{}?fields=name%2Crepresentations", uploaded.file));
    let response = request.header("X-Rep-Hints", hints).send().await.unwrap();
    assert_eq!(response.status(), 200, "{hints}");
    let body: Value = response.json().await.unwrap();
    body["representations"]["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_standard_file_has_every_standard_field_and_no_representations() {
    let api = TestApi::start().await;
    let uploaded = api.upload("Grüße.JPG", b"meow").await;
    let file = api.json(&format!("/2.0/files/{}", uploaded.file)).await;
    for field in [
        "type",
        "id",
        "etag",
        "sequence_id",
        "name",
        "sha1",
        "file_version",
        "description",
        "size",
        "path_collection",
        "created_at",
        "modified_at",
        "trashed_at",
        "purged_at",
        "content_created_at",
        "content_modified_at",
        "created_by",
        "modified_by",
        "owned_by",
        "shared_link",
        "parent",
        "item_status",
    ] {
        assert!(file.get(field).is_some(), "{field} is missing");
    }
    assert_eq!(file.as_object().unwrap().len(), 22);
    for text in ["id", "etag", "sequence_id", "name", "sha1"] {
        assert!(file[text].is_string(), "{text} is not text");
    }
    assert_eq!(file["name"], "Grüße.JPG");
    assert_eq!(file["parent"]["id"], "0");
    assert_eq!(file["file_version"]["id"], uploaded.version.to_string());
    let created = file["created_at"].as_str().unwrap();
    assert!(created.len() == 25 && created.ends_with("+00:00"), "{created}");
}

#[tokio::test]
async fn asked_fields_come_with_the_base_set_only() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let file = api.json(&format!("/2.0/files/{}?fields=name%2Cextension,nobody_knows_this", uploaded.file)).await;
    let id = uploaded.file.to_string();
    assert_eq!(file, json!({ "type": "file", "id": id, "etag": "0", "name": "cat.jpg", "extension": "jpg" }));
}

#[tokio::test]
async fn without_hints_entries_say_only_what_can_be_had() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let file = api.json(&format!("/2.0/files/{}?fields=representations", uploaded.file)).await;
    let entries = file["representations"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 8);
    let base = format!("{PUBLIC_URL}{}", uploaded.representation(""));
    assert_eq!(
        entries[0],
        json!({
            "representation": "jpg",
            "properties": { "dimensions": "32x32", "paged": "false", "thumb": "true" },
            "info": { "url": format!("{base}jpg_thumb_32x32") },
        })
    );
    let names: Vec<_> = entries.iter().map(|entry| entry["info"]["url"].as_str().unwrap()).collect();
    assert!(names.contains(&format!("{base}jpg_paged_2048x2048").as_str()));
    assert!(entries.iter().all(|entry| entry.as_object().unwrap().len() == 3));
}

#[tokio::test]
async fn jpg_2048_exists_for_jpeg_sources_only() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.png", b"meow").await;
    assert_eq!(entries(&api, uploaded, "[jpg?dimensions=2048x2048]").await, Vec::<Value>::new());
    assert_eq!(api.get(&uploaded.representation("jpg_paged_2048x2048")).await.status(), 404);
    // content-preview's own group: the first alternative that exists.
    let preview = entries(&api, uploaded, "[jpg?dimensions=2048x2048,png?dimensions=2048x2048]").await;
    assert_eq!(preview[0]["properties"], json!({ "dimensions": "2048x2048", "paged": "true", "thumb": "false" }));
    assert_eq!(preview[0]["representation"], "png");
}

#[tokio::test]
async fn with_hints_entries_say_where_they_stand() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let base = format!("{PUBLIC_URL}{}", uploaded.representation("jpg_thumb_32x32"));
    let pending = entries(&api, uploaded, "[jpg?dimensions=32x32&paged=false]").await;
    assert_eq!(
        pending,
        [json!({
            "representation": "jpg",
            "properties": { "dimensions": "32x32", "paged": "false", "thumb": "true" },
            "info": { "url": base },
            "status": { "state": "pending" },
            "content": { "url_template": format!("{base}/content/{{+asset_path}}") },
        })]
    );
    api.succeed(uploaded, &[b"thumbnail"]).await;
    let success = entries(&api, uploaded, "[jpg?dimensions=32x32]").await;
    assert_eq!(success[0]["status"], json!({ "state": "success" }));
    let digest = shared::domain::ids::Sha256Digest::of(b"thumbnail");
    assert_eq!(success[0]["content"]["url_template"], format!("{base}/content/{{+asset_path}}?v={digest}"));
    assert!(success[0].get("metadata").is_none());
}

#[tokio::test]
async fn hints_that_nothing_has_are_no_error_and_broken_ones_are() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    for hints in ["[extracted_text]", "[jpg?dimensions=64x64]", "[hls][mp3]"] {
        assert_eq!(entries(&api, uploaded, hints).await, Vec::<Value>::new(), "{hints}");
    }
    assert!(!entries(&api, uploaded, "[png]").await.is_empty());
    let request = api.request("GET", &format!("/2.0/files/{}?fields=representations", uploaded.file));
    let response = request.header("X-Rep-Hints", "[jpg").send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "bad_request");
}

#[tokio::test]
async fn a_listing_starts_and_promotes_nothing() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.next_wake(Lane::Normal).await;
    let lazy = entries(&api, uploaded, "[png]").await;
    assert!(lazy.iter().all(|entry| entry["status"]["state"] == "none"));
    let state = api.store.file(uploaded.file).await.unwrap().unwrap();
    assert_eq!(state.representations.len(), 5);
    let mut interactive = api.queue.subscribe(Channel::Wakes(Lane::Interactive), 1).await.unwrap();
    let nothing = tokio::time::timeout(std::time::Duration::from_millis(50), interactive.next()).await;
    assert!(nothing.is_err(), "a listing woke a worker");
}

#[tokio::test]
async fn failures_are_told_in_boxs_words() {
    let api = TestApi::start().await;
    let uploaded = api.upload("letter.docx", b"meow").await;
    api.settle(uploaded, |_| failed(FailureCode::UnsupportedFormat)).await;
    let entries = entries(&api, uploaded, "[jpg]").await;
    assert_eq!(entries.len(), 6, "all that could exist, as the format is still unknown");
    let failed: Vec<_> = entries.iter().filter(|entry| entry["status"]["state"] == "error").collect();
    assert_eq!(failed.len(), 5);
    assert!(failed.iter().all(|entry| entry["status"]["code"] == "error_unsupported_format"));
    assert!(failed.iter().all(|entry| entry["content"]["url_template"].is_string()));
}

#[tokio::test]
async fn unknown_files_and_malformed_ids_are_told_apart() {
    let api = TestApi::start().await;
    for (id, status, code) in [
        ("1", 404, "not_found"),
        ("9007199254740992", 404, "not_found"),
        ("abc", 405, "method_not_allowed"),
        ("-1", 405, "method_not_allowed"),
    ] {
        let response = api.get(&format!("/2.0/files/{id}")).await;
        assert_eq!(response.status(), status, "{id}");
        assert!(response.headers().contains_key("box-request-id"));
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["type"], &body["code"]), (&json!("error"), &json!(code)), "{id}");
        assert_eq!(body["status"], status);
        assert!(body["message"].is_string() && body["request_id"].is_string() && body["help_url"].is_string());
    }
}
