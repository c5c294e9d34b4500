//! `thumbline bench render`: what the eager set of a file costs, through a render child and in process.

use std::hint::black_box;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use render::{Request, Silent};
use serde::Serialize;
use shared::domain::ids::Sha256Digest;
use shared::domain::limits::LimitsTable;
use shared::domain::plan;
use shared::domain::preset::{Preset, PresetTable};
use worker::Admission;
use worker::child::{ALLOCATOR_VARIABLE, Answer, KEEP_FREED_MEMORY, Pool, SealedSource};

use crate::cli::print_line;
use crate::config::{Config, Inputs, load};
use crate::cpu_time::{children, children_cpu, own_cpu};
use crate::exit::{Exit, Failed};
use crate::{roles, source_file};

/// Arguments of `thumbline bench render`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files to render
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Renders of each file each way; the figures are their medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    iterations: u32,
    /// Print one JSON object per file
    #[arg(long)]
    json: bool,
    /// Configuration file (TOML), for presets and limits
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// One line of figures; times are medians in milliseconds. `cpu_ms` is that of parent and child together.
#[derive(Debug, Serialize)]
struct Figures {
    file: String,
    width: u32,
    height: u32,
    bytes: u64,
    cpu_ms: f64,
    wall_ms: f64,
    inproc_cpu_ms: f64,
    inproc_wall_ms: f64,
    decode_ms: f64,
    resize_ms: f64,
    encode_ms: f64,
    /// The child's largest resident set.
    peak_rss_bytes: u64,
    /// What the header said that decoding would need, beyond a child that has done nothing yet.
    predicted_bytes: u64,
}

/// Exit 1 when a file could not be rendered.
pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    allocate_as_children_do()?;
    let config = load(&Inputs::of_process(arguments.config.as_deref(), Vec::new())).map_err(Failed::usage)?.config;
    let table = config.preset_table();
    if !arguments.json {
        print_line("cpu ms  wall ms  | in process: cpu  wall | decode  resize  encode | peak MiB | source");
    }
    let mut exit = Exit::Success;
    for file in &arguments.files {
        match measure(file, &table, &config, arguments.iterations).await {
            Ok(figures) => tell(&figures, arguments.json),
            Err(error) => {
                exit = Exit::SomeFailed;
                print_line(&format!("{}: {error:#}", file.display()));
            }
        }
    }
    Ok(exit)
}

/// Starts this process over with the allocator's setting that render children have, so that both ways differ in
/// nothing but the way.
fn allocate_as_children_do() -> Result<(), Failed> {
    if std::env::var_os(ALLOCATOR_VARIABLE).is_some_and(|value| value == KEEP_FREED_MEMORY) {
        return Ok(());
    }
    let executable = std::env::current_exe().context("cannot find our own executable")?;
    let mut again = std::process::Command::new(executable);
    again.args(std::env::args_os().skip(1)).env(ALLOCATOR_VARIABLE, KEEP_FREED_MEMORY);
    // Returns only when it fails.
    Err(anyhow!(again.exec()).context("cannot start over with the allocator of render children").into())
}

async fn measure(file: &Path, table: &PresetTable, config: &Config, iterations: u32) -> anyhow::Result<Figures> {
    let source = source_file::read(file, config.limits.widest().source_bytes_max)?;
    let format = render::sniff(&source);
    let eager: Vec<Preset> =
        plan::eager(table, format).iter().filter_map(|wanted| table.get(wanted.preset.as_str())).cloned().collect();
    // A pool of its own, so that the child's peak is this file's.
    let (limits, sandbox) = (config.limits.clone().into(), config.sandbox.clone());
    let pool = Pool::new(roles::child_command()?, limits, sandbox, u32::MAX, Admission::unbounded())?;
    let (length, work) = (source.len(), alternate(pool.clone(), source, eager, config.limits.clone(), iterations));
    // On a thread of the runtime, as in a worker: to this one, every message would have to be passed on.
    let measured = tokio::spawn(work).await?;
    let peak_rss_bytes = children().iter().filter_map(|pid| peak_rss(pid)).max().unwrap_or(0);
    pool.close().await;
    let runs = measured?;
    let median = |of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2] * 1000.0).round() / 1000.0
    };
    let dimensions = runs[0].dimensions;
    Ok(Figures {
        file: file.display().to_string(),
        width: dimensions.width,
        height: dimensions.height,
        bytes: length as u64,
        cpu_ms: median(|run| run.cpu_ms),
        wall_ms: median(|run| run.wall_ms),
        inproc_cpu_ms: median(|run| run.inproc_cpu_ms),
        inproc_wall_ms: median(|run| run.inproc_wall_ms),
        decode_ms: median(|run| run.decode_ms),
        resize_ms: median(|run| run.resize_ms),
        encode_ms: median(|run| run.encode_ms),
        peak_rss_bytes,
        predicted_bytes: runs[0].predicted_bytes,
    })
}

struct Run {
    predicted_bytes: u64,
    dimensions: shared::domain::dimensions::Dimensions,
    cpu_ms: f64,
    wall_ms: f64,
    inproc_cpu_ms: f64,
    inproc_wall_ms: f64,
    decode_ms: f64,
    resize_ms: f64,
    encode_ms: f64,
}

/// Both ways in turn, so that a noisy moment of the machine meets both. One turn before warms both up.
async fn alternate(
    pool: Pool,
    source: Vec<u8>,
    presets: Vec<Preset>,
    limits: LimitsTable,
    iterations: u32,
) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::with_capacity(iterations as usize);
    for _ in 0..=iterations {
        runs.push(both_ways(&pool, &source, &presets, &limits).await?);
    }
    runs.remove(0);
    Ok(runs)
}

async fn both_ways(pool: &Pool, source: &[u8], presets: &[Preset], limits: &LimitsTable) -> anyhow::Result<Run> {
    let children_before = children_cpu();
    let (cpu, wall) = (own_cpu(), Instant::now());
    let answer = through_child(pool, source, presets.to_vec()).await?;
    let (parent_cpu, wall_ms) = (own_cpu().saturating_sub(cpu), ms(wall.elapsed()));

    let (cpu, wall) = (own_cpu(), Instant::now());
    in_process(source, &Request::new(presets, limits))?;
    let (inproc_cpu_ms, inproc_wall_ms) = (ms(own_cpu().saturating_sub(cpu)), ms(wall.elapsed()));

    // Read last: a child tidies up after it has answered.
    let cpu_ms = ms(parent_cpu + children_cpu().saturating_sub(children_before));
    let renderings = answer.result.map_err(|failure| anyhow!("{failure}"))?;
    let step = |names: &[&str]| -> f64 {
        answer.steps.iter().filter(|(step, _)| names.contains(&step.name())).map(|(_, took)| ms(*took)).sum()
    };
    Ok(Run {
        predicted_bytes: answer.predicted_bytes.unwrap_or(0),
        dimensions: renderings.picture.dimensions,
        cpu_ms,
        wall_ms,
        inproc_cpu_ms,
        inproc_wall_ms,
        decode_ms: step(&["inspect", "decode"]),
        resize_ms: step(&["reduce", "colour", "orient", "resize", "flatten"]),
        encode_ms: step(&["encode"]),
    })
}

/// What a worker does: collects the source in a memory file, and has it rendered, checked and digested.
async fn through_child(pool: &Pool, source: &[u8], presets: Vec<Preset>) -> anyhow::Result<Answer> {
    let sealed = SealedSource::from_bytes(source)?;
    Ok(pool.render(None, &sealed, presets).await)
}

/// What a worker without children would do: collects the source in memory, renders it and digests what came of it.
fn in_process(source: &[u8], request: &Request<'_>) -> anyhow::Result<()> {
    let collected = source.to_vec();
    let report = render::render(&collected, request, &mut Silent).map_err(|failure| anyhow!("{failure}"))?;
    let pages = report.renderings.iter().filter_map(|rendered| rendered.result.as_ref().ok()).flatten();
    pages.for_each(|page| {
        black_box(Sha256Digest::of(&page.bytes));
    });
    Ok(())
}

fn tell(figures: &Figures, json: bool) {
    if json {
        // Strings and numbers only: it cannot fail to be written.
        print_line(&serde_json::to_string(figures).unwrap_or_default());
        return;
    }
    let Figures { file, width, height, cpu_ms, wall_ms, inproc_cpu_ms, inproc_wall_ms, .. } = figures;
    let Figures { decode_ms, resize_ms, encode_ms, peak_rss_bytes, .. } = figures;
    let peak = peak_rss_bytes >> 20;
    print_line(&format!(
        "{cpu_ms:6.1}  {wall_ms:7.1}  | {inproc_cpu_ms:15.1}  {inproc_wall_ms:4.1} | {decode_ms:6.1}  {resize_ms:6.1}  \
         {encode_ms:6.1} | {peak:8} | {file} ({width}x{height})"
    ));
}

fn peak_rss(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
