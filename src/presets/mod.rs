//! `thumbline presets`: which representations a change of presets made stale, making them anew, and the way back.

mod plan;
mod sample;

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::json;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::preset::PresetName;
use shared::ports::renewal::Renewed;
use shared::ports::scan::ScanCount;

use crate::cli::{CommonArguments, print_line};
use crate::config::Config;
use crate::exit::{Exit, Failed};
use crate::platform::{Rows, away};
use crate::shutdown::Shutdown;

use plan::Plan;
use sample::Estimate;

/// Versions that one step looks at.
const PAGE: u32 = 1000;
/// Versions that one step of a rollback changes.
const ROLLBACK_STEP: u32 = 200;
/// Longest time for one step before another process may take the next.
const PAGE_LEASE: Duration = Duration::from_secs(120);
/// Pause before looking again.
const PAUSE: Duration = Duration::from_secs(1);
/// Rows that wait in the backfill lane above which nothing more is begun.
const PENDING_MAX: u64 = 50_000;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Presets {
    /// Say what is stale, and what making it anew would cost
    Plan(PlanArguments),
    /// Make what is stale anew, on the lane backfill; the old bytes are served until the new ones are there
    Apply(ApplyArguments),
    /// Put back what was replaced, or is to be
    Rollback(RollbackArguments),
}

/// Arguments of `thumbline presets plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Only this preset
    #[arg(long)]
    preset: Option<PresetName>,
    /// File versions to render for the estimate (0: none)
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1000))]
    sample: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `thumbline presets apply`.
#[derive(Debug, Args)]
pub struct ApplyArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Only this preset
    #[arg(long)]
    preset: Option<PresetName>,
    /// Begin anew rather than where the last run for the same presets stopped
    #[arg(long)]
    restart: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Do not wait until everything is made
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `thumbline presets rollback`.
#[derive(Debug, Args)]
pub struct RollbackArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Only this preset
    #[arg(long)]
    preset: Option<PresetName>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Exit 130 when interrupted; the same command goes on.
pub async fn run(command: Presets) -> Result<Exit, Failed> {
    match command {
        Presets::Plan(arguments) => {
            let config = arguments.common.load(None)?.config;
            plan(&arguments, &config).await
        }
        Presets::Apply(arguments) => {
            let config = arguments.common.load(None)?.config;
            apply(&arguments, &config).await
        }
        Presets::Rollback(arguments) => {
            let config = arguments.common.load(None)?.config;
            roll_back(&arguments, &config).await
        }
    }
}

async fn plan(arguments: &PlanArguments, config: &Config) -> Result<Exit, Failed> {
    let rows = Rows::open(config).await?;
    let shutdown = Shutdown::on_signals()?;
    let bar = spinner(arguments.json);
    let counted = Plan::count(&rows, &config.preset_table(), arguments.preset.as_ref(), &shutdown, &bar).await?;
    let Some(plan) = counted else { return Ok(Exit::Interrupted) };
    bar.set_message("rendering a sample");
    let estimate = sample::estimate(&rows, config, &plan, arguments.sample, &shutdown).await?;
    bar.finish_and_clear();
    tell_plan(arguments, &plan, estimate.as_ref());
    Ok(Exit::Success)
}

fn tell_plan(arguments: &PlanArguments, plan: &Plan, estimate: Option<&Estimate>) {
    if arguments.json {
        let stale = plan.stale.iter().map(|stale| {
            json!({
                "preset": stale.renewal.preset.to_string(), "made_by": stale.renewal.made_by.as_str(),
                "recipe": stale.renewal.recipe.as_str(), "representations": stale.representations, "bytes": stale.bytes,
            })
        });
        let estimate = estimate.map(|estimate| {
            json!({
                "sampled": estimate.sampled, "failed": estimate.failed, "cpu_hours": estimate.cpu_hours,
                "bytes": estimate.bytes,
            })
        });
        let told = json!({
            "looked_at": plan.looked_at, "current": plan.current, "renewing": plan.renewing, "unknown": plan.unknown,
            "stale": stale.collect::<Vec<_>>(), "estimate": estimate,
        });
        return print_line(&told.to_string());
    }
    for stale in &plan.stale {
        let renewal = &stale.renewal;
        print_line(&format!(
            "{}: {} made by {}, {} is in force ({})",
            renewal.preset,
            stale.representations,
            renewal.made_by.as_str(),
            renewal.recipe.as_str(),
            HumanBytes(stale.bytes)
        ));
    }
    let total = plan.representations();
    print_line(&format!(
        "{total} representations are stale, {} are not, {} are being made anew",
        plan.current, plan.renewing
    ));
    if plan.unknown > 0 {
        print_line(&format!("{} are of presets that the configuration does not have; they stay", plan.unknown));
    }
    if let Some(estimate) = estimate {
        print_line(&format!(
            "about {:.2} CPU hours and {}, from a sample of {} file versions ({} of them failed)",
            estimate.cpu_hours,
            HumanBytes(estimate.bytes),
            estimate.sampled,
            estimate.failed
        ));
    }
}

async fn apply(arguments: &ApplyArguments, config: &Config) -> Result<Exit, Failed> {
    let rows = Rows::open(config).await?;
    let shutdown = Shutdown::on_signals()?;
    let bar = spinner(arguments.json);
    let table = config.preset_table();
    let Some(plan) = Plan::count(&rows, &table, arguments.preset.as_ref(), &shutdown, &bar).await? else {
        return Ok(Exit::Interrupted);
    };
    let question = format!("Make {} representations anew?", plan.representations());
    if plan.representations() > 0 && !arguments.yes && !bar.suspend(|| confirmed(&question))? {
        return Ok(Exit::Interrupted);
    }
    let (begun, mut interrupted) = begin(arguments, &rows, &plan, &shutdown, &bar).await?;
    if !interrupted && !arguments.no_wait {
        interrupted = !made(&rows, &shutdown, &bar).await?;
    }
    bar.finish_and_clear();
    if arguments.json {
        let told =
            json!({ "representations": begun.registered, "looked_at": begun.listed, "interrupted": interrupted });
        print_line(&told.to_string());
    } else {
        print_line(&format!("{} representations are made anew on lane {}", begun.registered, Lane::Backfill.name()));
        print_line(if interrupted {
            "interrupted; the same command goes on"
        } else {
            "rollback puts back what was there"
        });
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Success })
}

/// Begins renewals page by page, under a cursor of this very change; and whether it was interrupted.
async fn begin(
    arguments: &ApplyArguments,
    rows: &Rows,
    plan: &Plan,
    shutdown: &Shutdown,
    bar: &ProgressBar,
) -> Result<(ScanCount, bool), Failed> {
    let (name, renewals) = (plan.cursor(), plan.renewals());
    if arguments.restart {
        rows.scans.restart(&name).await.map_err(away)?;
    }
    let mut total = ScanCount::default();
    loop {
        if shutdown.drain.is_cancelled() {
            return Ok((total, true));
        }
        let pending = pending(rows).await?;
        let taken = match pending {
            0..PENDING_MAX => rows.scans.take_page(&name, Duration::ZERO, PAGE_LEASE).await.map_err(away)?,
            _ => None,
        };
        let Some(progress) = taken else {
            bar.set_message(format!("{pending} pending: waiting"));
            let _ = tokio::time::timeout(PAUSE, shutdown.drain.cancelled()).await;
            continue;
        };
        let after = progress.after.as_deref().and_then(|after| after.parse::<FileVersionId>().ok());
        let Renewed { representations, last, .. } = rows.store.renew(&renewals, after, PAGE).await.map_err(away)?;
        let page = ScanCount { listed: u64::from(PAGE), registered: representations };
        let next = last.map(|last| last.to_string());
        rows.scans.page_done(&name, next.as_deref(), page).await.map_err(away)?;
        total.registered += representations;
        total.listed = plan.looked_at.min(total.listed + page.listed);
        bar.set_message(format!("{} of {} begun", total.registered, plan.representations()));
        bar.tick();
        if last.is_none() {
            return Ok((total, false));
        }
    }
}

/// Rows that wait in the backfill lane.
async fn pending(rows: &Rows) -> Result<u64, Failed> {
    let lanes = rows.store.backlog().await.map_err(away)?;
    Ok(lanes.iter().find(|waiting| waiting.lane == Lane::Backfill).map_or(0, |waiting| waiting.pending))
}

/// Shows how the lane empties; `false` when interrupted before, which loses nothing.
async fn made(rows: &Rows, shutdown: &Shutdown, bar: &ProgressBar) -> Result<bool, Failed> {
    let began = std::time::Instant::now();
    let mut first = None;
    loop {
        let pending = pending(rows).await?;
        if pending == 0 {
            return Ok(true);
        }
        let done = first.get_or_insert(pending).saturating_sub(pending);
        let left = (done > 0).then(|| began.elapsed().as_secs_f64() / done as f64 * pending as f64);
        let left = left.map_or_else(String::new, |seconds| format!(", about {seconds:.0} s left"));
        bar.set_message(format!("{pending} pending{left}"));
        bar.tick();
        if tokio::time::timeout(PAUSE, shutdown.drain.cancelled()).await.is_ok() {
            return Ok(false);
        }
    }
}

async fn roll_back(arguments: &RollbackArguments, config: &Config) -> Result<Exit, Failed> {
    let rows = Rows::open(config).await?;
    let shutdown = Shutdown::on_signals()?;
    let which = arguments.preset.as_ref().map_or_else(|| "every preset".to_owned(), PresetName::to_string);
    if !arguments.yes && !confirmed(&format!("Put back what {which} had before its last change?"))? {
        return Ok(Exit::Interrupted);
    }
    let bar = spinner(arguments.json);
    let mut total = 0;
    let interrupted = loop {
        if shutdown.drain.is_cancelled() {
            break true;
        }
        let step = rows.store.roll_back(arguments.preset.as_ref(), ROLLBACK_STEP).await.map_err(away)?;
        total += step.representations;
        bar.set_message(format!("{total} put back"));
        bar.tick();
        if step.last.is_none() {
            break false;
        }
    };
    bar.finish_and_clear();
    if arguments.json {
        print_line(&json!({ "representations": total, "interrupted": interrupted }).to_string());
    } else {
        print_line(&format!("{total} representations are what they were; change the configuration back, too"));
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Success })
}

fn confirmed(question: &str) -> Result<bool, Failed> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::usage(anyhow!("nobody can be asked: add --yes")));
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Failed::usage(anyhow!(error)))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn spinner(json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
