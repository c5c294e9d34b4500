//! Scripts that drive real clients: each runs in its environment below `target/clients` and prints a line for each step.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::pictures;

/// The longest that one script may take.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(240);

/// A script below `tests/contract` and the environment that it runs in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    /// A directory of `scripts/test-clients list`.
    pub(crate) environment: &'static str,
    /// `.py` runs with the environment's Python, `.cjs` with Node and the environment's modules.
    pub(crate) path: &'static str,
    /// How many steps it has: a script that ends early has failed.
    pub(crate) steps: usize,
}

/// What one step of a script saw.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Step {
    pub(crate) step: String,
    pub(crate) ok: bool,
    pub(crate) seen: Option<String>,
}

/// The server that scripts talk to, and pictures for them.
pub(crate) struct Contract {
    server: SocketAddr,
    token: String,
    data: tempfile::TempDir,
}

impl Contract {
    pub(crate) fn with(server: SocketAddr, token: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("photo.jpg", pictures::jpeg(1200, 800)),
            ("other.png", pictures::png(300, 500)),
            ("broken.jpg", pictures::jpeg(400, 400)[..600].to_vec()),
        ] {
            std::fs::write(data.path().join(name), content).unwrap();
        }
        Self { server, token: token.to_owned(), data }
    }

    /// Runs scripts at the same time and fails with every step that did not see what it should.
    pub(crate) async fn run(&self, scripts: &[Script]) {
        let ended = futures_util::future::join_all(scripts.iter().map(|script| self.steps(script))).await;
        let mut failed = Vec::new();
        for (script, (steps, said)) in scripts.iter().zip(ended) {
            let name = format!("{} in {}", script.path, script.environment);
            if steps.len() != script.steps {
                failed.push(format!("{name}: {} of {} steps\n{said}", steps.len(), script.steps));
            }
            for step in steps.iter().filter(|step| !step.ok) {
                failed.push(format!("{name}: {}: {}", step.step, step.seen.as_deref().unwrap_or("")));
            }
        }
        assert!(failed.is_empty(), "{} steps failed:\n{}", failed.len(), failed.join("\n"));
    }

    /// The steps of one script, and what it said besides.
    async fn steps(&self, script: &Script) -> (Vec<Step>, String) {
        let mut command = interpreter(script);
        let name = format!("{}-{}", script.environment.replace('/', "-"), script.path.replace(['/', '.'], "-"));
        command
            .arg(contract().join(script.path))
            .env("THUMBLINE_URL", format!("http://{}", self.server))
            .env("THUMBLINE_TOKEN", &self.token)
            .env("THUMBLINE_DATA", self.data.path())
            .env("THUMBLINE_NAME", name)
            .env("NO_PROXY", "*")
            .env("no_proxy", "*")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(SCRIPT_TIMEOUT, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{script:?} did not end within {SCRIPT_TIMEOUT:?}")).unwrap();
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let steps = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (steps, String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn interpreter(script: &Script) -> Command {
    let environment = clients().join(script.environment);
    assert!(environment.is_dir(), "{} is not installed: run scripts/test-clients", environment.display());
    if script.path.ends_with(".py") {
        let mut command = Command::new(environment.join("venv/bin/python"));
        command.env("PYTHONPATH", contract()).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    } else {
        let modules = environment.join("node_modules");
        let mut command = Command::new("node");
        command.env("NODE_PATH", format!("{}:{}", modules.display(), contract().display()));
        command
    }
}

fn contract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract")
}

/// Beside the executable under test, where `scripts/test-clients` puts them.
pub(crate) fn clients() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_thumbline")).ancestors().nth(2).unwrap();
    std::env::var_os("THUMBLINE_TEST_CLIENTS").map_or_else(|| target.join("clients"), PathBuf::from)
}
