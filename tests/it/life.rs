//! The life of files on production's shape: equal content, deletion, what stays and what goes.

use aws_sdk_s3::primitives::ByteStream;
use serde_json::Value;

use crate::harness::client::{representation, states};
use crate::harness::eventually;
use crate::harness::pictures;
use crate::harness::servers::Production;

/// Renders of all workers so far.
async fn renders(production: &Production) -> f64 {
    let mut total = 0.0;
    for worker in &production.workers {
        let ops = Production::ops(worker);
        total += ops.metric("thumbline_stage_duration_seconds_count{stage=\"render\"}").await;
    }
    total
}

/// What a command with `--json` has told.
fn told(production: &Production, arguments: &str) -> Value {
    let output = production.command(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn equal_content_is_rendered_once_and_stays_until_nobody_has_it() {
    let production = Production::start(2, &[]).await;
    let client = production.client();
    let picture = pictures::png(1600, 1200);
    // Two from the bucket and one through the API, all at once, for two workers.
    for key in ["one.png", "two.png"] {
        production.put_source(key, &picture).await;
    }
    let (uploaded, ..) = tokio::join!(
        client.uploaded("three.png", &picture),
        production.publish_upload("one.png", "1"),
        production.publish_upload("two.png", "1"),
    );
    let ids = [production.file_of("one.png").await, production.file_of("two.png").await, uploaded];
    let mut files = Vec::new();
    for id in &ids {
        let file = client.settled(id).await;
        assert_eq!(states(&file).iter().filter(|(_, state)| state == "success").count(), 5, "{file}");
        files.push(file);
    }
    // The API's tenant is another one than the bucket's: it renders for itself.
    assert_eq!((&files[0]["tenant"], &files[1]["tenant"]), (&"acme".into(), &"acme".into()));
    assert_ne!(files[2]["tenant"], files[0]["tenant"]);
    assert!((renders(&production).await - 2.0).abs() < 0.1, "one for each tenant: {}", renders(&production).await);

    // An orphan as a worker leaves it that dies between put and settle, and an object that is none of ours.
    let own = files[0]["representations"][0]["sha256"].as_str().unwrap();
    let digest = "00".repeat(32);
    production.put_blob(&format!("representations/acme/00/{digest}.jpg"), b"orphan").await;
    production.put_blob("notes.txt", b"not a blob").await;
    let looked = told(&production, "gc --json");
    assert_eq!((&looked["foreign"], &looked["dry_run"]), (&1.into(), &true.into()), "{looked}");
    assert_eq!(looked["found"]["blobs"], 0, "it is too young: {looked}");

    // The first file goes for good: its twin keeps every blob. Then the twin goes, and they are collected.
    let before = production.blobs().await;
    assert!(before.iter().any(|key| key.contains(own)));
    for (id, is_last) in [(&ids[0], false), (&ids[1], true)] {
        for path in [format!("/2.0/files/{id}"), format!("/2.0/files/{id}/trash")] {
            assert_eq!(client.delete(&path).await.status().as_u16(), 204, "{path}");
        }
        assert_eq!(client.get(&format!("/v1/files/{id}")).await.status().as_u16(), 404);
        production.execute("UPDATE condemned_blob SET since = 0, condemned_at = 1 WHERE taken_at IS NULL").await;
        let deleted = told(&production, "gc --apply --no-wait --json");
        assert_eq!(deleted["deleted"]["blobs"], if is_last { 5 } else { 0 }, "{deleted}");
        let now = production.blobs().await;
        assert_eq!(now.iter().any(|key| key.contains(own) && key.contains("/acme/")), !is_last, "{now:?}");
    }
    let after = production.blobs().await;
    assert_eq!(after.len(), before.len() - 5, "the orphan is young, what is not ours stays: {after:?}");
    // The file of the other tenant has its bytes.
    let entry = client.entry(&ids[2], "[jpg?dimensions=320x320]").await;
    assert!(!client.content(&entry, "").await.is_empty());
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn a_changed_preset_is_made_anew_while_the_old_bytes_are_served() {
    let mut production = Production::start(1, &[]).await;
    let client = production.client();
    let ids = [
        client.uploaded("one.png", &pictures::png(900, 700)).await,
        client.uploaded("two.png", &pictures::png(800, 700)).await,
    ];
    let small = async || {
        let entry = client.entry(&ids[0], "[jpg?dimensions=320x320]").await;
        client.content(&entry, "").await
    };
    for id in &ids {
        client.settled(id).await;
    }
    let old = small().await;
    assert_eq!(told(&production, "presets plan --json --sample 0")["stale"], Value::Array(Vec::new()));

    // No worker is there: what is begun waits, and the old bytes are served.
    assert!(production.workers[0].terminate().success());
    production.workers.clear();
    let preset = r#"[{"name":"jpg_320x320","format":"jpg","width":320,"height":320,"quality":10}]"#;
    production.configure("THUMBLINE__PRESETS", preset);
    let plan = told(&production, "presets plan --json");
    assert_eq!((&plan["stale"][0]["preset"], &plan["stale"][0]["representations"]), (&"jpg_320x320".into(), &2.into()));
    assert_eq!((&plan["estimate"]["sampled"], &plan["estimate"]["failed"]), (&2.into(), &0.into()), "{plan}");
    assert!(plan["estimate"]["cpu_hours"].as_f64().unwrap() > 0.0, "{plan}");
    let bytes = plan["estimate"]["bytes"].as_u64().unwrap();
    assert!(bytes > 0 && bytes < plan["stale"][0]["bytes"].as_u64().unwrap(), "a lower quality takes fewer: {plan}");
    let begun = told(&production, "presets apply --yes --no-wait --json");
    assert_eq!(begun["representations"], 2, "{begun}");
    assert_eq!(small().await, old);
    assert_eq!(told(&production, "presets apply --yes --no-wait --json")["representations"], 0);
    assert_eq!(told(&production, "presets plan --json --sample 0")["renewing"], 2);

    production.start_worker();
    eventually("the new bytes are there", || async { (small().await != old).then_some(()) }).await;
    let new = small().await;
    assert!(new.len() < old.len());
    eventually("nothing is stale", || async {
        let plan = told(&production, "presets plan --json --sample 0");
        (plan["renewing"] == 0 && plan["stale"] == Value::Array(Vec::new())).then_some(())
    })
    .await;
    for id in &ids {
        assert_eq!(representation(&client.settled(id).await, "jpg_320x320")["state"], "success");
    }

    // And back, without any rendering.
    let before = renders(&production).await;
    assert_eq!(told(&production, "presets rollback --yes --json")["representations"], 2);
    assert_eq!(small().await, old);
    assert!((renders(&production).await - before).abs() < 0.1);
    production.finish().await;
}

impl Production {
    /// Puts an object beside our blobs.
    async fn put_blob(&self, key: &str, bytes: &[u8]) {
        let request = self.s3_client().put_object().bucket(self.blobs_bucket()).key(format!("some/prefix/{key}"));
        request.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
    }

    /// Every object in the bucket of our blobs.
    pub(crate) async fn blobs(&self) -> Vec<String> {
        let listed = self.s3_client().list_objects_v2().bucket(self.blobs_bucket()).send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }
}
