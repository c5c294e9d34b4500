//! The examples for producers, run as they stand in the documentation, and `thumbline publish`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::client::states;
use crate::harness::pictures;
use crate::harness::servers::Production;

#[expect(unreachable_pub, reason = "the example stands as producers copy it")]
#[path = "../../docs/producers/publish.rs"]
mod rust_example;

/// Where `scripts/test-clients` has put what the examples import.
fn clients() -> PathBuf {
    let beside_the_build = || Path::new(env!("CARGO_BIN_EXE_thumbline")).ancestors().nth(2).unwrap().join("clients");
    let clients = std::env::var_os("THUMBLINE_TEST_CLIENTS").map_or_else(beside_the_build, PathBuf::from);
    clients.join("producers")
}

fn example(name: &str) -> String {
    format!("{}/docs/producers/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/test-clients"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn the_examples_of_the_documentation_announce_uploads() {
    let production = Production::start(1, &[]).await;
    let keys = ["from python.png", "from+node.png", "from%rust.png", "by hand.png", "as a store.png"];
    for key in keys {
        production.put_source(key, &pictures::png(120, 60)).await;
    }
    production.until_events_are_taken().await;
    let (url, exchange, bucket) = (production.amqp_url(), production.exchange(), production.uploads_bucket());
    let arguments = |key: &str| [url.to_owned(), exchange.clone(), bucket.clone(), key.to_owned()];
    let python = clients().join("venv/bin/python");
    succeeds(Command::new(python).arg(example("publish.py")).args(arguments(keys[0])));
    succeeds(Command::new("node").current_dir(clients()).arg(example("publish.mjs")).args(arguments(keys[1])));
    rust_example::announce(url, &exchange, &bucket, keys[2]).await.unwrap();
    for (key, dialect) in [(keys[3], "cloudevents"), (keys[4], "s3")] {
        let mut command = production.command("publish");
        succeeds(command.arg(format!("s3://{bucket}/{key}")).args(["--dialect", dialect]));
    }
    let client = production.client();
    for key in keys {
        let file = client.settled(production.file_at(key).await["id"].as_str().unwrap()).await;
        assert!(states(&file).iter().all(|(_, state)| state == "success"), "{key}: {file}");
    }
    production.finish().await;
}
