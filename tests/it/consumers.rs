//! What others are told: on the exchange, by webhooks and as server-sent events, whatever dies or is away meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::pictures;
use crate::harness::servers::Production;

/// What everybody is told of one picture: five representations, and that it is complete.
const EVENTS_PER_PICTURE: usize = 6;

/// One of the receivers of the documentation, and the events that it has verified and printed.
struct Receiver {
    process: Child,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn start(example: &str, port: u16, secret: &str) -> Self {
        let clients = crate::harness::contract::clients().join("consumers");
        let script = format!("{}/docs/consumers/{example}", env!("CARGO_MANIFEST_DIR"));
        let program = if example.ends_with(".py") { clients.join("venv/bin/python") } else { "node".into() };
        let mut command = Command::new(program);
        command.arg(script).arg(port.to_string()).current_dir(&clients).env("WEBHOOK_SECRET", secret);
        let spawned = command.stdout(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/test-clients"));
        let (events, lines) = (Arc::default(), BufReader::new(process.stdout.take().unwrap()).lines());
        let told: Arc<Mutex<Vec<Value>>> = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                told.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { process, events }
    }

    fn ids(&self) -> BTreeSet<String> {
        self.events.lock().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port on which nobody listens for the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Makes a webhook of this host; its path below our API, and its secret.
async fn webhook(production: &Production, port: u16) -> (String, String) {
    let wanted = json!({ "url": format!("http://127.0.0.1:{port}/hook") }).to_string();
    let made = production.client().post("/v1/webhooks", "application/json", wanted.into_bytes()).await;
    assert_eq!(made.status().as_u16(), 201);
    let made: Value = made.json().await.unwrap();
    (format!("/v1/webhooks/{}", made["id"].as_str().unwrap()), made["secret"].as_str().unwrap().to_owned())
}

async fn rendered(production: &Production, key: &str) -> String {
    production.put_source(key, &pictures::png(120, 60)).await;
    production.publish_upload(key, "1").await;
    let id = production.file_of(key).await;
    let file = production.client().json(&format!("/v1/files/{id}?wait=60")).await;
    assert_eq!(file["eta_ms"], Value::Null, "it is settled after its wait: {file}");
    id
}

/// How often each topic was told of each file.
fn told(events: &[Value]) -> BTreeMap<(String, String), usize> {
    let mut told = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for event in events.iter().filter(|event| seen.insert(event["id"].to_string())) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        *told.entry((text(&event["data"]["file_id"]), text(&event["type"]))).or_default() += 1;
    }
    told
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn everybody_is_told_the_same_and_who_was_down_hears_it_later() {
    let waits = format!("[{}]", ["2"; 30].join(", "));
    let settings =
        [("THUMBLINE__WEBHOOKS__ALLOW_PRIVATE_TARGETS", "true"), ("THUMBLINE__WEBHOOKS__RETRY_SECONDS", &waits)];
    let production = Production::start(1, &settings).await;
    let client = production.client();
    let listener = production.listen().await;
    let ports = [free_port(), free_port()];
    let (python, node) = (webhook(&production, ports[0]).await, webhook(&production, ports[1]).await);
    let receiving_node = Receiver::start("receive.mjs", ports[1], &node.1);
    let mut stream = client.get("/v1/events").await;
    let id = rendered(&production, "photo.png").await;

    let published = listener.events(EVENTS_PER_PICTURE).await;
    let expected = [
        ((id.clone(), "thumbline.file_version.completed".to_owned()), 1),
        ((id.clone(), "thumbline.representation.success".to_owned()), 5),
    ];
    assert_eq!(told(&published).into_iter().collect::<Vec<_>>(), expected);
    let ids: BTreeSet<_> = published.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    let mut streamed = String::new();
    while !streamed.contains("event: file_version.completed") {
        streamed.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("the stream goes on")));
    }
    assert!(ids.iter().all(|id| streamed.contains(&format!("id: {id}\n"))), "{streamed}");
    eventually("the receiver in Node has verified all of them", || async {
        (receiving_node.ids() == ids).then_some(())
    })
    .await;

    // Nobody listens at the other one's port: it is seen to fail, and goes on once somebody does.
    let failing = eventually("the other webhook is seen to fail", || async {
        let shown = client.json(&python.0).await;
        (shown["consecutive_failures"].as_u64() > Some(1)).then_some(shown)
    })
    .await;
    assert!(failing["failing_since"].is_string() && failing["last_failure"].is_string(), "{failing}");
    // A receiver with another secret takes nothing.
    let stranger = Receiver::start("receive.py", ports[0], &node.1);
    eventually("the stranger is seen to refuse", || async {
        (client.json(&python.0).await["last_failure"] == "status 401").then_some(())
    })
    .await;
    assert!(stranger.ids().is_empty());
    drop(stranger);
    let receiving_python = Receiver::start("receive.py", ports[0], &python.1);
    eventually("the receiver in Python has verified all of them", || async {
        (receiving_python.ids() == ids).then_some(())
    })
    .await;
    let well = client.json(&python.0).await;
    assert_eq!((&well["consecutive_failures"], &well["enabled"]), (&0.into(), &true.into()), "{well}");
    let bodies = |receiver: &Receiver| {
        let mut events = receiver.events.lock().unwrap().clone();
        events.sort_by_key(|event| event["sequence"].to_string());
        events
    };
    assert_eq!(bodies(&receiving_python), bodies(&receiving_node), "both got the same bodies");

    // With another secret: receivers that know the old one or the new one verify what they get, until the old one ends.
    let rotate = async |path: &str, grace: u64| {
        let wanted = json!({ "grace_seconds": grace }).to_string().into_bytes();
        let rotated = client.post(&format!("{path}/rotate"), "application/json", wanted).await;
        rotated.json::<Value>().await.unwrap()["secret"].as_str().unwrap().to_owned()
    };
    let (for_python, for_node) = (rotate(&python.0, 3600).await, rotate(&node.0, 3600).await);
    drop(receiving_node);
    let receiving_node = Receiver::start("receive.mjs", ports[1], &for_node);
    rendered(&production, "rotated.png").await;
    eventually("both have verified it, one by the old secret and one by the new", || async {
        let verified = (receiving_python.ids().len(), receiving_node.ids().len());
        (verified == (2 * EVENTS_PER_PICTURE, EVENTS_PER_PICTURE)).then_some(())
    })
    .await;
    // In wrong hands, it ends at once.
    rotate(&python.0, 0).await;
    drop(receiving_python);
    for (secret, whose) in [(&python.1, "the first one's"), (&for_python, "the one's before")] {
        let receiver = Receiver::start("receive.py", ports[0], secret);
        eventually(&format!("a signature is not {whose}"), || async {
            let tested = client.post(&format!("{}/test", python.0), "application/json", Vec::new()).await;
            (tested.json::<Value>().await.unwrap()["status"] == 401).then_some(())
        })
        .await;
        drop(receiver);
    }
    production.finish().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn nothing_goes_untold_when_workers_are_killed_and_the_broker_refuses() {
    const PICTURES: usize = 8;
    let settings = [("THUMBLINE__WORKER__LEASE_SECONDS", "4"), ("THUMBLINE__WORKER__WAKE_PATIENCE_SECONDS", "3")];
    let mut production = Production::start(2, &settings).await;
    let listener = production.listen().await;
    let ids = {
        for number in 0..PICTURES {
            let key = format!("{number}.png");
            production.put_source(&key, &pictures::png(1200, 900)).await;
            production.publish_upload(&key, "1").await;
        }
        let mut ids = Vec::new();
        for number in 0..PICTURES {
            ids.push(production.file_of(&format!("{number}.png")).await);
        }
        ids
    };
    // Some are told, others are not, when both workers die.
    let mut events = listener.events(1).await;
    production.workers.iter_mut().for_each(crate::harness::process::Process::kill);
    production.workers.clear();
    production.start_worker();
    while !are_complete(&events, &ids) {
        events.extend(listener.events(1).await);
    }

    // The broker takes nothing for a while; work goes on, and what is to be told waits.
    let clog = listener.clog().await;
    let late = rendered(&production, "late.png").await;
    eventually("what is to be told waits", || async {
        let waiting = Production::ops(&production.workers[0]).metric("thumbline_announcements_waiting").await;
        (waiting >= 1.0).then_some(())
    })
    .await;
    listener.unclog(clog).await;
    let (mut events, late) = (Vec::new(), [late]);
    while !are_complete(&events, &late) {
        events.extend(listener.events(1).await);
    }
    production.finish().await;
}

/// Whether all that happens to these pictures was told, once or more often.
fn are_complete(events: &[Value], ids: &[String]) -> bool {
    let told = told(events);
    let of = |id: &String, topic: &str| told.get(&(id.clone(), format!("thumbline.{topic}"))).copied().unwrap_or(0);
    ids.iter().all(|id| of(id, "representation.success") == 5 && of(id, "file_version.completed") >= 1)
}
