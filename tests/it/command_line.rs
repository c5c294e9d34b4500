//! What the command line says when something is wrong, and which exit code scripts see.

use crate::harness::client::Client;
use crate::harness::eventually;
use crate::harness::process::{Process, thumbline};

#[test]
fn every_problem_of_the_configuration_is_told_at_once() {
    let output = thumbline(&["config"])
        .env("THUMBLINE__WORKER__CONCURRENCY", "many")
        .env("THUMBLINE__DATABASE__ULR", "postgres://me:hush@host/db")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("worker.concurrency") && said.contains("whole number"), "{said}");
    assert!(said.contains("database.ulr") && said.contains("did you mean url"), "{said}");
    assert!(!said.contains("hush"), "a misspelt key may hold a secret: {said}");
}

#[test]
fn the_effective_configuration_hides_secrets() {
    let output = thumbline(&["config"]).env("THUMBLINE__QUEUE__URL", "amqp://me:hush@host:5672/%2f").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(said.contains("amqp://me:********@host:5672/%2f"), "{said}");
    let json = thumbline(&["config", "--json"]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["queue"]["shards"], 4);
}

#[test]
fn combinations_that_cannot_work_are_refused_with_both_keys() {
    let output = thumbline(&["worker"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("queue.url") && said.contains("thumbline all"), "{said}");

    let open = thumbline(&["all", "--listen", "0.0.0.0:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&open.stderr);
    assert_eq!(open.status.code(), Some(2), "{said}");
    assert!(said.contains("auth.mode") && said.contains("api.listen"), "{said}");
}

#[test]
fn a_taken_port_is_a_clear_message() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let output = thumbline(&["all", "--listen", &address, "--data", data.path().to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("api.listen") && said.contains("another process listens there"), "{said}");
}

#[test]
fn health_and_doctor_say_when_nobody_answers() {
    let health = thumbline(&["health", "--url", "http://127.0.0.1:9/readyz"]).output().unwrap();
    assert_eq!(health.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&health.stderr).contains("nobody answers"));

    let data = tempfile::tempdir().unwrap();
    let doctor = thumbline(&["doctor", "--json", "--data", data.path().to_str().unwrap()])
        .env("THUMBLINE__DATABASE__URL", "postgres://nobody@127.0.0.1:9/none")
        .env("THUMBLINE__QUEUE__URL", "amqp://127.0.0.1:9/")
        .output()
        .unwrap();
    let lines: Vec<serde_json::Value> =
        String::from_utf8_lossy(&doctor.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(doctor.status.code(), Some(3), "{lines:?}");
    // --data sets the database, so what is away here is the broker.
    let queue = lines.iter().find(|line| line["check"] == "queue").unwrap();
    assert_eq!(queue["ok"], false);
    assert!(queue["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{queue}");
    assert!(lines.iter().any(|line| line["check"] == "render child" && line["ok"] == true), "{lines:?}");
}

#[tokio::test]
async fn a_server_that_is_down_at_start_is_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let with = |command: &str| {
        let mut command = thumbline(&[command, "--data", data.path().to_str().unwrap()]);
        command
            .env("THUMBLINE__QUEUE__URL", "amqp://127.0.0.1:9/")
            .env("THUMBLINE__API__LISTEN", "127.0.0.1:0")
            .env("THUMBLINE__OPS__LISTEN", "127.0.0.1:0");
        command
    };
    assert!(with("migrate").status().unwrap().success());
    let mut api = Process::start(with("api"));
    let ops = Client::new(api.address("ops"), None);
    eventually("the log says what is waited for", || async {
        api.log_lines().iter().any(|line| line.contains("waiting for the queue")).then_some(())
    })
    .await;
    assert_eq!(ops.get("/livez").await.status().as_u16(), 200, "no restart would help");
    assert_eq!(ops.get("/readyz").await.status().as_u16(), 503);
    assert!(api.terminate().success(), "it can be stopped while it waits");
}

#[test]
fn check_event_says_what_a_message_means() {
    let check = |file: &str, arguments: &[&str]| {
        let path = format!("{}/docs/events/samples/{file}", env!("CARGO_MANIFEST_DIR"));
        let output = thumbline(&[&["check-event", &path, "--json"], arguments].concat())
            .env("THUMBLINE__SOURCES", r#"[{bucket = "uploads", tenant = "acme", url = "file:/nowhere"}]"#)
            .output()
            .unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    let (code, told) = check("s3-minio.json", &[]);
    assert_eq!((code, &told["dialect"]), (Some(0), &"s3".into()));
    assert_eq!(told["meanings"][0]["file"], "s3://uploads/photos/Lisbon at night + 1.jpg");
    assert_eq!((&told["meanings"][0]["meaning"], &told["meanings"][0]["tenant"]), (&"register".into(), &"acme".into()));
    assert_eq!(check("deleted.json", &[]).1["meanings"][0]["meaning"], "delete");
    let (code, told) = check("bare-smallest.json", &["--header", "ce-type=com.example.sold"]);
    assert_eq!((code, &told["dialect"]), (Some(1), &"cloudevents_binary".into()));
    assert_eq!(told["meanings"][0]["code"], "missing_field");
}
