//! Leaves nothing running: one small process that outlives this one, however it ends, and stops everything that was started.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context as _, bail};

/// Waits for the end of its input, which comes with the end of this process, whatever ended it. Then everything listed
/// gets its signal, time to end, and SIGKILL to its whole group.
const SCRIPT: &str = r#"
cat >/dev/null
cd "$1" || exit 1
while read -r signal pid; do kill "-$signal" "$pid"; done <started
for _ in $(seq 100); do
  left=
  while read -r _ pid; do grep '^State:' "/proc/$pid/status" | grep -qv Z && left=1; done <started
  [ -n "$left" ] || break
  sleep 0.1
done
while read -r _ pid; do kill -KILL "-$pid"; done <started
while read -r mounted; do umount "$mounted"; done <mounted
cd /
[ -e "$1/keep" ] || rm -rf "$1"
"#;

/// How something is asked to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// At once; nothing of it is worth keeping.
    Kill,
    /// By SIGTERM: it has to clean up itself.
    Term,
    /// By SIGQUIT: PostgreSQL's immediate end.
    Quit,
}

/// The directory of a run, and the process that ends it.
pub(crate) struct Guard {
    directory: PathBuf,
    process: Mutex<Option<Child>>,
    /// `None` once everything is being stopped.
    started: Mutex<Option<BTreeMap<u32, End>>>,
}

impl Guard {
    pub(crate) fn new(keep: bool) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("thumbline-chaos-").tempdir().context("a directory")?.keep();
        // PostgreSQL may run as another user, and must be able to reach its own part.
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o711))?;
        for file in ["started", "mounted"] {
            std::fs::write(directory.join(file), "")?;
        }
        if keep {
            std::fs::write(directory.join("keep"), "")?;
        }
        let process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("sh cannot be started")?;
        Ok(Self { directory, process: Mutex::new(Some(process)), started: Mutex::new(Some(BTreeMap::new())) })
    }

    /// Where everything of this run lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A directory of its own for a part of the run.
    pub(crate) fn subdirectory(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.directory.join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// The leader of a process group has been started; fails when nothing may be started any more.
    pub(crate) fn started(&self, pid: u32, end: End) -> anyhow::Result<()> {
        self.change(|started| {
            started.insert(pid, end);
        })
    }

    /// It has ended.
    pub(crate) fn ended(&self, pid: u32) -> anyhow::Result<()> {
        self.change(|started| {
            started.remove(&pid);
        })
    }

    /// Something was mounted.
    pub(crate) fn mounted(&self, path: &Path) -> anyhow::Result<()> {
        let mut file = std::fs::OpenOptions::new().append(true).open(self.directory.join("mounted"))?;
        writeln!(file, "{}", path.display())?;
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u32, End>)) -> anyhow::Result<()> {
        let mut started = lock(&self.started);
        let Some(started) = &mut *started else { bail!("the run has ended") };
        change(started);
        let lines: String = started.iter().map(|(pid, end)| format!("{} {pid}\n", signal(*end))).collect();
        let new = self.directory.join("started.new");
        std::fs::write(&new, lines)?;
        std::fs::rename(new, self.directory.join("started"))?;
        Ok(())
    }

    /// Stops everything and returns once it is gone.
    pub(crate) fn finish(&self) {
        lock(&self.started).take();
        if let Some(mut process) = lock(&self.process).take() {
            drop(process.stdin.take());
            let _ = process.wait();
        }
    }
}

fn signal(end: End) -> &'static str {
    match end {
        End::Kill => "KILL",
        End::Term => "TERM",
        End::Quit => "QUIT",
    }
}

/// What a panic has left behind is good enough for whoever cleans up.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_is_gone_with_the_directory() {
        let guard = Guard::new(false).unwrap();
        let mut sleeper = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        guard.started(sleeper.id(), End::Term).unwrap();
        let directory = guard.directory().to_owned();
        drop(guard);
        assert!(!sleeper.wait().unwrap().success(), "it was killed");
        assert!(!directory.exists());
    }
}
