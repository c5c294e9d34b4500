//! The life of a file, what failed, and another chance, over the wire.

use serde_json::{Value, json};
use shared::domain::failure::FailureCode;

use super::harness::{TestApi, failed};

async fn post(api: &TestApi, body: Value) -> (u16, Value) {
    let response = api.request("POST", "/v1/redrive").json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn the_life_of_a_file_is_told_in_order() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.settle(uploaded, |_| failed(FailureCode::CorruptSource)).await;
    let told = api.json(&format!("/v1/files/{}/explain", uploaded.file)).await;
    let events = told["events"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["registered", "claimed", "error", "stands"]);
    assert!(events.is_sorted_by_key(|event| event["at"].as_str().unwrap().to_owned()));
    let detail = events[2]["detail"].as_str().unwrap();
    assert!(detail.contains("corrupt_source") && detail.contains("made up by the test"), "{detail}");
    for unknown in ["/v1/files/999999/explain", "/v1/files/x/explain"] {
        assert_eq!(api.get(unknown).await.status(), 404, "{unknown}");
    }
}

#[tokio::test]
async fn what_failed_is_grouped_counted_and_tried_again() {
    let api = TestApi::start().await;
    for (name, code) in
        [("a.jpg", FailureCode::CorruptSource), ("b.jpg", FailureCode::Truncated), ("c.jpg", FailureCode::Truncated)]
    {
        let uploaded = api.upload(name, b"meow").await;
        api.settle(uploaded, |_| failed(code)).await;
    }
    let groups = api.json("/v1/failures").await["failures"].clone();
    assert_eq!((groups[0]["code"].as_str(), groups[0]["versions"].as_u64()), (Some("truncated"), Some(2)));
    assert_eq!(groups.as_array().unwrap().len(), 2);
    let rows = groups[0]["representations"].as_u64().unwrap();

    let (status, counted) = post(&api, json!({ "code": "truncated", "dry_run": true })).await;
    assert_eq!(
        (status, &counted["matched"]["versions"], &counted["redriven"]["versions"]),
        (200, &json!(2), &json!(0))
    );
    let (_, first) = post(&api, json!({ "code": "truncated", "limit": 1 })).await;
    assert_eq!((&first["redriven"]["versions"], &first["remaining"]), (&json!(1), &json!(rows / 2)));
    let (_, second) = post(&api, json!({ "code": "truncated", "until": first["until"] })).await;
    assert_eq!((&second["redriven"]["versions"], &second["remaining"]), (&json!(1), &json!(0)));
    assert_eq!(api.json("/v1/failures").await["failures"].as_array().unwrap().len(), 1);
    let backfill = &api.json("/v1/pipeline").await["lanes"][3];
    assert_eq!((&backfill["lane"], &backfill["pending"]), (&json!("backfill"), &json!(rows)));
}

#[tokio::test]
async fn what_is_not_understood_redrives_nothing() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.settle(uploaded, |_| failed(FailureCode::CorruptSource)).await;
    for body in [
        json!({ "code": "no_such_code" }),
        json!({ "format": "docx2" }),
        json!({ "since": "yesterday" }),
        json!({ "lane": "fast" }),
        json!({ "limit": 0 }),
        json!({ "codes": "corrupt_source" }),
        json!([1]),
    ] {
        assert_eq!(post(&api, body.clone()).await.0, 400, "{body}");
    }
    assert_eq!(api.json("/v1/failures").await["failures"].as_array().unwrap().len(), 1);
}
