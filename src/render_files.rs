//! `thumbline render`: renders files without any server, as a worker would, and tells what it saw.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use serde::Serialize;
use shared::domain::preset::{Preset, PresetTable};
use worker::Admission;
use worker::child::{Answer, Pool, Rendering, SealedSource};

use crate::cli::print_line;
use crate::config::{Inputs, load};
use crate::exit::{Exit, Failed};
use crate::{roles, source_file};

/// Arguments of `thumbline render`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files to render
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Presets, separated by commas; `thumbline config` lists those of your own
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',', required = true)]
    preset: Vec<String>,
    /// Directory for the representations: FILE's name, the preset, the format (`photo.jpg_320x320.jpg`)
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Tell the facts of each source and the milliseconds of each step
    #[arg(long)]
    explain: bool,
    /// Print one JSON object per file
    #[arg(long)]
    json: bool,
    /// Configuration file (TOML), for presets and limits
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What is told of one file.
#[derive(Debug, Default, Serialize)]
struct Told {
    file: String,
    format: Option<&'static str>,
    width: Option<u32>,
    height: Option<u32>,
    pages: Option<u32>,
    steps_ms: Vec<(&'static str, f64)>,
    outputs: Vec<Output>,
    failures: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Output {
    path: String,
    width: u32,
    height: u32,
    bytes: usize,
}

/// Exit 1 when a file or a preset of it could not be rendered; the others are written all the same.
pub async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let config = load(&Inputs::of_process(arguments.config.as_deref(), Vec::new())).map_err(Failed::usage)?.config;
    let presets = chosen(&config.preset_table(), &arguments.preset).map_err(Failed::usage)?;
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the directory {}", arguments.out.display()))
        .map_err(Failed::usage)?;
    let renders_max = config.worker.child_renders_max;
    let (limits, sandbox) = (config.limits.clone().into(), config.sandbox.clone());
    let pool = Pool::new(roles::child_command()?, limits, sandbox, renders_max, Admission::unbounded())
        .context("cannot start render children")?;
    let bytes_max = config.limits.widest().source_bytes_max;
    let mut exit = Exit::Success;
    let mut written = BTreeSet::new();
    for file in &arguments.files {
        let job = Job { pool: &pool, presets: &presets, out: &arguments.out, bytes_max };
        let told = render_one(&job, file, &mut written).await;
        if !told.failures.is_empty() {
            exit = Exit::SomeFailed;
        }
        tell(&told, &arguments);
    }
    pool.close().await;
    Ok(exit)
}

fn chosen(table: &PresetTable, names: &[String]) -> anyhow::Result<Vec<Preset>> {
    let unknown: Vec<&str> = names.iter().map(String::as_str).filter(|name| table.get(name).is_none()).collect();
    if !unknown.is_empty() {
        let known = table.iter().map(|preset| preset.name.as_str()).collect::<Vec<_>>().join(", ");
        bail!("there is no preset {}; there are {known}", unknown.join(", "));
    }
    Ok(names.iter().filter_map(|name| table.get(name)).cloned().collect())
}

/// What is the same for every file.
struct Job<'a> {
    pool: &'a Pool,
    presets: &'a [Preset],
    out: &'a Path,
    bytes_max: u64,
}

async fn render_one(job: &Job<'_>, file: &Path, written: &mut BTreeSet<PathBuf>) -> Told {
    let Job { pool, presets, out, bytes_max } = *job;
    let mut told = Told { file: file.display().to_string(), ..Told::default() };
    let answer = match read(file, bytes_max) {
        Ok(source) => pool.render(None, &source, presets.to_vec()).await,
        Err(error) => {
            told.failures.push(format!("{error:#}"));
            return told;
        }
    };
    let Answer { steps, result, .. } = answer;
    told.steps_ms = steps.into_iter().map(|(step, took)| (step.name(), milliseconds(took))).collect();
    match result {
        Err(failure) => told.failures.push(failure.to_string()),
        Ok(renderings) => {
            told.format = Some(renderings.picture.format.name());
            told.width = Some(renderings.picture.dimensions.width);
            told.height = Some(renderings.picture.dimensions.height);
            told.pages = Some(renderings.picture.pages);
            for (preset, rendering) in presets.iter().zip(renderings.presets) {
                match write(file, out, preset, rendering, written) {
                    Ok(outputs) => told.outputs.extend(outputs),
                    Err(error) => told.failures.push(format!("{}: {error:#}", preset.name)),
                }
            }
        }
    }
    told
}

fn read(file: &Path, bytes_max: u64) -> anyhow::Result<SealedSource> {
    let bytes = source_file::read(file, bytes_max)?;
    SealedSource::from_bytes(&bytes).context("cannot make a memory file")
}

/// Writes the pages; page 1 without a number, further ones with theirs before the extension.
/// Two files of one name would overwrite each other's: the second is refused.
fn write(
    file: &Path,
    out: &Path,
    preset: &Preset,
    rendering: Rendering,
    written: &mut BTreeSet<PathBuf>,
) -> anyhow::Result<Vec<Output>> {
    let pages = rendering.result.map_err(|failure| anyhow!("{failure}"))?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut outputs = Vec::with_capacity(pages.len());
    for (index, page) in pages.into_iter().enumerate() {
        let number = if index == 0 { String::new() } else { format!(".{}", index + 1) };
        let path = out.join(format!("{stem}.{}{number}.{}", preset.name, preset.format.name()));
        if !written.insert(path.clone()) {
            bail!("{} was written for another file of this name just now", path.display());
        }
        std::fs::write(&path, &page.bytes).with_context(|| format!("cannot write {}", path.display()))?;
        let (width, height) = (page.dimensions.width, page.dimensions.height);
        outputs.push(Output { path: path.display().to_string(), width, height, bytes: page.bytes.len() });
    }
    Ok(outputs)
}

fn tell(told: &Told, arguments: &Arguments) {
    if arguments.json {
        // Strings and numbers only: it cannot fail to be written.
        print_line(&serde_json::to_string(told).unwrap_or_default());
        return;
    }
    if arguments.explain
        && let (Some(format), Some(width), Some(height), Some(pages)) =
            (told.format, told.width, told.height, told.pages)
    {
        print_line(&format!("{}: {format}, {width}x{height}, {pages} page(s)", told.file));
        told.steps_ms.iter().for_each(|(step, ms)| print_line(&format!("  {step:<8} {ms:>8.2} ms")));
    }
    for Output { path, width, height, bytes } in &told.outputs {
        print_line(&format!("{path}  {width}x{height}  {bytes} bytes"));
    }
    told.failures.iter().for_each(|failure| print_line(&format!("{}: {failure}", told.file)));
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
