//! Our own API below `/v1`, and the operations routes beside it.

use serde_json::{Value, json};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::FailureCode;
use shared::domain::file::PictureFacts;
use shared::domain::format::SourceFormat;
use shared::domain::ids::Sha256Digest;
use shared::domain::placeholder::{Colour, Placeholder};
use shared::ports::state_store::StateStore as _;

use super::harness::{PUBLIC_URL, TestApi, failed};

fn representation<'a>(file: &'a Value, name: &str) -> &'a Value {
    file["representations"].as_array().unwrap().iter().find(|shown| shown["name"] == name).unwrap()
}

#[tokio::test]
async fn a_file_shows_what_is_known_and_null_for_the_rest() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let file = api.json(&format!("/v1/files/{}", uploaded.file)).await;
    assert_eq!(file["id"], uploaded.file.to_string());
    assert_eq!((&file["tenant"], &file["name"]), (&json!("default"), &json!("cat.jpg")));
    let version = json!({
        "id": uploaded.version.to_string(), "sequence": null, "object_version": null, "format": null, "width": null, "height": null,
        "pages": null, "bytes": 4, "sha256": Sha256Digest::of(b"meow").to_string(),
    });
    assert_eq!(file["version"], version);
    for unknown in ["source_id", "source", "thumbhash", "dominant_color", "aspect_ratio"] {
        assert_eq!(file.get(unknown), Some(&Value::Null), "{unknown}");
    }
    assert!(file["eta_ms"].is_u64(), "it is pending: {file}");
    let pending = representation(&file, "jpg_320x320");
    assert_eq!(
        (&pending["state"], &pending["width"], &pending["attempts"]),
        (&json!("pending"), &Value::Null, &json!(0))
    );
    assert_eq!(representation(&file, "png_paged_1024x1024")["state"], "none");
}

#[tokio::test]
async fn a_rendered_file_shows_dimensions_bytes_and_where_to_read() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    let dimensions = Dimensions::new(4000, 3000).unwrap();
    let thumbhash = "1QcSHQRnh493V4dIh4eXh1h4kJUI";
    let placeholder = Placeholder { thumbhash: thumbhash.parse().unwrap(), dominant_color: Colour([18, 52, 255]) };
    let picture = PictureFacts { format: SourceFormat::Jpeg, dimensions, pages: 1, placeholder: Some(placeholder) };
    api.store.record_picture(uploaded.version, picture).await.unwrap();
    api.succeed(uploaded, &[b"thumbnail"]).await;
    let file = api.json(&format!("/v1/files/{}", uploaded.file)).await;
    assert_eq!(file["version"]["format"], "jpeg");
    assert_eq!(file["aspect_ratio"], 4000.0 / 3000.0);
    assert_eq!((&file["thumbhash"], &file["dominant_color"]), (&json!(thumbhash), &json!("#1234ff")));
    let digest = Sha256Digest::of(b"thumbnail").to_string();
    let url = format!("{PUBLIC_URL}{}?v={digest}", uploaded.content("jpg_320x320", ""));
    let mut shown = representation(&file, "jpg_320x320").clone();
    let elapsed_ms = shown.as_object_mut().unwrap().remove("elapsed_ms").unwrap();
    assert!(elapsed_ms.is_u64(), "{elapsed_ms}");
    assert_eq!(
        shown,
        json!({
            "name": "jpg_320x320", "state": "success", "code": null, "reason": null, "width": 32, "height": 24,
            "bytes": 9, "sha256": digest, "pages": 1, "attempts": 1, "url": url,
        })
    );
}

#[tokio::test]
async fn a_failed_representation_shows_the_finer_code_and_the_reason() {
    let api = TestApi::start().await;
    let uploaded = api.upload("cat.jpg", b"meow").await;
    api.settle(uploaded, |_| failed(FailureCode::ChildOutOfMemory)).await;
    let file = api.json(&format!("/v1/files/{}", uploaded.file)).await;
    let shown = representation(&file, "jpg_320x320");
    assert_eq!((&shown["code"], &shown["reason"]), (&json!("child_out_of_memory"), &json!("made up by the test")));
    assert_eq!(shown["url"], Value::Null);
}

#[tokio::test]
async fn the_list_is_newest_first_and_every_file_is_on_one_page() {
    let api = TestApi::start().await;
    let mut uploaded = Vec::new();
    for name in ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"] {
        uploaded.push(api.upload(name, b"meow").await.file.to_string());
    }
    uploaded.reverse();
    let mut listed = Vec::new();
    let mut path = "/v1/files?limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = api.json(&path).await;
        pages += 1;
        listed.extend(page["files"].as_array().unwrap().iter().map(|file| file["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/files?limit=2&cursor={cursor}");
    }
    assert_eq!((listed, pages), (uploaded, 3));
    assert_eq!(api.json("/v1/files?limit=5").await["next_cursor"], Value::Null);
    for bad in ["limit=0", "limit=101", "limit=x", "cursor=x"] {
        assert_eq!(api.get(&format!("/v1/files?{bad}")).await.status(), 400, "{bad}");
    }
}

#[tokio::test]
async fn presets_and_pipeline_are_told() {
    let api = TestApi::start().await;
    let presets = api.json("/v1/presets").await;
    assert_eq!(presets["presets"].as_array().unwrap().len(), 12);
    assert_eq!(presets["presets"][0]["name"], "jpg_thumb_32x32");
    assert_eq!(presets["presets"][0]["fit"], "cover");
    api.upload("cat.jpg", b"meow").await;
    let capabilities = api.json("/v1/capabilities").await;
    assert_eq!(
        capabilities["sources"][1],
        json!({ "format": "heic", "media_type": "image/heic", "extensions": ["heic", "heif", "hif", "heics"], "supported": false, "problem": "made up by the test" })
    );
    assert_eq!((&capabilities["outputs"][0]["supported"], &capabilities["simd"]), (&json!(true), &json!(true)));
    assert_eq!(capabilities["limits"]["raster"]["pages_max"], 20);
    let pipeline = api.json("/v1/pipeline").await;
    let lanes: Vec<_> = pipeline["lanes"].as_array().unwrap().iter().map(|lane| lane["lane"].clone()).collect();
    assert_eq!(lanes.len(), 4);
    assert_eq!(pipeline["representations"], json!([{ "state": "pending", "code": null, "rows": 5 }]));
}

#[tokio::test]
async fn health_and_metrics_are_on_this_listener_too() {
    let api = TestApi::start().await;
    assert_eq!(api.json("/livez").await, json!({ "status": "alive" }));
    let ready = api.json("/readyz").await;
    assert_eq!(ready["status"], "ready");
    for dependency in ["database", "blobs", "queue"] {
        assert_eq!(ready["dependencies"][dependency]["state"], "up", "{dependency}");
    }
    let metrics = api.get("/metrics").await;
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert_eq!(metrics.text().await.unwrap(), "thumbline_build_info 1\n");
}

#[tokio::test]
async fn requests_are_timed_by_route_and_never_by_path() {
    let exposition = adapters::telemetry::metrics::install().unwrap();
    let api = TestApi::start().await;
    api.get("/2.0/files/123456789").await;
    api.get("/2.0/secret/987654321").await;
    let text = exposition.render();
    let counted = |labels: [&str; 3]| {
        let line = |line: &&str| {
            line.starts_with("thumbline_http_request_duration_seconds_count") && labels.iter().all(|l| line.contains(l))
        };
        assert!(text.lines().any(|l| line(&l)), "{labels:?} is not in {text}");
    };
    counted(["route=\"/2.0/files/{file}\"", "method=\"GET\"", "status=\"404\""]);
    counted(["route=\"unmatched\"", "method=\"GET\"", "status=\"404\""]);
    assert!(!text.contains("123456789") && !text.contains("987654321"));
}

#[tokio::test]
async fn parked_messages_are_listed_replayed_and_dropped() {
    use shared::ports::parking::{ParkedMessage, ParkingStore as _};
    use shared::ports::work_queue::Message;
    let api = TestApi::start().await;
    let cut = ParkedMessage {
        message: Message { body: "{".into(), ..Message::default() },
        length_bytes: 9,
        code: "too_long".to_owned(),
        reason: "it is too long".to_owned(),
    };
    let whole = ParkedMessage {
        message: Message { body: b"\xff".to_vec().into(), ..Message::default() },
        length_bytes: 1,
        code: "not_json".to_owned(),
        ..cut.clone()
    };
    api.store.keep(&cut).await.unwrap();
    api.store.keep(&whole).await.unwrap();
    let list = api.json("/v1/parked?limit=1").await;
    assert_eq!((&list["total"], &list["parked"][0]["code"]), (&2.into(), &"not_json".into()));
    let next = api.json(&format!("/v1/parked?limit=1&cursor={}", list["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&next["next_cursor"], &next["parked"][0]["code"]), (&Value::Null, &"too_long".into()));
    let path = |page: &Value| format!("/v1/parked/{}", page["parked"][0]["id"].as_str().unwrap());
    let message = api.json(&path(&list)).await;
    assert_eq!((&message["body"], &message["body_is_exact"]), (&"\u{fffd}".into(), &false.into()));
    let status = async |method: &str, path: &str| api.request(method, path).send().await.unwrap().status().as_u16();
    assert_eq!(status("POST", &format!("{}/replay", path(&next))).await, 400, "a cut message");
    assert_eq!(status("POST", &format!("{}/replay", path(&list))).await, 202);
    assert_eq!(api.json(&path(&list)).await["replay_requested"], true);
    assert_eq!(status("DELETE", &path(&list)).await, 204);
    assert_eq!(status("GET", &path(&list)).await, 404);
    assert_eq!(status("GET", "/v1/parked/x").await, 404);
}

#[tokio::test]
async fn a_file_is_found_by_its_source_or_its_producers_name() {
    use shared::domain::preset::PresetTable;
    use shared::domain::source::{AllowedBucket, AllowedBuckets};
    use shared::event::{Meaning, read};
    use shared::ports::work_queue::Message;
    let api = TestApi::start().await;
    let bucket = AllowedBucket { tenant: "acme".parse().unwrap(), default_access: None, own_blobs: None };
    let buckets = AllowedBuckets::new([("photos".to_owned(), bucket)]);
    for event in [
        json!({"bucket": "photos", "key": "a b+c%20/ü.jpg"}),
        json!({"bucket": "photos", "key": "b.jpg", "source_id": "7", "tenant": "other"}),
    ] {
        let message = Message { body: event.to_string().into(), ..Message::default() };
        let meanings = read(&message, &buckets, &PresetTable::built_in()).meanings;
        let [Meaning::Register(new)] = &meanings[..] else { panic!("{meanings:?}") };
        api.store.register(new).await.unwrap();
    }
    let found = async |query: &str| {
        let list = api.json(&format!("/v1/files?{query}")).await;
        list["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("source=s3%3A%2F%2Fphotos%2Fa%20b%2Bc%2520%2F%C3%BC.jpg").await, ["ü.jpg"]);
    assert_eq!(found("source_id=7&tenant=other").await, ["b.jpg"]);
    assert!(found("source_id=7").await.is_empty() && found("source=s3://photos/b.jpg").await.is_empty());
    for bad in ["source=photos/a", "source=s3://photos/a&source_id=7", "source_id=7&tenant=a/b"] {
        assert_eq!(api.get(&format!("/v1/files?{bad}")).await.status().as_u16(), 400, "{bad}");
    }
}
