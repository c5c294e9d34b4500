//! What must hold whatever a child does: the right failure, no zombie, no leaked descriptor, and the next render works.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use shared::domain::failure::{Failure, FailureCode};
use worker::child::{Pool, StartError};

use crate::parent::{children, eventually, limits, no_sandbox, picture, pool, pool_behind, render};

/// No process.
const NONE: [i32; 0] = [];

/// A name and what happens.
pub(crate) type Story = (&'static str, fn());

pub(crate) const ALL: &[Story] = &[
    ("a_picture_is_rendered", || told(a_picture_is_rendered())),
    ("deaths_are_told_apart", || told(deaths_are_told_apart())),
    ("lies_about_the_output_are_found", || told(lies_about_the_output_are_found())),
    ("lies_about_frames_are_found", || told(lies_about_frames_are_found())),
    ("another_version_never_gets_ready", || told(another_version_never_gets_ready())),
    ("a_program_that_is_no_child_never_gets_ready", || told(a_program_that_is_no_child_never_gets_ready())),
    ("a_child_is_cut_off_and_bounded", || told(a_child_is_cut_off_and_bounded())),
    ("fifty_deaths_leave_nothing_behind", || told(fifty_deaths_leave_nothing_behind())),
    ("giving_up_kills_the_child", || told(giving_up_kills_the_child())),
    ("a_child_is_replaced_after_its_share", || told(a_child_is_replaced_after_its_share())),
    ("a_child_that_died_idle_harms_nobody", || told(a_child_that_died_idle_harms_nobody())),
    ("a_child_dies_with_its_parent", || told(a_child_dies_with_its_parent())),
];

pub(crate) fn told(story: impl Future<Output = ()>) {
    told_within(60, story);
}

pub(crate) fn told_within(seconds: u64, story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(seconds), story).await })
        .expect("the story ends");
}

pub(crate) async fn failure(pool: &Pool, source: &str) -> Failure {
    render(pool, source.as_bytes()).await.result.unwrap_err()
}

pub(crate) async fn renders(pool: &Pool) {
    let answer = render(pool, &picture()).await;
    let made = answer.result.unwrap();
    assert_eq!(made.presets.len(), 2);
    for rendering in &made.presets {
        assert_eq!(rendering.result.as_ref().unwrap().len(), 1, "{}", rendering.preset);
    }
}

async fn a_picture_is_rendered() {
    let pool = pool(&["render-child"], 100);
    let answer = render(&pool, &picture()).await;
    let steps: Vec<_> = answer.steps.iter().map(|(step, _)| step.name()).collect();
    assert!(steps.contains(&"decode") && steps.contains(&"encode") && !steps.contains(&"done"), "{steps:?}");
    let made = answer.result.unwrap();
    assert_eq!((made.picture.dimensions.width, made.picture.dimensions.height), (64, 48));
    let dimensions = |index: usize| made.presets[index].result.as_ref().unwrap()[0].dimensions.to_string();
    assert_eq!([dimensions(0), dimensions(1)], ["32x32", "64x48"]);
    let refused = failure(&pool, "neither hostile nor a picture").await;
    assert_eq!(refused.code, FailureCode::UnsupportedFormat);
    pool.close().await;
    assert_eq!(children(), NONE);
}

async fn deaths_are_told_apart() {
    let metrics = metrics();
    let pool = pool(&["render-child"], 100);
    let deaths = [
        ("abort", FailureCode::ChildCrashed, "signal 6"),
        ("segfault", FailureCode::ChildCrashed, "signal 11"),
        ("panic", FailureCode::ChildCrashed, "index out of bounds in a codec"),
        ("exit", FailureCode::ChildCrashed, "exited with code 0"),
        ("loop", FailureCode::ChildTimeout, "longer than 2 s"),
        ("allocate", FailureCode::ChildOutOfMemory, "memory allocation of 16777216 bytes failed"),
        ("write", FailureCode::ChildCrashed, "wrote more than the output limit"),
        ("write-elsewhere", FailureCode::ChildCrashed, "the sandbox forbids (SIGSYS)"),
        ("recurse", FailureCode::ChildCrashed, "overflowed its stack"),
    ];
    for (source, code, reason) in deaths {
        let failure = failure(&pool, &format!("hostile:{source}")).await;
        assert_eq!(failure.code, code, "{source}: {failure}");
        assert!(failure.reason.contains(reason), "{source}: {failure}");
        renders(&pool).await;
    }
    pool.close().await;
    assert_eq!(children(), NONE);
    let counted = metrics.render();
    for (cause, times) in [("signal", 4), ("sandbox", 1), ("exited", 2), ("timeout", 1), ("memory", 1)] {
        let line = format!("thumbline_child_exits_total{{cause=\"{cause}\"}} {times}");
        assert!(counted.contains(&line), "{line} is not in\n{counted}");
    }
}

async fn lies_about_the_output_are_found() {
    let pool = pool(&["render-child"], 100);
    for lie in ["too-wide", "too-few", "not-jpeg", "blame"] {
        let failure = failure(&pool, &format!("hostile:{lie}")).await;
        assert_eq!(failure.code, FailureCode::ChildProtocol, "{lie}: {failure}");
        renders(&pool).await;
    }
    pool.close().await;
    assert_eq!(children(), NONE);
}

async fn lies_about_frames_are_found() {
    let lies = [
        ("garbage", FailureCode::ChildProtocol),
        ("endless", FailureCode::ChildProtocol),
        ("other-order", FailureCode::ChildProtocol),
        ("hang-up", FailureCode::ChildProtocol),
        ("half", FailureCode::ChildCrashed),
    ];
    for (lie, code) in lies {
        let pool = pool(&["liar", lie], 100);
        let failure = failure(&pool, "anything").await;
        assert_eq!(failure.code, code, "{lie}: {failure}");
        pool.close().await;
        assert_eq!(children(), NONE, "{lie}");
    }
}

async fn another_version_never_gets_ready() {
    let pool = pool(&["liar", "other-version"], 100);
    let Err(StartError::Unready(why)) = pool.prepare(1).await else { panic!("it got ready") };
    assert!(why.contains("version 3"), "{why}");
    let failure = failure(&pool, "anything").await;
    assert_eq!(failure.code, FailureCode::WorkerOverloaded);
    assert_eq!(children(), NONE);
}

async fn a_program_that_is_no_child_never_gets_ready() {
    let pool = pool(&["--list"], 100);
    assert!(matches!(pool.prepare(1).await, Err(StartError::Unready(_))));
    eventually("the program is reaped", || children().is_empty()).await;
}

async fn a_child_is_cut_off_and_bounded() {
    // With the filter the child could not even look.
    let pool = pool_behind(no_sandbox(), &["render-child"], 100);
    let told = failure(&pool, "hostile:look-around").await.reason;
    let limits = limits();
    let expected = format!(
        "environment=[\"GLIBC_TUNABLES\"] own_session=true memory={} file={} core=0 descriptors=16 directory=/",
        limits.child_memory_bytes_max, limits.output_bytes_max,
    );
    assert_eq!(told, expected);
    pool.close().await;
}

async fn fifty_deaths_leave_nothing_behind() {
    let pool = pool(&["render-child"], 100);
    renders(&pool).await;
    let before = descriptors();
    for death in 0..50 {
        let source = ["hostile:abort", "hostile:panic", "hostile:exit", "hostile:not-jpeg"][death % 4];
        failure(&pool, source).await;
    }
    renders(&pool).await;
    eventually("only the idle child is left", || children().len() == 1).await;
    eventually("no descriptor is left behind", || descriptors() <= before).await;
    pool.close().await;
    assert_eq!(children(), NONE);
}

async fn giving_up_kills_the_child() {
    let pool = pool(&["render-child"], 100);
    pool.prepare(1).await.unwrap();
    let busy = children();
    let source = b"hostile:loop";
    assert!(tokio::time::timeout(Duration::from_millis(300), render(&pool, source)).await.is_err());
    eventually("the child is gone", || children() != busy).await;
    renders(&pool).await;
    pool.close().await;
    assert_eq!(children(), NONE);
}

async fn a_child_is_replaced_after_its_share() {
    let pool = pool(&["render-child"], 2);
    pool.prepare(1).await.unwrap();
    let first = children();
    renders(&pool).await;
    assert_eq!(children(), first);
    renders(&pool).await;
    eventually("the first child is gone", || children().is_empty()).await;
    renders(&pool).await;
    assert_eq!(children().len(), 1);
    assert_ne!(children(), first);
    pool.close().await;
}

async fn a_child_that_died_idle_harms_nobody() {
    let pool = pool(&["render-child"], 100);
    pool.prepare(1).await.unwrap();
    let pid = children()[0];
    let process = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    let is_dead = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    eventually("the child is dead", || is_dead() || children().is_empty()).await;
    renders(&pool).await;
    pool.close().await;
    assert_eq!(children(), NONE);
}

async fn a_child_dies_with_its_parent() {
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap());
    let output = parent.arg("dying-parent").output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let pid = said.lines().find_map(|line| line.strip_prefix("child ")).unwrap_or_else(|| panic!("{said}"));
    let pid = pid.to_owned();
    // Whoever inherits the dead child may be slow to reap it; a zombie is dead enough.
    let is_gone = move || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X "))
    };
    eventually("the child of the dead parent is gone", is_gone).await;
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The metrics of this process from now on; for one story, as a recorder is installed once.
fn metrics() -> PrometheusHandle {
    PrometheusBuilder::new().install_recorder().unwrap()
}
