//! Processes of the executable under test; killed when dropped, their log shown when a story fails.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A running `thumbline`.
pub(crate) struct Process {
    child: Child,
    what: String,
    log: Arc<Mutex<Vec<String>>>,
}

/// A command line of the executable under test, with nothing inherited from the environment but PATH.
pub(crate) fn thumbline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thumbline"));
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

impl Process {
    /// Starts it; its log (JSON lines on stderr) is collected.
    pub(crate) fn start(mut command: Command) -> Self {
        let what = format!("{command:?}").split("thumbline\" ").last().unwrap_or_default().to_owned();
        command.env("THUMBLINE__LOG__FORMAT", "json").env("THUMBLINE__LOG__FILTER", "info");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the executable starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let collected = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| collected.lock().unwrap().push(line));
        });
        Self { child, what, log }
    }

    /// Where it listens, as it says in its log: `api` or `ops`.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        let begun = Instant::now();
        loop {
            let logged = self.log_lines();
            let said = logged.iter().find_map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).ok()?;
                (value["listener"] == listener).then(|| value["address"].as_str()?.parse().ok())?
            });
            if let Some(address) = said {
                return address;
            }
            assert!(begun.elapsed() < PATIENCE, "{} does not listen:\n{}", self.what, logged.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything it logged so far.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The file system as the process sees it.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.child.id()))
    }

    /// The most that it had resident so far.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        kib.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
    }

    /// Processor time of the process and of its children, those that are gone included, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> u64 {
        let own = self.child.id();
        let children = std::fs::read_dir(format!("/proc/{own}/task"))
            .unwrap()
            .flatten()
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let children: Vec<String> =
            children.flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        let ticks = |pid: &str, fields: std::ops::Range<usize>| -> u64 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The name in parentheses may have spaces; what follows it has none.
            let after_name = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            after_name.skip(fields.start).take(fields.len()).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
        };
        // utime and stime, then the same of children that are gone; a tick is 10 ms.
        let total = ticks(&own.to_string(), 11..15) + children.iter().map(|pid| ticks(pid, 11..13)).sum::<u64>();
        total * 10
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns how it ended.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{} does not end after SIGTERM", self.what);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log_lines();
            println!("--- {} (last lines of its log)\n{}", self.what, log[log.len().saturating_sub(40)..].join("\n"));
        }
    }
}
