//! Jira's own clients, unmodified, against the all-in-one and against production's shape: contract section 9.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::pictures;
use crate::harness::process::{Process, thumbline};
use crate::harness::servers::{Production, TOKEN};

/// Each client's directory below `tests/contract/jira`, with the script that drives it.
const CLIENTS: [(&str, &str); 4] = [
    ("pycontribs", "drive.py"),
    ("atlassian-python-api", "drive.py"),
    ("jira.js-6", "drive.mjs"),
    ("jira.js-4", "drive.mjs"),
];

/// Where `scripts/test-clients` puts the clients.
fn installed() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    std::env::var_os("THUMBLINE_TEST_CLIENTS").map_or_else(|| target.join("clients"), PathBuf::from)
}

/// A port that was free a moment ago: the public URL has to be known before the API listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs every client's script; what they check is in there. Links lead to another host name of the server, so that no
/// client takes its credentials along.
async fn all_are_content(port: u16, guarded: bool) {
    let directory = tempfile::tempdir().unwrap();
    let picture = directory.path().join("picture.jpg");
    std::fs::write(&picture, pictures::jpeg(1600, 800)).unwrap();
    let runs = CLIENTS.map(|(client, script)| {
        let picture = picture.clone();
        tokio::task::spawn_blocking(move || (client, drive(client, script, port, &picture, guarded)))
    });
    let mut failed = Vec::new();
    for run in runs {
        let (client, output) = run.await.unwrap();
        if !output.status.success() {
            failed.push(format!("{client}:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn drive(client: &str, script: &str, port: u16, picture: &Path, guarded: bool) -> std::process::Output {
    let environment = installed().join("jira").join(client);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/jira").join(client).join(script);
    let (program, script) = if script.ends_with(".py") {
        (environment.join("venv/bin/python"), source)
    } else {
        // Node looks for modules beside the script.
        let beside = environment.join(script);
        std::fs::copy(&source, &beside).expect("run scripts/test-clients first");
        ("node".into(), beside)
    };
    Command::new(&program)
        .arg(script)
        .env("THUMBLINE_URL", format!("http://127.0.0.1:{port}"))
        .env("THUMBLINE_TOKEN", TOKEN)
        .env("THUMBLINE_GUARDED", if guarded { "yes" } else { "no" })
        .env("THUMBLINE_PICTURE", picture)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("run scripts/test-clients first: {}: {error}", program.display()))
}

#[tokio::test]
#[ignore = "needs the clients of scripts/test-clients: run `make test`"]
async fn jiras_clients_are_content_with_one_process() {
    let data = tempfile::tempdir().unwrap();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = thumbline(&["all", "--listen", &listen, "--data", data.path().to_str().unwrap()]);
    command.env("THUMBLINE__OPS__LISTEN", "").env("THUMBLINE__API__PUBLIC_URL", format!("http://localhost:{port}"));
    let process = Process::start(command);
    process.address("api");
    all_are_content(port, false).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL, RabbitMQ, S3 and the clients of scripts/test-clients: run `make test`"]
async fn jiras_clients_are_content_with_production() {
    let port = free_port();
    let (listen, public_url) = (format!("127.0.0.1:{port}"), format!("http://localhost:{port}"));
    let settings = [
        ("THUMBLINE__API__LISTEN", listen.as_str()),
        ("THUMBLINE__API__PUBLIC_URL", public_url.as_str()),
        ("THUMBLINE__API__SIGNING_KEY", "the same for every process of the story"),
    ];
    let production = Production::start(1, &settings).await;
    production.api.address("api");
    all_are_content(port, true).await;
    production.finish().await;
}
