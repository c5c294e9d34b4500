//! Jira's own clients, unmodified, against a server in both shapes: contract section 9.

use std::net::TcpListener;

use crate::harness::contract::{Contract, Script};
use crate::harness::process::{Process, thumbline};
use crate::harness::servers::{Production, TOKEN};

const SCRIPTS: [Script; 4] = [
    Script { environment: "jira/pycontribs", path: "jira/pycontribs.py", steps: 8 },
    Script { environment: "jira/atlassian-python-api", path: "jira/atlassian_python_api.py", steps: 7 },
    Script { environment: "jira/jira.js-6", path: "jira/jira6.cjs", steps: 6 },
    Script { environment: "jira/jira.js-4", path: "jira/jira4.cjs", steps: 3 },
];

/// Where the API listens, and what its links begin with. They lead to another name of the same host, so that no client
/// takes its credentials along; the port was free a moment ago, as links have to know it before the API listens.
fn places() -> (String, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (format!("127.0.0.1:{port}"), format!("http://localhost:{port}"))
}

#[tokio::test]
#[ignore = "needs the clients: run `make test`"]
async fn jira_clients_work_with_one_process() {
    let data = tempfile::tempdir().unwrap();
    let (listen, public_url) = places();
    let mut command = thumbline(&["all", "--listen", &listen, "--data", data.path().to_str().unwrap()]);
    command
        .env("THUMBLINE__OPS__LISTEN", "")
        .env("THUMBLINE__AUTH__MODE", "token")
        .env("THUMBLINE__AUTH__TOKEN", TOKEN)
        .env("THUMBLINE__API__PUBLIC_URL", public_url);
    let process = Process::start(command);
    Contract::with(process.address("api"), TOKEN).run(&SCRIPTS).await;
}

#[tokio::test]
#[ignore = "needs the clients, RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn jira_clients_work_with_production() {
    let (listen, public_url) = places();
    let settings = [("THUMBLINE__API__LISTEN", listen.as_str()), ("THUMBLINE__API__PUBLIC_URL", public_url.as_str())];
    let production = Production::start(1, &settings).await;
    Contract::with(production.api.address("api"), TOKEN).run(&SCRIPTS).await;
    production.finish().await;
}
