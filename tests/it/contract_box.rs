//! Box's own clients, unmodified, against a server in both shapes.

use crate::harness::contract::{Contract, Script};
use crate::harness::process::{Process, thumbline};
use crate::harness::servers::{Production, TOKEN};

/// Few enough that a script can use them up, and enough for the others.
const REQUESTS_PER_MINUTE: &str = "1200";

const SCRIPTS: [Script; 5] = [
    Script { environment: "box/box-sdk-gen", path: "box/generated.py", steps: 16 },
    Script { environment: "box/boxsdk-10", path: "box/generated.py", steps: 16 },
    Script { environment: "box/boxsdk-3", path: "box/legacy.py", steps: 12 },
    Script { environment: "box/box-node-sdk-10", path: "box/generated.cjs", steps: 11 },
    Script { environment: "box/box-node-sdk-3", path: "box/legacy.cjs", steps: 10 },
];

#[tokio::test]
#[ignore = "needs the clients: run `make test`"]
async fn box_clients_work_with_one_process() {
    let data = tempfile::tempdir().unwrap();
    let mut command = thumbline(&["all", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    command
        .env("THUMBLINE__OPS__LISTEN", "")
        .env("THUMBLINE__AUTH__MODE", "token")
        .env("THUMBLINE__AUTH__TOKEN", TOKEN)
        .env("THUMBLINE__API__REQUESTS_PER_MINUTE", REQUESTS_PER_MINUTE);
    let process = Process::start(command);
    Contract::with(process.address("api"), TOKEN).run(&SCRIPTS).await;
    nothing_went_wrong(&process);
}

#[tokio::test]
#[ignore = "needs the clients, RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn box_clients_work_with_production() {
    // Where the blob store signs URLs, it delivers the bytes.
    let settings =
        [("THUMBLINE__API__REQUESTS_PER_MINUTE", REQUESTS_PER_MINUTE), ("THUMBLINE__API__DELIVERY", "redirect")];
    let production = Production::start(1, &settings).await;
    Contract::with(production.api.address("api"), TOKEN).run(&SCRIPTS).await;
    nothing_went_wrong(&production.api);
    production.finish().await;
}

/// No request failed on our side, and no secret is in the log.
fn nothing_went_wrong(process: &Process) {
    let log = process.log_lines();
    let failed: Vec<_> =
        log.iter().filter(|line| line.contains("a request failed") || line.contains("panicked")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(!log.iter().any(|line| line.contains(TOKEN)), "the token is in the log");
}
