//! Production's shape: separate processes over real RabbitMQ, PostgreSQL and S3.

use crate::harness::client::{representation, states};
use crate::harness::eventually;
use crate::harness::pictures::{self, RED, decoded, is_near};
use crate::harness::servers::{A_WHILE, Production};

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn an_event_becomes_thumbnails_of_the_object_that_it_names() {
    let production = Production::start(2, &[]).await;
    production.put_source("a photo+1.jpg", &pictures::jpeg(1200, 900)).await;
    production.publish_upload("a photo+1.jpg", "1").await;
    let id = production.file_of("a photo+1.jpg").await;
    let client = production.client();
    let file = client.settled(&id).await;
    assert_eq!(file["tenant"], "acme", "the bucket's tenant");
    assert_eq!((&file["version"]["width"], &file["version"]["format"]), (&1200.into(), &"jpeg".into()));
    let thumb = client.entry(&id, "[jpg?dimensions=94x94]").await;
    let picture = decoded(&client.content(&thumb, "").await);
    assert_eq!(picture.dimensions(), (94, 94));
    assert!(is_near(*picture.get_pixel(10, 47), RED));
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn cloud_events_and_uploads_through_the_api_take_the_same_way() {
    let production = Production::start(1, &[]).await;
    production.put_source("ce.png", &pictures::png(300, 300)).await;
    let event = serde_json::json!({
        "specversion": "1.0", "id": "1", "source": "/test", "type": "thumbline.file.uploaded",
        "datacontenttype": "application/json",
        "data": { "bucket": production.uploads_bucket(), "key": "ce.png", "version_id": "7" },
    });
    production.publish(&event.to_string()).await;
    let client = production.client();
    let uploaded = client.uploaded("through-the-api.png", &pictures::png(500, 250)).await;
    let announced = production.file_of("ce.png").await;
    for id in [&uploaded, &announced] {
        let file = client.settled(id).await;
        assert!(states(&file).iter().all(|(_, state)| state == "success"), "{file}");
    }
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn the_same_event_ten_times_is_one_file_with_one_version() {
    let production = Production::start(2, &[]).await;
    production.put_source("same.png", &pictures::png(200, 100)).await;
    for _ in 0..10 {
        production.publish_upload("same.png", "1").await;
    }
    let id = production.file_of("same.png").await;
    production.client().settled(&id).await;
    let worker_metrics = || async {
        let mut seen = 0.0;
        for worker in &production.workers {
            let ops = Production::ops(worker);
            seen += ops.metric(r#"thumbline_events_total{dialect="bare",outcome="duplicate"}"#).await;
        }
        (seen >= 9.0).then_some(seen)
    };
    eventually("nine events count as duplicates", worker_metrics).await;
    let files = production.client().json("/v1/files").await;
    assert_eq!(files["files"].as_array().unwrap().len(), 1, "{files}");
    assert_eq!(production.rows_by_state().await, [("success".to_owned(), 5)]);
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn what_nobody_can_read_is_parked_with_the_reason_and_stops_nothing() {
    let production = Production::start(1, &[]).await;
    production.publish("this is not JSON").await;
    let parked = production.parked("not_json").await;
    assert_eq!((&parked["body"], &parked["body_is_exact"]), (&"this is not JSON".into(), &true.into()));
    assert!(!parked["reason"].as_str().unwrap().is_empty());

    production.publish(r#"{"bucket": "somebody-elses", "key": "x.png"}"#).await;
    production.parked("unknown_bucket").await;
    let list = production.command("parked list --json").output().unwrap();
    let listed: Vec<serde_json::Value> =
        String::from_utf8(list.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        listed.iter().map(|row| row["code"].as_str().unwrap()).collect::<Vec<_>>(),
        ["unknown_bucket", "not_json"]
    );

    production.put_source("good.png", &pictures::png(64, 64)).await;
    production.publish_upload("good.png", "1").await;
    let id = production.file_of("good.png").await;
    production.client().settled(&id).await;
    let ops = Production::ops(&production.workers[0]);
    assert!(ops.metric(r#"thumbline_events_total{dialect="unknown",outcome="parked"}"#).await >= 1.0);

    // Replayed as it is, it is parked once more; dropped, it is gone.
    let client = production.client();
    let replay = format!("/v1/parked/{}/replay", listed[1]["id"]);
    assert_eq!(client.post(&replay, "application/json", Vec::new()).await.status().as_u16(), 202);
    // Its row is a new one, or the old one if it came back before that was removed.
    let first = listed[1]["id"].to_string();
    eventually("it was parked again", || async {
        let row = production.parked("not_json").await;
        (row["id"] != first.as_str() || row["times"] == 2).then_some(())
    })
    .await;
    assert!(production.command("parked drop --all").status().unwrap().success());
    assert_eq!(client.json("/v1/parked").await["total"], 0);
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn a_source_that_comes_late_is_waited_for_and_one_that_never_comes_ends_as_error() {
    let settings =
        [("THUMBLINE__RETRY__SOURCE_GRACE_SECONDS", "8"), ("THUMBLINE__RETRY__SCHEDULE_SECONDS", "[0.5, 1.0]")];
    let production = Production::start(1, &settings).await;
    production.publish_upload("late.png", "1").await;
    production.publish_upload("never.png", "1").await;
    let late = production.file_of("late.png").await;
    let client = production.client();
    let tried = || async {
        let file = client.json(&format!("/v1/files/{late}")).await;
        (representation(&file, "jpg_thumb_32x32")["attempts"].as_u64() >= Some(1)).then_some(())
    };
    eventually("the missing source is tried once", tried).await;
    production.put_source("late.png", &pictures::png(80, 80)).await;
    let file = client.settled(&late).await;
    assert!(states(&file).iter().all(|(_, state)| state == "success"), "{file}");

    let never = client.settled(&production.file_of("never.png").await).await;
    let row = representation(&never, "jpg_thumb_32x32");
    assert_eq!((&row["state"], &row["code"]), (&"error".into(), &"source_missing".into()), "{row}");
    assert!(row["attempts"].as_u64() > Some(1), "{row}");
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn workers_killed_in_the_middle_lose_nothing() {
    let settings = [("THUMBLINE__WORKER__LEASE_SECONDS", "4"), ("THUMBLINE__WORKER__WAKE_PATIENCE_SECONDS", "3")];
    let mut production = Production::start(2, &settings).await;
    let mut ids = Vec::new();
    for number in 0..12_u32 {
        let key = format!("{number}.png");
        production.put_source(&key, &pictures::png(2400 + number, 1800)).await;
        production.publish_upload(&key, "1").await;
    }
    for number in 0..12 {
        ids.push(production.file_of(&format!("{number}.png")).await);
    }
    // Both die while they render; one of the two that come after them is killed as well.
    production.workers.iter_mut().for_each(crate::harness::process::Process::kill);
    production.workers.clear();
    production.start_worker();
    tokio::time::sleep(A_WHILE).await;
    production.workers[0].kill();
    production.workers.clear();
    production.start_worker();
    let client = production.client();
    for id in &ids {
        let file = client.settled(id).await;
        assert!(states(&file).iter().all(|(_, state)| state == "success"), "{file}");
    }
    assert_eq!(production.rows_by_state().await, [("success".to_owned(), 60)]);
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn nobody_gets_in_without_the_token() {
    let production = Production::start(1, &[]).await;
    let stranger = crate::harness::client::Client::new(production.api.address("api"), None);
    let refused = stranger.get("/2.0/files/1").await;
    assert_eq!(refused.status().as_u16(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    assert_eq!(stranger.get("/v1/pipeline").await.status().as_u16(), 401);
    // A list shows what anybody may see: nothing here.
    let listed = stranger.get("/v1/files").await.text().await.unwrap();
    assert!(listed.contains("\"files\":[]") || listed.contains("\"entries\":[]"), "{listed}");
    assert_eq!(stranger.get("/livez").await.status().as_u16(), 200);
    production.finish().await;
}
