//! What making it all anew would cost: a few stale versions are rendered here and now, and thrown away.

use futures_util::TryStreamExt as _;
use shared::domain::file::FileState;
use shared::domain::preset::{Preset, PresetTable};
use shared::ports::blob_store::SourceStore;
use worker::Admission;
use worker::child::{Pool, SealedSource};

use super::PAGE;
use super::plan::Plan;
use crate::config::Config;
use crate::cpu_time::cpu_of_all;
use crate::exit::Failed;
use crate::platform::{Blobs, Rows, away};
use crate::roles;
use crate::shutdown::Shutdown;

/// What it would cost.
#[derive(Debug)]
pub(super) struct Estimate {
    /// Versions that were rendered, or tried.
    pub(super) sampled: u32,
    /// Of them, those that failed.
    pub(super) failed: u32,
    /// Hours of one core, parent and children together.
    pub(super) cpu_hours: f64,
    /// Bytes of all pages.
    pub(super) bytes: u64,
}

/// What one version cost.
struct Cost {
    representations: u64,
    cpu_seconds: f64,
    bytes: u64,
}

/// `None` when there is nothing to sample, or it was not asked for.
pub(super) async fn estimate(
    rows: &Rows,
    config: &Config,
    plan: &Plan,
    wanted: u32,
    shutdown: &Shutdown,
) -> Result<Option<Estimate>, Failed> {
    let states = pick(rows, plan, wanted as usize).await?;
    if states.is_empty() {
        return Ok(None);
    }
    let (sources, table) = (Blobs::open(config)?.sources, config.preset_table());
    let (limits, sandbox) = (config.limits.clone().into(), config.sandbox.clone());
    let child = roles::child_command().map_err(Failed::from)?;
    let pool = Pool::new(child, limits, sandbox, u32::MAX, Admission::unbounded())
        .map_err(|error| Failed::from(anyhow::Error::new(error)))?;
    let (mut sampled, mut failed) = (0, 0);
    let mut total = Cost { representations: 0, cpu_seconds: 0.0, bytes: 0 };
    for state in &states {
        if shutdown.drain.is_cancelled() {
            break;
        }
        sampled += 1;
        match render(&pool, &*sources, config, &stale_presets(plan, &table, state), state).await {
            Ok(cost) => {
                total.representations += cost.representations;
                total.cpu_seconds += cost.cpu_seconds;
                total.bytes += cost.bytes;
            }
            Err(error) => {
                tracing::debug!(file_version.id = %state.version.id, "not part of the sample: {error:#}");
                failed += 1;
            }
        }
    }
    pool.close().await;
    let scale = plan.representations() as f64 / total.representations.max(1) as f64;
    let cpu_hours = total.cpu_seconds * scale / 3600.0;
    Ok(Some(Estimate { sampled, failed, cpu_hours, bytes: (total.bytes as f64 * scale) as u64 }))
}

/// Versions from all over the plan.
async fn pick(rows: &Rows, plan: &Plan, wanted: usize) -> Result<Vec<FileState>, Failed> {
    let mut picked = Vec::new();
    if wanted == 0 {
        return Ok(picked);
    }
    let of_each = wanted.div_ceil(plan.pages.len().max(1));
    let every = plan.pages.len().div_ceil(wanted).max(1);
    for after in plan.pages.iter().step_by(every) {
        let states = rows.store.stale(&plan.renewals(), *after, PAGE).await.map_err(away)?;
        let step = states.len().div_ceil(of_each).max(1);
        picked.extend(states.into_iter().step_by(step));
    }
    picked.truncate(wanted);
    Ok(picked)
}

fn stale_presets(plan: &Plan, table: &PresetTable, state: &FileState) -> Vec<Preset> {
    let is_stale = |preset: &Preset| {
        let row = state.representation(&preset.name);
        row.is_some_and(|row| {
            plan.stale.iter().any(|stale| stale.renewal.preset == preset.name && stale.renewal.made_by == row.recipe)
        })
    };
    let names = state.representations.iter().filter_map(|row| table.resolve(row.preset.as_str()));
    names.map(std::borrow::Cow::into_owned).filter(is_stale).collect()
}

/// Fetches and renders as a worker does; nothing is stored.
async fn render(
    pool: &Pool,
    sources: &dyn SourceStore,
    config: &Config,
    presets: &[Preset],
    state: &FileState,
) -> anyhow::Result<Cost> {
    let before = cpu_of_all();
    let read = sources.open(&state.version.source).await?;
    let bytes_max = config.limits.widest().source_bytes_max;
    anyhow::ensure!(read.length_bytes <= bytes_max, "the source is longer than {bytes_max} bytes");
    let chunks: Vec<bytes::Bytes> = read.stream.try_collect().await?;
    let sealed = SealedSource::from_bytes(&chunks.concat())?;
    let answer = pool.render(Some(&state.file.tenant), &sealed, presets.to_vec()).await;
    let renderings = answer.result.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let pages = renderings.presets.iter().filter_map(|rendering| rendering.result.as_ref().ok()).flatten();
    let bytes = pages.map(|page| page.bytes.len() as u64).sum();
    let cpu_seconds = cpu_of_all().saturating_sub(before).as_secs_f64();
    Ok(Cost { representations: presets.len() as u64, cpu_seconds, bytes })
}
