//! The short form of `make chaos`: kept seeds are replayed, and a run that cannot go on leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "in a test, the panic is the message")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

fn chaos(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn replay(name: &str) {
    let Output { status, stdout, stderr } =
        chaos(&["--replay", name, "--apis", "1", "--workers", "2"]).output().unwrap();
    let (said, told) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && said.contains("\n0 violations"), "{status}\n{said}\n{told}");
}

#[test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
fn nothing_is_lost_in_production() {
    replay("short-production");
}

#[test]
fn nothing_is_lost_in_one_process() {
    replay("short-all-in-one");
}

#[test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
fn nothing_is_lost_when_the_store_fails() {
    replay("short-store");
}

#[test]
fn nothing_is_lost_when_the_disk_is_full() {
    let asked = chaos(&["--plan", "--shape", "all-in-one", "--only", "disk-full"]).output().unwrap();
    if !asked.status.success() {
        let told = String::from_utf8_lossy(&asked.stderr);
        assert!(told.contains("disk-full cannot be done here"), "{told}");
        println!("skipped: {told}");
        return;
    }
    replay("short-disk-full");
}

#[test]
fn a_seed_that_does_not_exist_is_told_with_those_that_do() {
    let Output { status, stderr, .. } = chaos(&["--replay", "no-such"]).output().unwrap();
    let told = String::from_utf8_lossy(&stderr);
    assert!(status.code() == Some(2) && told.contains("short-production"), "{status}: {told}");
}

#[test]
fn an_interrupted_run_keeps_its_result_and_leaves_nothing_running() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let shape = ["--shape", "all-in-one", "--uploads", "100000", "--faults", "0", "--report", report.to_str().unwrap()];
    let mut run =
        chaos(&shape).env("TMPDIR", directory.path()).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    until("a process was started", || running(directory.path()) > 0);
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(ended(&mut run), Some(130));
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!((&kept["finished"], &kept["uploads_wanted"]), (&false.into(), &100_000.into()));
    assert_eq!(running(directory.path()), 0);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "the report is all that is left");
}

fn ended(run: &mut Child) -> Option<i32> {
    until("it ends", || run.try_wait().unwrap().is_some());
    run.wait().unwrap().code()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes whose executable lies below this directory.
fn running(directory: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let executables = processes.filter_map(|process| std::fs::read_link(process.path().join("exe")).ok());
    executables.filter(|executable| executable.starts_with(directory)).count()
}
