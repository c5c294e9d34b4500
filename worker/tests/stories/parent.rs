//! Pools to tell stories with, and a parent that dies while its child is busy.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::domain::ids::Tenant;
use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::{Preset, PresetTable};
use worker::Admission;
use worker::child::{Answer, ChildCommand, Layer, Mode, Pool, Sandbox, SealedSource};

pub(crate) fn limits() -> LimitsTable {
    LimitsTable::same(narrow())
}

/// The limits of every format in the stories.
pub(crate) fn narrow() -> Limits {
    Limits {
        source_bytes_max: 1 << 20,
        width_pixels_max: 10_000,
        height_pixels_max: 10_000,
        area_pixels_max: 1_000_000,
        total_pixels_max: 2_000_000,
        pages_max: 10,
        nesting_max: 16,
        child_memory_bytes_max: 512 << 20,
        child_cpu_seconds_max: 30,
        child_seconds_max: 2,
        output_bytes_max: 8 << 20,
    }
}

/// The sandbox as it is by default.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox { mode: Mode::On, required: vec![Layer::Rlimits, Layer::Seccomp], share_children_across_tenants: false }
}

/// Resource limits only.
pub(crate) fn no_sandbox() -> Sandbox {
    Sandbox { mode: Mode::Off, ..sandbox() }
}

/// This executable, called with these arguments.
pub(crate) fn command(arguments: &[&str]) -> ChildCommand {
    let program = std::env::current_exe().unwrap();
    ChildCommand { program, arguments: arguments.iter().map(Into::into).collect() }
}

/// A pool whose children are this executable, called with these arguments.
pub(crate) fn pool(arguments: &[&str], renders_max: u32) -> Pool {
    pool_behind(sandbox(), arguments, renders_max)
}

/// The same, behind another sandbox.
pub(crate) fn pool_behind(sandbox: Sandbox, arguments: &[&str], renders_max: u32) -> Pool {
    pool_within(limits(), sandbox, arguments, renders_max)
}

/// The same, with other limits.
pub(crate) fn pool_within(limits: LimitsTable, sandbox: Sandbox, arguments: &[&str], renders_max: u32) -> Pool {
    Pool::new(command(arguments), Arc::new(limits), sandbox, renders_max, Admission::unbounded()).unwrap()
}

/// A pool with so much memory for renders.
pub(crate) fn pool_admitting(limits: LimitsTable, admission: Admission) -> Pool {
    Pool::new(command(&["render-child"]), Arc::new(limits), sandbox(), 100, admission).unwrap()
}

pub(crate) async fn render(pool: &Pool, source: &[u8]) -> Answer {
    render_of(pool, None, source).await
}

/// The same for a tenant.
pub(crate) async fn render_of(pool: &Pool, tenant: Option<&str>, source: &[u8]) -> Answer {
    let tenant: Option<Tenant> = tenant.map(|tenant| tenant.parse().unwrap());
    pool.render(tenant.as_ref(), &SealedSource::from_bytes(source).unwrap(), presets()).await
}

fn presets() -> Vec<Preset> {
    let table = PresetTable::built_in();
    ["jpg_thumb_32x32", "jpg_320x320"].map(|name| table.get(name).unwrap().clone()).into()
}

/// A picture of 64 by 48 pixels in plain colours.
pub(crate) fn picture() -> Vec<u8> {
    picture_of(64, 48)
}

/// A BMP of these dimensions; the width is a multiple of 4.
pub(crate) fn picture_of(width: u32, height: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..width * height).flat_map(|n| [(n % 251) as u8, (n / width) as u8, 128]).collect();
    let mut bmp = Vec::new();
    bmp.extend(b"BM");
    bmp.extend((54 + pixels.len() as u32).to_le_bytes());
    for value in [0, 54, 40, width, height] {
        bmp.extend(value.to_le_bytes());
    }
    bmp.extend([1, 0, 24, 0]);
    for value in [0, pixels.len() as u32, 2835, 2835, 0, 0] {
        bmp.extend(value.to_le_bytes());
    }
    bmp.extend(pixels);
    bmp
}

/// The processes that this process has started and not yet waited for, zombies included.
pub(crate) fn children() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let children = tasks.flat_map(|task| {
        // A thread may end while we look.
        let of_task = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        of_task.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<i32>>()
    });
    children.collect()
}

/// Polls until the condition holds; panics with what was awaited after ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Prints the id of its busy child, then dies without cleaning up.
pub(crate) fn die_while_rendering() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = pool(&["render-child"], 100);
        pool.prepare(1).await.unwrap();
        let rendering = render(&pool, b"hostile:loop");
        let dying = async {
            let busy = |pid| cpu_ticks(pid) > 5;
            eventually("the child is busy", || children().iter().copied().any(busy)).await;
            eprintln!("child {}", children()[0]);
            std::process::abort()
        };
        tokio::select! { _ = rendering => ExitCode::FAILURE, code = dying => code }
    })
}

/// Processor time that a process has used so far, in the kernel's ticks.
pub(crate) fn cpu_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    fields.get(11).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}
