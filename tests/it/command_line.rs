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

/// As the operator of a first installation would: a token for a program, a login for a person, and both taken back.
#[tokio::test]
async fn tokens_and_logins_are_made_by_hand_and_taken_back() {
    let data = tempfile::tempdir().unwrap();
    let settings = [("THUMBLINE__AUTH__MODE", "token"), ("THUMBLINE__AUTH__TOKEN", "0123456789abcdef0123456789abcdef")];
    let command = |arguments: &[&str]| {
        let mut command = thumbline(arguments);
        command.current_dir(data.path()).envs(settings);
        command
    };
    let said = |arguments: &[&str], code| {
        let output = command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(if code == 0 { output.stdout } else { output.stderr }).unwrap().trim().to_owned()
    };
    let process = Process::start(command(&["all", "--listen", "127.0.0.1:0"]));
    let address = process.address("api");
    let myself = async |user: &str, secret: &str| {
        let url = format!("http://{address}/rest/api/3/myself");
        let request = reqwest::Client::new().get(url);
        let request =
            if user.is_empty() { request.bearer_auth(secret) } else { request.basic_auth(user, Some(secret)) };
        request.send().await.unwrap().status().as_u16()
    };

    let token =
        said(&["token", "create", "--user", "ada", "--email", "Ada@Example.org", "--scope", "read:jira-work"], 0);
    assert_eq!((myself("", &token).await, myself("ADA@example.org", &token).await), (200, 200));
    assert_eq!((myself("eve@example.org", &token).await, myself("", &format!("{token}0")).await), (401, 401));
    let list = said(&["token", "list", "--json"], 0);
    let listed: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&listed["user"], &listed["standing"]), (&"ada".into(), &"live".into()));
    let secret = token.rsplit('_').next().unwrap();
    assert!(!list.contains(secret), "a secret is shown once");

    let password = data.path().join("password.txt");
    std::fs::write(&password, "a long enough password\n").unwrap();
    let put = command(&["user", "put", "Bob@example.org", "--user", "bob"])
        .stdin(std::fs::File::open(&password).unwrap())
        .status()
        .unwrap();
    assert!(put.success());
    assert_eq!(myself("bob@example.org", "a long enough password").await, 200);
    assert_eq!(myself("bob@example.org", "a long enough passwore").await, 401);
    assert!(said(&["user", "put", "carol@example.org", "--user", "carol"], 2).contains("a password has"));

    assert!(said(&["token", "revoke", listed["prefix"].as_str().unwrap()], 0).ends_with("is revoked"));
    said(&["user", "remove", "bob@example.org"], 0);
    eventually("the token and the login are refused", || async {
        let refused = (myself("", &token).await, myself("bob@example.org", "a long enough password").await);
        (refused == (401, 401)).then_some(())
    })
    .await;
    assert!(said(&["token", "revoke", "0000000000000000"], 1).contains("token list"));
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
