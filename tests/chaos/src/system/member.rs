//! One process under test: killed, frozen, and started again with the same command.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::sync::Mutex;

use super::{Executable, children_of};
use crate::guard::{End, Guard};
use crate::servers::{Server, log_to};

/// A process that was asked to end is killed after this: its own patience and a little more.
const ENDING: Duration = Duration::from_secs(30);

/// A process, and how to start it again.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Where its API listens, if it has one.
    pub(crate) address: Option<SocketAddr>,
    executable: Executable,
    arguments: Vec<String>,
    settings: Vec<(String, String)>,
    log: PathBuf,
    server: Mutex<Option<Server>>,
    /// One fault at a time.
    hurting: Mutex<()>,
}

impl Member {
    pub(crate) fn new(
        guard: &Guard,
        name: &str,
        executable: &Executable,
        arguments: &[&str],
        settings: &[(String, String)],
        address: Option<SocketAddr>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            address,
            executable: executable.clone(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            settings: settings.to_vec(),
            log: guard.directory().join(format!("{name}.log")),
            server: Mutex::new(None),
            hurting: Mutex::new(()),
        })
    }

    /// Nobody else hurts this process until the answer is dropped.
    pub(crate) async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.hurting.lock().await
    }

    /// Starts it; `more` is environment for this time only.
    pub(crate) async fn start(&self, guard: &Guard, more: &[(&str, String)]) -> anyhow::Result<()> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command: Command = self.executable.command(&arguments);
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command.envs(more.iter().map(|(key, value)| (key, value)));
        log_to(&mut command, &self.log)?;
        *self.server.lock().await = Some(Server::start(guard, command, End::Kill)?);
        Ok(())
    }

    pub(crate) async fn pid(&self) -> Option<Pid> {
        self.server.lock().await.as_ref()?.pid()
    }

    /// Its render children.
    pub(crate) async fn children(&self) -> Vec<Pid> {
        self.pid().await.map(children_of).unwrap_or_default()
    }

    pub(crate) async fn signal(&self, signal: Signal) {
        if let Some(server) = &*self.server.lock().await {
            server.signal(signal);
        }
    }

    /// `kill -9`.
    pub(crate) async fn kill(&self, guard: &Guard) -> anyhow::Result<()> {
        match self.server.lock().await.take() {
            Some(server) => server.kill(guard),
            None => Ok(()),
        }
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) async fn terminate(&self, guard: &Guard) -> anyhow::Result<()> {
        let Some(server) = self.server.lock().await.take() else { return Ok(()) };
        server.signal(Signal::TERM);
        if !server.gone(guard, ENDING).await? {
            eprintln!("chaos: {} did not end within {} s of SIGTERM", self.name, ENDING.as_secs());
        }
        Ok(())
    }

    /// How it ended, when nobody here ended it.
    pub(crate) async fn ended_by_itself(&self) -> anyhow::Result<Option<String>> {
        let server = self.server.lock().await;
        let Some(server) = &*server else { return Ok(None) };
        Ok(server.has_ended()?.map(|status| format!("{} ended by itself: {status}; {}", self.name, self.last_words())))
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }
}
