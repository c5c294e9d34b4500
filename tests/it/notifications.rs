//! Bucket notifications: with nothing else configured, objects that any S3 client puts get their thumbnails.

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
        let file = production.file_at(key).await;
        let file = client.settled(file["id"].as_str().unwrap()).await;
        assert_eq!((&file["version"]["width"], &file["tenant"]), (&width.into(), &"acme".into()), "{key}");
        assert_eq!(states(&file).iter().filter(|(_, state)| state == "success").count(), 5, "{file}");
        assert_eq!(file["source"], format!("s3://{}/{key}", production.uploads_bucket()));
    }

    // The same key again is a new version of the same file.
    let before = production.file_at(KEYS[2]).await;
    production.put_source(KEYS[2], &pictures::png(300, 50)).await;
    let after: Value = eventually("the new version is shown", || async {
        let file = production.file_at(KEYS[2]).await;
        (file["version"]["id"] != before["version"]["id"]).then_some(file)
    })
    .await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(client.settled(after["id"].as_str().unwrap()).await["version"]["width"], 300);
    production.finish().await;
}
