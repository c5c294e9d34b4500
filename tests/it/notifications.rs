//! Bucket notifications: with nothing else configured, objects that any S3 client puts get their thumbnails.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::states;
use crate::harness::eventually;
use crate::harness::pictures;
use crate::harness::servers::Production;

/// Keys as people choose them.
const KEYS: [&str; 5] =
    ["plain.png", "with a space.png", "a+b%20c%.png", "ünï/名前 (1)/x.png", "deep/er//and=odd&name?#.png"];

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn a_bucket_notification_is_all_that_a_bucket_needs() {
    let production = Production::start(1, &[]).await;
    production.notify_of_objects().await;
    for (key, width) in KEYS.iter().zip(100..) {
        production.put_source(key, &pictures::png(width, 50)).await;
    }
    let client = production.client();
    for (key, width) in KEYS.iter().zip(100..) {
        let file = announced(&production, key, &pictures::png(width, 50), |_| true).await;
        let file = client.settled(file["id"].as_str().unwrap()).await;
        assert_eq!((&file["version"]["width"], &file["tenant"]), (&width.into(), &"acme".into()), "{key}");
        assert_eq!(states(&file).iter().filter(|(_, state)| state == "success").count(), 5, "{file}");
        assert_eq!(file["source"], format!("s3://{}/{key}", production.uploads_bucket()));
    }

    // The same key again is a new version of the same file.
    let before = production.file_at(KEYS[2]).await;
    let picture = pictures::png(300, 50);
    production.put_source(KEYS[2], &picture).await;
    let is_new = |file: &Value| file["version"]["id"] != before["version"]["id"];
    let after = announced(&production, KEYS[2], &picture, is_new).await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(client.settled(after["id"].as_str().unwrap()).await["version"]["width"], 300);

    // Deleted in the bucket, it is gone for everybody; put once more, it is back.
    let id = before["id"].as_str().unwrap();
    let shown = format!("/v1/files/{id}");
    deleted(&production, KEYS[2], async || client.get(&shown).await.status().as_u16() == 404).await;
    production.put_source(KEYS[2], &pictures::png(400, 50)).await;
    let back = announced(&production, KEYS[2], &pictures::png(400, 50), |_| true).await;
    assert_eq!(back["id"], id);
    assert_eq!(client.settled(id).await["version"]["width"], 400);
    let told = client.json(&format!("{shown}/explain")).await;
    let kinds: Vec<_> =
        told["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"source_removed") && kinds.contains(&"restored"), "{kinds:?}");

    // Once the bucket keeps versions, the store names them, and a delete marker hides the file.
    production.keep_versions().await;
    let first = production.put_version(KEYS[0], &pictures::png(500, 50)).await;
    let is_version = |file: &Value| !file["version"]["object_version"].is_null();
    let versioned = announced(&production, KEYS[0], &pictures::png(500, 50), is_version).await;
    let id = versioned["id"].as_str().unwrap();
    assert_eq!(client.settled(id).await["version"]["width"], 500);
    production.delete_version(KEYS[0], &first).await;
    let shown = format!("/v1/files/{id}");
    deleted(&production, KEYS[0], async || client.get(&shown).await.status().as_u16() == 404).await;
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn in_a_bucket_with_versions_each_shows_its_own_bytes() {
    let production = Production::start(1, &[]).await;
    let client = production.client();
    production.keep_versions().await;
    let first = production.put_version("a.png", &pictures::png(100, 50)).await;
    let second = production.put_version("a.png", &pictures::png(200, 50)).await;
    production.delete_source("a.png").await;
    // Told in the wrong order, and when the object itself cannot be seen any more. Ceph writes the time 0x6B02AD00 and the
    // second before it like this.
    let told = async |name: &str, version: &str, sequencer: &str| {
        let object = json!({ "key": "a.png", "versionId": version, "sequencer": sequencer });
        let s3 = json!({ "bucket": { "name": production.uploads_bucket() }, "object": object });
        let record = json!({ "eventSource": "ceph:s3", "eventName": name, "s3": s3 });
        production.publish(&json!({ "Records": [record] }).to_string()).await;
    };
    told("ObjectCreated:Put", &second, "00AD026B00000000").await;
    let file = production.file_at("a.png").await;
    let shown = format!("/v1/files/{}", file["id"].as_str().unwrap());
    told("ObjectCreated:Put", &first, "FFAC026B00000000").await;
    let older = eventually("the older version is registered", || async {
        let versions = client.json(&format!("{}/versions", shown.replace("v1", "2.0"))).await;
        versions["entries"].as_array().unwrap().iter().find(|one| one["id"] != file["version"]["id"]).cloned()
    })
    .await;
    let widths = async || {
        let mut widths = Vec::new();
        for version in [&older["id"], &file["version"]["id"]] {
            let (id, version) = (file["id"].as_str().unwrap(), version.as_str().unwrap());
            let path = format!("/2.0/internal_files/{id}/versions/{version}/representations/jpg_320x320/content/");
            let content = eventually("the version has its representation", || async {
                let answer = client.get(&path).await;
                if answer.status().as_u16() == 200 { Some(answer.bytes().await.unwrap()) } else { None }
            });
            widths.push(pictures::decoded(&content.await).width());
        }
        widths
    };
    assert_eq!(widths().await, [100, 200]);
    let is_shown = async |version: &str| {
        eventually("that version is shown", || async {
            (client.json(&shown).await["version"]["object_version"] == version).then_some(())
        })
        .await;
    };
    is_shown(&second).await;

    // A version that is gone before anybody read it says so; once it is announced that it is gone, the one before is shown.
    let third = production.put_version("a.png", &pictures::png(300, 50)).await;
    production.delete_version("a.png", &third).await;
    told("ObjectCreated:Put", &third, "01AD026B00000000").await;
    let reason = eventually("the version is missed", || async {
        let thumb = client.json(&shown).await["representations"][0].clone();
        (thumb["code"] == "source_missing").then(|| thumb["reason"].as_str().unwrap().to_owned())
    })
    .await;
    assert!(reason.contains(&format!("a.png?versionId={third} is not there")), "{reason}");
    told("ObjectRemoved:Delete", &third, "02AD026B00000000").await;
    is_shown(&second).await;
    // Neither what was put before there were versions nor an old version is the file.
    told("ObjectRemoved:Delete", "null", "03AD026B00000000").await;
    told("ObjectRemoved:Delete", &first, "04AD026B00000000").await;
    eventually("the old version is in the trash", || async {
        let versions = client.json(&format!("{}/versions", shown.replace("v1", "2.0"))).await;
        let old = versions["entries"].as_array().unwrap().iter().find(|one| one["id"] == older["id"]).cloned();
        old.is_none_or(|old| !old["trashed_at"].is_null()).then_some(())
    })
    .await;
    is_shown(&second).await;
    told("ObjectRemoved:DeleteMarkerCreated", "", "05AD026B00000000").await;
    eventually("the file is gone", || async { (client.get(&shown).await.status().as_u16() == 404).then_some(()) })
        .await;

    // What was never told is found with its version.
    let never_told = production.put_version("b.png", &pictures::png(100, 50)).await;
    let backfill = format!("backfill --json s3://{}/b", production.uploads_bucket());
    assert!(production.command(&backfill).output().unwrap().status.success());
    production.put_version("b.png", &pictures::png(200, 50)).await;
    let found = production.file_at("b.png").await;
    assert_eq!(found["version"]["object_version"], never_told);
    let found = client.settled(found["id"].as_str().unwrap()).await;
    assert_eq!(found["version"]["width"], 100, "what was put over it is another version");
    production.finish().await;
}

/// The file of an object that was put, once it is as wanted. A topic that is not persistent may lose a notification, and
/// the store tells nobody: then the object is put again.
async fn announced(production: &Production, key: &str, picture: &[u8], is_wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..6 {
        let shown = eventually("the object is shown", || async {
            Some(production.file_at(key).await).filter(|file| is_wanted(file))
        });
        if let Ok(file) = tokio::time::timeout(Duration::from_secs(10), shown).await {
            return file;
        }
        production.put_source(key, picture).await;
    }
    panic!("{key} was put six times in vain");
}

/// Deletes an object until somebody has noticed: the notification of a deletion may get lost just as well, and an object
/// that is not there any more is deleted, and announced, once more.
async fn deleted(production: &Production, key: &str, has_noticed: impl AsyncFn() -> bool) {
    for _ in 0..6 {
        production.delete_source(key).await;
        let noticed = eventually("the deletion is noticed", || async { has_noticed().await.then_some(()) });
        if tokio::time::timeout(Duration::from_secs(10), noticed).await.is_ok() {
            return;
        }
    }
    panic!("{key} was deleted six times in vain");
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn what_was_never_announced_is_found_by_looking() {
    let production = Production::start(1, &[("THUMBLINE__WORKER__SCAN_SECONDS", "1")]).await;
    for key in KEYS {
        production.put_source(key, &pictures::png(100, 50)).await;
    }
    let client = production.client();
    for key in KEYS {
        let file = production.file_at(key).await;
        assert_eq!(client.settled(file["id"].as_str().unwrap()).await["version"]["width"], 100, "{key}");
    }
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn a_backfill_registers_what_is_there_once() {
    let production = Production::start(1, &[]).await;
    for key in KEYS {
        production.put_source(key, &pictures::png(100, 50)).await;
    }
    let registered = |place: &str| {
        let place = format!("backfill --json s3://{}{place}", production.uploads_bucket());
        let output = production.command(&place).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let first = output.stdout.split(|byte| *byte == b'\n').next().unwrap().to_owned();
        let page: Value = serde_json::from_slice(&first).unwrap();
        (page["listed"].as_u64().unwrap(), page["registered"].as_u64().unwrap())
    };
    assert_eq!(registered("/deep/"), (1, 1));
    assert_eq!(registered(""), (5, 4));
    assert_eq!(registered(""), (5, 0));
    let client = production.client();
    for key in KEYS {
        client.settled(production.file_at(key).await["id"].as_str().unwrap()).await;
    }
    production.finish().await;
}
