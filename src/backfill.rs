//! `thumbline backfill`: registers what is already in a bucket, on the lane for what can wait.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shared::domain::lane::Lane;
use shared::domain::source::AllowedBuckets;
use shared::ports::scan::ScanCount;
use shared::scan::{Scan, ScanError};

use crate::cli::{CommonArguments, print_line};
use crate::config::Config;
use crate::exit::{Exit, Failed};
use crate::platform::{Platform, Schema, away};
use crate::shutdown::Shutdown;

/// Longest time for one page before another process may take it.
const PAGE_LEASE: Duration = Duration::from_secs(120);
/// Pause before asking again for a page that another process has.
const PAGE_PAUSE: Duration = Duration::from_secs(1);
/// Rows that wait in the backfill lane above which nothing more is registered, so that the lane stays a queue and not a
/// copy of the bucket.
const PENDING_MAX: u64 = 50_000;

/// Arguments of `thumbline backfill`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to look; the bucket is one of [[sources]]
    #[arg(value_name = "s3://BUCKET[/PREFIX]")]
    place: String,
    /// Begin anew rather than where the last run of the same place stopped
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    common: CommonArguments,
    /// Print one JSON object per page
    #[arg(long)]
    json: bool,
}

/// Exit 130 when interrupted; the next run goes on from there.
pub async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let config = arguments.common.load(None)?.config;
    let buckets = config.allowed_buckets();
    let (bucket, prefix) = place(&arguments.place, &buckets).map_err(Failed::usage)?;
    let shutdown = Shutdown::on_signals()?;
    let Some(platform) = Platform::connect(&config, Schema::Await, &shutdown.drain).await? else {
        return Ok(Exit::Interrupted);
    };
    let name = format!("backfill:{bucket}/{prefix}");
    if arguments.restart {
        platform.scans.restart(&name).await.map_err(away)?;
    }
    let backfill = Backfill { config: &config, platform: &platform, buckets: &buckets, bucket, prefix, name };
    backfill.run(&shutdown, arguments.json).await
}

fn place<'a>(text: &'a str, buckets: &AllowedBuckets) -> anyhow::Result<(&'a str, &'a str)> {
    let place = text.strip_prefix("s3://").with_context(|| format!("{text} is not s3://BUCKET/PREFIX"))?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let allowed = || buckets.names().collect::<Vec<_>>().join(", ");
    buckets.get(bucket).ok_or_else(|| anyhow!("{bucket} is none of [[sources]]: {}", allowed()))?;
    Ok((bucket, prefix))
}

struct Backfill<'a> {
    config: &'a Config,
    platform: &'a Platform,
    buckets: &'a AllowedBuckets,
    bucket: &'a str,
    prefix: &'a str,
    /// Names the cursor.
    name: String,
}

impl Backfill<'_> {
    async fn run(&self, shutdown: &Shutdown, json: bool) -> Result<Exit, Failed> {
        let presets = self.config.preset_table();
        let scan = Scan {
            store: &*self.platform.store,
            scans: &*self.platform.scans,
            sources: &*self.platform.sources,
            queue: &*self.platform.queue,
            buckets: self.buckets,
            presets: &presets,
            bucket: self.bucket,
            prefix: self.prefix,
            lane: Lane::Backfill,
        };
        let mut shown = Shown::new(json);
        loop {
            if shutdown.drain.is_cancelled() {
                return Ok(Exit::Interrupted);
            }
            let pending = self.pending().await?;
            if pending >= PENDING_MAX {
                shown.waits(pending);
                tokio::time::sleep(PAGE_PAUSE).await;
                continue;
            }
            let taken = self.platform.scans.take_page(&self.name, Duration::ZERO, PAGE_LEASE).await.map_err(away)?;
            let Some(progress) = taken else {
                tokio::time::sleep(PAGE_PAUSE).await;
                continue;
            };
            let page = scan.page(progress.after.as_deref()).await.map_err(failed)?;
            self.platform.scans.page_done(&self.name, page.after.as_deref(), page.count).await.map_err(away)?;
            let total = ScanCount {
                listed: progress.count.listed + page.count.listed,
                registered: progress.count.registered + page.count.registered,
            };
            shown.page(&total, page.after.as_deref(), pending);
            if page.after.is_none() {
                break;
            }
        }
        self.rendered(shutdown, &mut shown).await
    }

    /// Rows that wait in the backfill lane.
    async fn pending(&self) -> Result<u64, Failed> {
        let lanes = self.platform.store.backlog().await.map_err(away)?;
        Ok(lanes.iter().find(|waiting| waiting.lane == Lane::Backfill).map_or(0, |waiting| waiting.pending))
    }

    /// Shows how the lane empties, with the time that is left at this rate. Interrupting it loses nothing.
    async fn rendered(&self, shutdown: &Shutdown, shown: &mut Shown) -> Result<Exit, Failed> {
        loop {
            let pending = self.pending().await?;
            shown.rendering(pending);
            if pending == 0 {
                return Ok(Exit::Success);
            }
            tokio::select! {
                () = shutdown.drain.cancelled() => return Ok(Exit::Interrupted),
                () = tokio::time::sleep(PAGE_PAUSE) => {}
            }
        }
    }
}

fn failed(error: ScanError) -> Failed {
    match error {
        ScanError::Store(error) => away(error),
        ScanError::Bucket(error) => Failed::dependency(error),
    }
}

/// What is told while it runs.
struct Shown {
    json: bool,
    bar: Option<ProgressBar>,
    began: Instant,
    /// Rows that waited when the rendering alone was left.
    left_at_first: Option<(u64, Instant)>,
}

impl Shown {
    fn new(json: bool) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::new_spinner().with_style(style)
        });
        Self { json, bar, began: Instant::now(), left_at_first: None }
    }

    fn page(&mut self, total: &ScanCount, after: Option<&str>, pending: u64) {
        let ScanCount { listed, registered } = *total;
        let rate = listed as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let line = format!("{listed} listed, {registered} registered, {pending} pending, {rate:.0} objects a second");
        let entry = json!({ "listed": listed, "registered": registered, "pending": pending, "after": after });
        self.tell(line, &entry);
    }

    fn waits(&mut self, pending: u64) {
        self.tell(format!("{pending} pending: waiting for workers"), &json!({ "pending": pending, "waiting": true }));
    }

    fn rendering(&mut self, pending: u64) {
        let (first, since) = *self.left_at_first.get_or_insert((pending, Instant::now()));
        let done = first.saturating_sub(pending);
        let eta = (done > 0).then(|| since.elapsed().as_secs_f64() / done as f64 * pending as f64);
        let left = eta.map_or_else(String::new, |seconds| format!(", about {seconds:.0} s left"));
        self.tell(format!("{pending} pending{left}"), &json!({ "pending": pending, "eta_seconds": eta }));
    }

    fn tell(&mut self, line: String, entry: &serde_json::Value) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None => print_line(&if self.json { entry.to_string() } else { line }),
        }
    }
}
