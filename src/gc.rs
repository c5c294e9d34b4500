//! `thumbline gc`: deletes blobs that no row refers to; without `--apply` it only says what it would do.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::json;
use shared::ports::collection::{Condemned, SETTLE_SECONDS_MAX};
use worker::{CollectError, Collector, Deleted, Looked};

use crate::cli::print_line;
use crate::config::Config;
use crate::exit::{Exit, Failed};
use crate::platform::{Blobs, Rows, away};
use crate::shutdown::Shutdown;

/// Longest time for one page before another process may take it.
const PAGE_LEASE: Duration = Duration::from_secs(120);
/// Pause before asking again for what another process has, or what is not over yet.
const PAUSE: Duration = Duration::from_secs(1);

/// Arguments of `thumbline gc`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Delete; without it nothing is changed
    #[arg(long)]
    apply: bool,
    /// With --apply: begin anew rather than where the last look through all blobs stopped
    #[arg(long)]
    restart: bool,
    /// With --apply: leave what was found just now to the next run rather than wait two minutes for running settles
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Exit 130 when interrupted; the next run goes on from there.
pub async fn run(arguments: &Arguments, config: &Config) -> Result<Exit, Failed> {
    let (rows, blobs) = (Rows::open(config).await?, Blobs::open(config)?);
    let shutdown = Shutdown::on_signals()?;
    let collector = Collector { store: &*rows.store, blobs: &*blobs.blobs, grace: config.gc.grace() };
    let (looked, bar) = (Looked::default(), bar(arguments));
    let mut run = Run { arguments, rows: &rows, collector, shutdown: &shutdown, looked, bar };
    let (deleted, interrupted) = match run.look().await? {
        true if arguments.apply => run.delete().await?,
        looked_through => (Deleted::default(), !looked_through),
    };
    run.bar.finish_and_clear();
    let waiting = rows.store.count_condemned().await.map_err(away)?;
    tell(arguments, config, &run.looked, &deleted, waiting, interrupted);
    Ok(match (interrupted, deleted.failed) {
        (true, _) => Exit::Interrupted,
        (false, 0) => Exit::Success,
        (false, _) => Exit::SomeFailed,
    })
}

struct Run<'a> {
    arguments: &'a Arguments,
    rows: &'a Rows,
    collector: Collector<'a>,
    shutdown: &'a Shutdown,
    looked: Looked,
    bar: ProgressBar,
}

impl Run<'_> {
    /// Looks through all blobs; `false` when interrupted before the end.
    async fn look(&mut self) -> Result<bool, Failed> {
        if self.arguments.apply && self.arguments.restart {
            self.rows.scans.restart(worker::LOOK_NAME).await.map_err(away)?;
        }
        let mut after = None;
        loop {
            if self.shutdown.drain.is_cancelled() {
                return Ok(false);
            }
            let page = if self.arguments.apply {
                let Some(page) = self.shared_page().await? else { continue };
                page
            } else {
                self.collector.look(after.as_deref(), false).await.map_err(failed)?
            };
            self.looked.blobs += page.blobs;
            self.looked.foreign += page.foreign;
            self.looked.found += page.found;
            self.looked.found_bytes += page.found_bytes;
            let Looked { blobs, found, found_bytes, .. } = &self.looked;
            self.bar.set_message(format!("{blobs} looked at, {found} without a row ({})", HumanBytes(*found_bytes)));
            self.bar.tick();
            if page.next.is_none() {
                return Ok(true);
            }
            after = page.next;
        }
    }

    /// The next page under the cursor that all processes share; `None` after a pause while another one has it.
    async fn shared_page(&self) -> Result<Option<Looked>, Failed> {
        let scans = &self.rows.scans;
        let taken = scans.take_page(worker::LOOK_NAME, Duration::ZERO, PAGE_LEASE).await.map_err(away)?;
        let Some(progress) = taken else {
            tokio::time::sleep(PAUSE).await;
            return Ok(None);
        };
        let page = self.collector.look(progress.after.as_deref(), true).await.map_err(failed)?;
        scans.page_done(worker::LOOK_NAME, page.next.as_deref(), page.count()).await.map_err(away)?;
        Ok(Some(page))
    }

    /// Deletes what is due, and what this run has found once no settle can refer to it any more.
    async fn delete(&mut self) -> Result<(Deleted, bool), Failed> {
        let until = tokio::time::Instant::now() + Duration::from_secs(SETTLE_SECONDS_MAX + 1);
        let mut total = Deleted::default();
        loop {
            if self.shutdown.drain.is_cancelled() {
                return Ok((total, true));
            }
            if let Some(step) = self.collector.delete().await.map_err(failed)? {
                total.blobs += step.blobs;
                total.bytes += step.bytes;
                total.failed += step.failed;
                self.bar.set_message(format!("{} deleted ({})", total.blobs, HumanBytes(total.bytes)));
                self.bar.tick();
                continue;
            }
            if self.arguments.no_wait || self.looked.found == 0 || tokio::time::Instant::now() >= until {
                return Ok((total, false));
            }
            let _ = tokio::time::timeout(PAUSE, self.shutdown.drain.cancelled()).await;
            self.bar.tick();
        }
    }
}

fn bar(arguments: &Arguments) -> ProgressBar {
    if arguments.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn failed(error: CollectError) -> Failed {
    match error {
        CollectError::Store(error) => away(error),
        CollectError::Blobs(error) => Failed::dependency(error),
    }
}

fn tell(
    arguments: &Arguments,
    config: &Config,
    looked: &Looked,
    deleted: &Deleted,
    waiting: Condemned,
    interrupted: bool,
) {
    if arguments.json {
        let told = json!({
            "looked_at": looked.blobs, "foreign": looked.foreign,
            "found": { "blobs": looked.found, "bytes": looked.found_bytes },
            "deleted": { "blobs": deleted.blobs, "bytes": deleted.bytes, "failed": deleted.failed },
            "waiting": { "blobs": waiting.blobs, "bytes": waiting.bytes },
            "dry_run": !arguments.apply, "interrupted": interrupted,
        });
        return print_line(&told.to_string());
    }
    let Looked { blobs, foreign, found, found_bytes, .. } = looked;
    print_line(&format!("{blobs} blobs looked at, {found} of them ({}) belong to no row", HumanBytes(*found_bytes)));
    if *foreign > 0 {
        print_line(&format!("{foreign} objects are none of ours, and stay"));
    }
    if arguments.apply {
        print_line(&format!("{} blobs deleted ({})", deleted.blobs, HumanBytes(deleted.bytes)));
    }
    if deleted.failed > 0 {
        print_line(&format!("{} blobs could not be deleted; they are tried again", deleted.failed));
    }
    let hours = config.gc.grace_hours;
    print_line(&format!(
        "{} blobs ({}) wait until nothing has referred to them for {hours} hours",
        waiting.blobs,
        HumanBytes(waiting.bytes)
    ));
    if !arguments.apply {
        print_line("nothing was changed: --apply deletes");
    }
    if interrupted {
        print_line("interrupted; the same command goes on");
    }
}
