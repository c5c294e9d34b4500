//! What must hold whatever a child does: the right failure, no zombie, no leaked descriptor, and the next render works.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::limits::{Limits, LimitsTable};
use worker::Admission;
use worker::child::{Pool, Sandbox, StartError};

use crate::parent::{
    children, eventually, limits, narrow, no_sandbox, picture, pool, pool_admitting, pool_behind, pool_within, render,
    render_of, sandbox,
};

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
    ("processor_time_is_bounded_for_each_source", || told(processor_time_is_bounded_for_each_source())),
    ("memory_is_bounded_by_the_class_of_the_format", || told(memory_is_bounded_by_the_class_of_the_format())),
    ("nothing_is_decoded_without_memory_for_it", || told(nothing_is_decoded_without_memory_for_it())),
    ("no_child_serves_two_tenants", || told(no_child_serves_two_tenants())),
    ("children_serve_everybody_where_they_may", || told(children_serve_everybody_where_they_may())),
    ("tenants_find_children_ready", || told(tenants_find_children_ready())),
    ("many_deaths_leave_nothing_behind", || told_within(DEATHS_SECONDS_MAX, many_deaths_leave_nothing_behind())),
    ("giving_up_kills_the_child", || told(giving_up_kills_the_child())),
    ("a_child_is_replaced_after_its_share", || told(a_child_is_replaced_after_its_share())),
    ("a_child_that_died_idle_harms_nobody", || told(a_child_that_died_idle_harms_nobody())),
    ("a_child_dies_with_its_parent", || told(a_child_dies_with_its_parent())),
];

pub(crate) fn told(story: impl Future<Output = ()>) {
    told_within(150, story);
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
        ("allocate", FailureCode::ChildOutOfMemory, "needed more than 536870912 bytes of memory"),
        ("write", FailureCode::ChildCrashed, "wrote more than 8388608 bytes of output"),
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
    for lie in ["too-wide", "too-few", "not-jpeg", "other-size", "unasked", "blame"] {
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
    assert!(why.contains("version 6"), "{why}");
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
    let limits = narrow();
    let expected = format!(
        "environment=[\"GLIBC_TUNABLES\"] own_session=true memory={} file={} core=0 descriptors=16 directory=/",
        limits.child_memory_bytes_max, limits.output_bytes_max,
    );
    assert_eq!(told, expected);
    pool.close().await;
}

async fn processor_time_is_bounded_for_each_source() {
    let little = LimitsTable::same(Limits { child_cpu_seconds_max: 1, child_seconds_max: 30, ..narrow() });
    let pool = pool_within(little, sandbox(), &["render-child"], 100);
    pool.prepare(1).await.unwrap();
    let same = failure(&pool, "hostile:who").await.reason;
    // More than the limit together, each less.
    for _ in 0..5 {
        assert_eq!(failure(&pool, "hostile:burn").await.reason, "burnt");
    }
    assert_eq!(failure(&pool, "hostile:who").await.reason, same);
    let failure = failure(&pool, "hostile:loop").await;
    assert_eq!(failure.code, FailureCode::ChildTimeout, "{failure}");
    assert_eq!(failure.reason, "the render child used more than 1 s of processor time");
    renders(&pool).await;
    pool.close().await;
}

async fn memory_is_bounded_by_the_class_of_the_format() {
    let table = LimitsTable { raster: Limits { child_memory_bytes_max: 256 << 20, ..narrow() }, vector: narrow() };
    let pool = pool_within(table, sandbox(), &["render-child"], 100);
    let failure = failure(&pool, "hostile:allocate").await;
    assert_eq!(failure.code, FailureCode::ChildOutOfMemory, "{failure}");
    assert!(failure.reason.contains("needed more than 268435456 bytes of memory"), "{failure}");
    renders(&pool).await;
    pool.close().await;
}

async fn nothing_is_decoded_without_memory_for_it() {
    let patient = LimitsTable::same(Limits { child_seconds_max: 30, ..narrow() });
    let admission = Admission::of_bytes(64 << 20);
    let pool = pool_admitting(patient, admission.clone());
    pool.prepare(2).await.unwrap();
    {
        let small = picture();
        let waits = async {
            eventually("all memory is granted", || admission.free_bytes() == 0).await;
            render(&pool, &small).await
        };
        tokio::select! {
            biased;
            _ = render(&pool, b"hostile:hold") => panic!("it holds all the memory for ever"),
            _ = waits => panic!("it was decoded although there is no memory"),
            () = tokio::time::sleep(Duration::from_millis(1500)) => {}
        }
    }
    renders(&pool).await;
    pool.close().await;
    assert_eq!(children(), NONE);
}

/// The child that served this tenant.
async fn served_by(pool: &Pool, tenant: &str) -> String {
    render_of(pool, Some(tenant), b"hostile:who").await.result.unwrap_err().reason
}

async fn no_child_serves_two_tenants() {
    let pool = pool(&["render-child"], 100);
    pool.prepare(2).await.unwrap();
    let mut seen = std::collections::HashMap::new();
    for tenant in ["anna", "ben", "anna", "ben", "carla", "anna", "dora", "emil", "anna", "ben"] {
        let child = served_by(&pool, tenant).await;
        let first = seen.entry(child.clone()).or_insert(tenant);
        assert_eq!(*first, tenant, "child {child} served {first} and {tenant}");
    }
    // A few tenants that take turns keep their children.
    assert_eq!(served_by(&pool, "ben").await, served_by(&pool, "ben").await);
    let nobody = failure(&pool, "hostile:who").await.reason;
    assert!(!seen.contains_key(&nobody), "sources of nobody in particular are kept apart as well");
    eventually("those that nobody needs are gone", || children().len() <= 6).await;
    pool.close().await;
    assert_eq!(children(), NONE);
}

async fn children_serve_everybody_where_they_may() {
    let sharing = Sandbox { share_children_across_tenants: true, ..sandbox() };
    let pool = pool_behind(sharing, &["render-child"], 100);
    pool.prepare(1).await.unwrap();
    assert_eq!(served_by(&pool, "anna").await, served_by(&pool, "ben").await);
    pool.close().await;
}

async fn tenants_find_children_ready() {
    let pool = pool(&["render-child"], 100);
    pool.prepare(1).await.unwrap();
    let ready = children();
    assert_eq!(served_by(&pool, "anna").await, ready[0].to_string());
    eventually("a spare one was started", || children().len() == 2).await;
    let spare = children().into_iter().find(|pid| !ready.contains(pid)).unwrap();
    // It is among the idle ones a moment after it is there.
    eventually_served(&pool, spare).await;
    pool.close().await;
    assert_eq!(children(), NONE);
}

async fn eventually_served(pool: &Pool, spare: i32) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    for tenant in 0.. {
        if served_by(pool, &format!("tenant-{tenant}")).await == spare.to_string() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "the spare child serves nobody");
    }
}

/// Thousands take a while.
const DEATHS_SECONDS_MAX: u64 = 7200;

/// `THUMBLINE_TEST_DEATHS` of them, a few at a time, by every cause but the clock: 200 in `make test`, 10,000 in
/// `make deaths`.
async fn many_deaths_leave_nothing_behind() {
    let deaths = std::env::var("THUMBLINE_TEST_DEATHS").map_or(200, |deaths| deaths.parse().unwrap());
    let causes = [
        ("abort", FailureCode::ChildCrashed),
        ("segfault", FailureCode::ChildCrashed),
        ("panic", FailureCode::ChildCrashed),
        ("exit", FailureCode::ChildCrashed),
        ("allocate", FailureCode::ChildOutOfMemory),
        ("write", FailureCode::ChildCrashed),
        ("write-elsewhere", FailureCode::ChildCrashed),
        ("not-jpeg", FailureCode::ChildProtocol),
        ("too-few", FailureCode::ChildProtocol),
        ("unasked", FailureCode::ChildProtocol),
    ];
    let memory = 64 << 20;
    let admission = Admission::of_bytes(memory);
    let pool = pool_admitting(limits(), admission.clone());
    renders(&pool).await;
    let before = (descriptors(), resident_bytes());
    let at_a_time = 4;
    let mut dying = tokio::task::JoinSet::new();
    for death in 0..deaths {
        if dying.len() == at_a_time {
            dying.join_next().await.unwrap().unwrap();
        }
        let (source, code) = causes[death % causes.len()];
        let pool = pool.clone();
        dying.spawn(async move {
            let failure = failure(&pool, &format!("hostile:{source}")).await;
            assert_eq!(failure.code, code, "{source}: {failure}");
        });
    }
    while let Some(died) = dying.join_next().await {
        died.unwrap();
    }
    renders(&pool).await;
    eventually("only idle children are left", || children().len() <= at_a_time).await;
    pool.close().await;
    assert_eq!(children(), NONE);
    eventually("no descriptor is left behind", || descriptors() < before.0).await;
    let grown = resident_bytes().saturating_sub(before.1);
    assert!(grown < 64 << 20, "this process has grown by {grown} bytes");
    // All of the memory is free again: nobody holds a part of it.
    assert_eq!(admission.free_bytes(), memory);
    eprintln!("{deaths} deaths; this process has grown by {} KiB", grown >> 10);
}

/// Of this process.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    kib.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
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
