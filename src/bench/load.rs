//! `thumbline bench load`: puts load on a deployment, and tells what it carries and how long everybody waits.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::deployment::Deployment;
use super::tally::{Tally, Upload};
use crate::cli::print_line;
use crate::exit::{Exit, Failed};
use crate::shutdown::Shutdown;
use crate::source_file;

/// Longest source that is uploaded, bytes; it is kept in memory for the whole run.
const SOURCE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files that are removed at the same time, once everything was measured.
const REMOVED_AT_ONCE: usize = 8;

/// Arguments of `thumbline bench load`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Pictures to upload in turn, each time with a few random bytes behind the end of the picture, so that none is
    /// recognised as rendered before: JPEG, PNG, GIF, WebP or TIFF
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Where the API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// A token that may upload (or THUMBLINE_TOKEN)
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Uploads in all
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: u32,
    /// Uploads a second, whatever the answers take (default: as many as --at-once lets)
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// Most uploads that have begun and are not rendered yet
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    at_once: u32,
    /// Leave the files there; else they are removed for good when everything was measured
    #[arg(long)]
    keep: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=100_000.0).contains(rate));
    rate.ok_or_else(|| "a number from 0.001 to 100000 is right".to_owned())
}

/// Exit 1 when an upload failed, or something of it ended as `error`; what Ctrl-C interrupts is told all the same.
pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let read = |path: &PathBuf| Ok((name(path), source_file::read(path, SOURCE_BYTES_MAX)?));
    let sources: Vec<(String, Vec<u8>)> =
        arguments.files.iter().map(read).collect::<anyhow::Result<_>>().map_err(Failed::usage)?;
    let token = arguments.token.clone().or_else(|| std::env::var("THUMBLINE_TOKEN").ok());
    let deployment = Arc::new(Deployment::new(&arguments.server, token).map_err(Failed::usage)?);
    let shutdown = Shutdown::on_signals()?;
    let shown = Shown::new(&arguments);
    let tally = measure(&arguments, &deployment, &Arc::new(sources), &shutdown, &shown).await;
    if !arguments.keep {
        shown.say("removing what was uploaded");
        remove(&deployment, &tally).await;
    }
    shown.end();
    if tally.settled() == 0
        && let Some(reason) = tally.reasons().next()
    {
        return Err(Failed::dependency(anyhow!("not one upload came through: {reason}")));
    }
    print_line(&if arguments.json { tally.json().to_string() } else { tally.to_string() });
    Ok(match () {
        () if tally.uploads() < u64::from(arguments.count) => Exit::Interrupted,
        () if tally.failed() > 0 => Exit::SomeFailed,
        () => Exit::Success,
    })
}

fn name(path: &std::path::Path) -> String {
    path.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Begins uploads when they are due, and follows each to its end. Ctrl-C begins no more; a second one leaves those that
/// are under way.
async fn measure(
    arguments: &Arguments,
    deployment: &Arc<Deployment>,
    sources: &Arc<Vec<(String, Vec<u8>)>>,
    shutdown: &Shutdown,
    shown: &Shown,
) -> Tally {
    let between = arguments.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
    let began = Instant::now();
    let (mut tally, mut under_way, mut begun) = (Tally::new(began), JoinSet::new(), 0_u32);
    while !under_way.is_empty() || (begun < arguments.count && !shutdown.drain.is_cancelled()) {
        let due = began + between * begun;
        let may_begin =
            begun < arguments.count && under_way.len() < arguments.at_once as usize && !shutdown.drain.is_cancelled();
        tokio::select! {
            biased;
            () = shutdown.stop.cancelled() => break,
            Some(ended) = under_way.join_next(), if !under_way.is_empty() => {
                tally.add(ended.unwrap_or_else(|error| Upload::failed(error.to_string())));
                shown.tell(&tally, under_way.len());
            }
            () = tokio::time::sleep_until(due), if may_begin => {
                let (deployment, sources, number) = (Arc::clone(deployment), Arc::clone(sources), begun as usize);
                // What waits because too many are under way has waited: without a rate nobody was promised anything.
                let due = if between.is_zero() { Instant::now() } else { due };
                under_way.spawn(async move {
                    let (name, content) = &sources[number % sources.len()];
                    deployment.follow(name, content, due).await
                });
                begun += 1;
            }
            () = shutdown.drain.cancelled(), if may_begin => {}
        }
    }
    tally
}

/// What cannot be removed stays; that is no part of what was measured.
async fn remove(deployment: &Deployment, tally: &Tally) {
    let removed = tally.files().map(|file| deployment.remove(file));
    futures_util::stream::iter(removed).buffer_unordered(REMOVED_AT_ONCE).collect::<()>().await;
}

/// What is told while it runs.
struct Shown(Option<ProgressBar>);

impl Shown {
    fn new(arguments: &Arguments) -> Self {
        Self((!arguments.json && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} uploads  {elapsed}  {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(u64::from(arguments.count)).with_style(style)
        }))
    }

    fn tell(&self, tally: &Tally, under_way: usize) {
        let Some(bar) = &self.0 else { return };
        bar.set_position(tally.uploads());
        bar.set_message(format!("{:.1} a second, {under_way} under way, {} failed", tally.rate(), tally.failed()));
    }

    fn say(&self, what: &'static str) {
        if let Some(bar) = &self.0 {
            bar.set_message(what);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
