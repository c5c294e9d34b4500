//! The Thumbline under test: its processes, how they are configured, and how they are started again.

mod member;
pub(crate) mod production;
pub(crate) mod single;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustix::process::Pid;

use crate::guard::Guard;
use crate::options::{Broken, Options};
use crate::servers::Servers;
use crate::servers::database::Database;

pub(crate) use member::Member;

/// Leases last so long: short, so that a run sees many of them run out.
pub(crate) const LEASE_SECONDS: &str = "4";
/// The operator's token.
pub(crate) const TOKEN: &str = "a-token-of-the-chaos-1234";

/// What both shapes are told, so that minutes of chaos are like days of operation. All of it is configuration that a
/// user could write.
const SETTINGS: &[(&str, &str)] = &[
    ("THUMBLINE__WORKER__LEASE_SECONDS", LEASE_SECONDS),
    ("THUMBLINE__WORKER__WAKE_PATIENCE_SECONDS", "5"),
    ("THUMBLINE__WORKER__CONCURRENCY", "2"),
    ("THUMBLINE__WORKER__DRAIN_SECONDS", "10"),
    ("THUMBLINE__RETRY__SCHEDULE_SECONDS", "[0.5, 1.0, 2.0, 5.0]"),
    // Children are killed by us, and no source is to blame for it.
    ("THUMBLINE__RETRY__CRASHES_MAX", "50"),
    ("THUMBLINE__BLOBS__TIMEOUT_SECONDS", "5"),
    ("THUMBLINE__QUEUE__CONFIRM_TIMEOUT_SECONDS", "5"),
    ("THUMBLINE__API__REQUESTS_PER_MINUTE", "0"),
    ("THUMBLINE__API__UPLOADS_PER_MINUTE", "0"),
    ("THUMBLINE__LOG__FORMAT", "json"),
    ("THUMBLINE__LOG__FILTER", "info"),
];

/// The executable under test, copied so that no build changes it during a run.
#[derive(Debug, Clone)]
pub(crate) struct Executable {
    path: PathBuf,
    /// Whether it was built with `--features test-hooks`.
    pub(crate) has_hooks: bool,
}

impl Executable {
    /// Finds it beside this program unless it is named.
    pub(crate) fn find(named: Option<&Path>) -> anyhow::Result<PathBuf> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()?.with_file_name("thumbline"),
        };
        if !path.is_file() {
            bail!("there is no {}: build it first (`cargo build`), or name it with --thumbline", path.display());
        }
        Ok(path)
    }

    /// Copies it into the run's directory.
    pub(crate) fn take(found: &Path, guard: &Guard) -> anyhow::Result<Self> {
        let path = guard.directory().join("thumbline");
        std::fs::copy(found, &path).with_context(|| format!("{} cannot be copied", found.display()))?;
        let has_hooks = Self::has_hooks(&path)?;
        Ok(Self { path, has_hooks })
    }

    /// Whether it was built with `--features test-hooks`: it says so itself.
    pub(crate) fn has_hooks(path: &Path) -> anyhow::Result<bool> {
        let version = Command::new(path).arg("--version").output().context("the executable does not start")?;
        Ok(String::from_utf8_lossy(&version.stdout).contains("test-hooks"))
    }

    /// A command line with nothing inherited from our environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(SETTINGS.iter().copied());
        command
    }
}

/// All processes of one Thumbline.
pub(crate) struct System {
    pub(crate) apis: Vec<Arc<Member>>,
    pub(crate) workers: Vec<Arc<Member>>,
    /// Its database, asked past all faults.
    pub(crate) database: Database,
    /// What production's shape stands on.
    pub(crate) servers: Option<Servers>,
    /// Whose queues and buckets are whose.
    pub(crate) name: String,
    pub(crate) executable: Executable,
    /// Where blobs lie, where they are files.
    pub(crate) blob_directory: Option<PathBuf>,
    pub(crate) guard: Arc<Guard>,
    /// The configuration, for commands beside the roles.
    pub(crate) settings: Vec<(String, String)>,
}

impl System {
    /// A command with this system's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.executable.command(arguments);
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Asks every process to end, and waits until each has.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        for member in self.apis.iter().chain(&self.workers) {
            member.terminate(&self.guard).await?;
        }
        Ok(())
    }

    /// Takes what this run has made away from servers that others use as well; our own go as a whole.
    pub(crate) async fn clean_up(&self) -> anyhow::Result<()> {
        let Some(servers) = &self.servers else { return Ok(()) };
        if servers.brokers.is_none() {
            crate::checker::delete_all(self).await?;
        }
        if servers.postgres.is_none() {
            let admin = Database::connect(&servers.database_url).await?;
            admin.execute(&format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name)).await?;
        }
        if servers.store_is_shared() {
            for bucket in [self.blobs_bucket(), self.uploads_bucket()] {
                crate::servers::store::delete_bucket(&servers.store.client(), &bucket).await?;
            }
        }
        Ok(())
    }

    /// The bucket that events name.
    pub(crate) fn uploads_bucket(&self) -> String {
        format!("{}-uploads", self.name)
    }

    /// The bucket of Thumbline's own blobs.
    pub(crate) fn blobs_bucket(&self) -> String {
        format!("{}-blobs", self.name)
    }

    /// The namespace of exchanges and queues.
    pub(crate) fn namespaced(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }
}

/// What this run wants otherwise than others do.
pub(crate) fn asked(options: &Options) -> Vec<(String, String)> {
    let pack = ("THUMBLINE__WORKER__PACK_BYTES_MAX".to_owned(), options.pack.to_string());
    [pack].into_iter().chain(hooks(options.broken)).collect()
}

/// The hooks of a build with `test-hooks`, as its environment wants them.
fn hooks(broken: Option<Broken>) -> Vec<(String, String)> {
    broken.map(|broken| ("THUMBLINE_TEST_HOOKS".to_owned(), broken.name().to_owned())).into_iter().collect()
}

/// The processes whose parent this is.
pub(crate) fn children_of(parent: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let threads = tasks.map(|tasks| tasks.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let children = threads.iter().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let pids: Vec<i32> = children
        .flat_map(|pids| pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    pids.into_iter().filter_map(Pid::from_raw).collect()
}
