//! Bucket notifications: with nothing else configured, objects that any S3 client puts get their thumbnails.

use std::time::Duration;

use serde_json::Value;

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
