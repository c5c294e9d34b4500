//! `GET …/representations/{name}`: where one stands; asking for a `none` starts it.

use serde_json::json;
use shared::domain::failure::FailureCode;
use shared::domain::lane::Lane;
use shared::domain::representation::Outcome;
use shared::ports::state_store::StateStore as _;

use super::harness::{PUBLIC_URL, TestApi, failed};

const LAZY: &str = "png_paged_1024x1024";

#[tokio::test]
async fn asking_for_a_none_answers_pending_at_once_and_wakes_a_worker() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.succeed(uploaded, &[b"eager"]).await;
    let info = api.json(&uploaded.representation(LAZY)).await;
    let url = format!("{PUBLIC_URL}{}", uploaded.representation(LAZY));
    assert_eq!(
        info,
        json!({
            "representation": "png",
            "properties": { "dimensions": "1024x1024", "paged": "true", "thumb": "false" },
            "info": { "url": url },
            "status": { "state": "pending" },
            "content": { "url_template": format!("{url}/content/{{+asset_path}}") },
        })
    );
    assert_eq!(api.next_wake(Lane::Interactive).await, uploaded.version);
    let state = api.store.file(uploaded.file).await.unwrap().unwrap();
    assert_eq!(state.representation(&LAZY.parse().unwrap()).unwrap().state.name(), "pending");
    assert_eq!(api.json(&uploaded.representation(LAZY)).await["status"]["state"], "pending");
}

#[tokio::test]
async fn asking_for_a_pending_one_moves_it_to_the_interactive_lane() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.json(&uploaded.representation("jpg_320x320")).await;
    assert_eq!(api.next_wake(Lane::Interactive).await, uploaded.version);
    let waiting = api.json("/v1/pipeline").await;
    let pending = |lane: &str| {
        waiting["lanes"].as_array().unwrap().iter().find(|l| l["lane"] == lane).unwrap()["pending"].clone()
    };
    assert_eq!((pending("interactive"), pending("normal")), (json!(1), json!(4)));
}

#[tokio::test]
async fn a_rendered_paged_one_tells_its_pages() {
    let api = TestApi::start().await;
    let uploaded = api.upload("scan.tiff", b"meow").await;
    api.succeed(uploaded, &[b"eager"]).await;
    api.json(&uploaded.representation(LAZY)).await;
    let content = api.store_pages(&[b"one", b"two"]).await;
    api.settle(uploaded, |_| Outcome::Success(content.clone())).await;
    let info = api.json(&uploaded.representation(LAZY)).await;
    assert_eq!(info["status"], json!({ "state": "success" }));
    assert_eq!(info["metadata"], json!({ "pages": 2 }));
    assert!(info["content"]["url_template"].as_str().unwrap().contains("/content/{+asset_path}?v="));
}

#[tokio::test]
async fn a_failed_one_says_so_and_is_not_started_again() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.settle(uploaded, |_| failed(FailureCode::CorruptSource)).await;
    for _ in 0..2 {
        let info = api.json(&uploaded.representation("jpg_320x320")).await;
        assert_eq!(info["status"], json!({ "state": "error", "code": "error_conversion_failed" }));
    }
}

#[tokio::test]
async fn nothing_is_told_of_what_does_not_exist() {
    let api = TestApi::start().await;
    let (one, other) = (api.upload("a.jpg", b"a").await, api.upload("b.jpg", b"b").await);
    for path in [
        one.representation("jpg_64x64"),
        one.representation("JPG_320X320"),
        one.representation("..%2f..%2fetc"),
        format!("/2.0/internal_files/{}/versions/{}/representations/jpg_320x320", one.file, other.version),
        format!("/2.0/internal_files/x/versions/{}/representations/jpg_320x320", one.version),
        format!("/2.0/internal_files/{}/versions/0/representations/jpg_320x320", one.file),
        "/2.0/internal_files/%ff/versions/1/representations/jpg_320x320".to_owned(),
    ] {
        let response = api.get(&path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.json::<serde_json::Value>().await.unwrap()["code"], "not_found", "{path}");
    }
}
