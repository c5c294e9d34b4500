//! A PostgreSQL of our own: killed, crashed and restarted on its data.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use tokio::sync::Mutex;

use super::{READY, Server, log_to};
use crate::guard::{End, Guard};

const MISSING: &str = "PostgreSQL is not installed: install Debian's package postgresql, or name a server in \
                       THUMBLINE_TEST_DATABASE_URL";

/// The server and how to start it again.
pub(crate) struct Postgres {
    port: u16,
    home: PathBuf,
    programs: PathBuf,
    server: Mutex<Server>,
}

/// The directory of the newest installed version; Debian keeps it out of the PATH.
fn programs() -> anyhow::Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    found.retain(|path| path.join("initdb").exists());
    found.sort();
    found.pop().context(MISSING)
}

/// PostgreSQL refuses to run as root; then it is run as its package's own user.
fn as_its_user(program: &Path) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("LC_ALL", "C.UTF-8").current_dir("/");
    command
}

impl Postgres {
    pub(crate) async fn start(guard: &Guard) -> anyhow::Result<Self> {
        let programs = programs()?;
        let home = guard.subdirectory("postgres")?;
        if rustix::process::geteuid().is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&home).status()?;
            anyhow::ensure!(owned.success(), "there is no user postgres: {MISSING}");
        }
        let made = as_its_user(&programs.join("initdb"))
            .args(["-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(home.join("data"))
            .output()
            .context("initdb cannot be started")?;
        anyhow::ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let port = crate::ports::free();
        let server = Mutex::new(run(guard, &programs, &home, port)?);
        let postgres = Self { port, home, programs, server };
        postgres.ready().await?;
        Ok(postgres)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://test@127.0.0.1:{}/postgres", self.port)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// `kill -9`, and started again on its data.
    pub(crate) async fn kill(&self, guard: &Arc<Guard>) -> anyhow::Result<()> {
        let mut server = self.server.lock().await;
        server.kill(guard)?;
        *server = self.again(guard).await?;
        drop(server);
        self.ready().await
    }

    /// Asked to end at once (SIGQUIT leaves recovery to the next start), and started again.
    pub(crate) async fn restart(&self, guard: &Arc<Guard>) -> anyhow::Result<()> {
        let mut server = self.server.lock().await;
        server.signal(Signal::INT);
        server.gone(guard, Duration::from_secs(20)).await?;
        *server = self.again(guard).await?;
        drop(server);
        self.ready().await
    }

    /// `kill -9` of one of its own processes: the server recovers by itself.
    pub(crate) async fn crash(&self, which: u32) -> anyhow::Result<()> {
        let server = self.server.lock().await;
        let Some(pid) = server.pid() else { return Ok(()) };
        let children = crate::system::children_of(pid);
        if let Some(victim) = children.get(which as usize % children.len().max(1)) {
            let _ = rustix::process::kill_process(*victim, Signal::KILL);
        }
        drop(server);
        self.ready().await
    }

    /// Its former processes notice the death of their parent one by one, and hold the shared memory until then.
    async fn again(&self, guard: &Guard) -> anyhow::Result<Server> {
        let deadline = tokio::time::Instant::now() + READY;
        loop {
            let server = run(guard, &self.programs, &self.home, self.port)?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            match server.has_ended()? {
                None => return Ok(server),
                Some(_) => server.kill(guard)?,
            }
            if tokio::time::Instant::now() > deadline {
                bail!("PostgreSQL does not start again: {}", self.said());
            }
        }
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + READY;
        let ready = self.programs.join("pg_isready");
        loop {
            let (host, port) = (self.address().ip().to_string(), self.port.to_string());
            let asked = tokio::process::Command::new(&ready).args(["-q", "-h", &host, "-p", &port]).status().await?;
            if asked.success() {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                bail!("PostgreSQL does not answer: {}", self.said());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn said(&self) -> String {
        let log = std::fs::read_to_string(self.home.with_extension("log")).unwrap_or_default();
        log.lines().rev().take(5).collect::<Vec<_>>().join("; ")
    }
}

/// Processes die here, the machine does not: what was written to the kernel is safe, and syncing it buys nothing.
fn run(guard: &Guard, programs: &Path, home: &Path, port: u16) -> anyhow::Result<Server> {
    let mut command = as_its_user(&programs.join("postgres"));
    command.arg("-D").arg(home.join("data")).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "shared_buffers=64MB",
        "max_connections=300",
    ] {
        command.args(["-c", setting]);
    }
    log_to(&mut command, &home.with_extension("log"))?;
    Server::start(guard, command, End::Quit)
}
