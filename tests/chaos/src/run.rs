//! One run: start everything, send and strike, wait until all is quiet, stop, check.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::checker::{self, Expected, figures};
use crate::faults::{self, Kind};
use crate::guard::{Guard, lock};
use crate::load::contents::Contents;
use crate::load::{self, Accepted, Plan};
use crate::options::{Options, Shape};
use crate::progress::Progress;
use crate::report::Report;
use crate::system::{Executable, System, production, single};
use crate::{schedule, servers};

/// How often somebody looks whether a process has ended by itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// The faults that are possible here and were asked for.
fn kinds(options: &Options, has_hooks: bool) -> anyhow::Result<Vec<Kind>> {
    let (broker, database) = servers::ours();
    let possible = faults::possible(options.shape, broker, database, has_hooks);
    if let Some(impossible) = options.only.iter().find(|kind| !possible.contains(kind)) {
        bail!(
            "{} cannot be done here: it needs another shape, servers of our own, the right to mount, or a build with test-hooks",
            impossible.name()
        );
    }
    Ok(if options.only.is_empty() { possible } else { options.only.clone() })
}

/// What a run would do, a line for each fault.
pub(crate) fn plan(options: &Options) -> anyhow::Result<String> {
    let has_hooks = Executable::has_hooks(&Executable::find(options.thumbline.as_deref())?)?;
    let schedule = schedule::faults(options.seed, options.faults, options.uploads, &kinds(options, has_hooks)?);
    let lines = schedule.iter().map(|fault| {
        format!(
            "{:>6}  after {:>6} uploads  {:<20} {:>5} ms",
            fault.number,
            fault.after_uploads,
            fault.kind.name(),
            fault.milliseconds
        )
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// What a run has so far; kept when it is interrupted.
#[derive(Clone)]
struct Sofar {
    begun: Instant,
    accepted: Arc<Mutex<Accepted>>,
    deaths: Arc<Mutex<Vec<String>>>,
    progress: Progress,
}

/// Fails when the run could not even begin; everything after that is in the report.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let found = Executable::find(options.thumbline.as_deref())?;
    let guard = Arc::new(Guard::new(options.keep)?);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let sofar = Sofar {
        begun: Instant::now(),
        accepted: Arc::default(),
        deaths: Arc::default(),
        progress: Progress::new(options.uploads, options.faults),
    };
    let ended = tokio::select! {
        ended = from_beginning_to_end(options, &found, &guard, &sofar) => ended,
        _ = interrupt.recv() => Ok(sofar.report(options)),
        _ = terminate.recv() => Ok(sofar.report(options)),
    };
    sofar.progress.finish();
    if options.keep {
        eprintln!("chaos: logs and data are in {}", guard.directory().display());
    }
    tokio::task::spawn_blocking(move || guard.finish()).await?;
    ended
}

impl Sofar {
    fn report(&self, options: &Options) -> Report {
        let accepted = lock(&self.accepted).clone();
        Report {
            seconds: self.begun.elapsed().as_secs(),
            uploads_accepted: accepted.uploads.len() as u32,
            bad_events: accepted.bad.len() as u32,
            faults_struck: self.progress.faults(),
            ..Report::new(options)
        }
    }
}

async fn from_beginning_to_end(
    options: &Options,
    found: &std::path::Path,
    guard: &Arc<Guard>,
    sofar: &Sofar,
) -> anyhow::Result<Report> {
    let executable = Executable::take(found, guard)?;
    if options.broken.is_some() && !executable.has_hooks {
        bail!("--broken needs a build with hooks: cargo build --features test-hooks");
    }
    let kinds = kinds(options, executable.has_hooks)?;
    let contents = Arc::new(Contents::new(options.seed, options.corpus.as_deref())?);
    let plan = Arc::new(Plan::new(options.seed, options.uploads, options.shape));
    sofar.progress.tell("starting servers and processes");
    let system = Arc::new(match options.shape {
        Shape::Production => production::start(guard, executable, options).await?,
        Shape::AllInOne => single::start(guard, executable, options).await?,
    });
    checker::forget_none(&system).await?;
    let schedule = schedule::faults(options.seed, options.faults, options.uploads, &kinds);
    match hurt_and_check(options, &system, &plan, &contents, schedule, sofar).await {
        Ok(report) => Ok(report),
        Err(error) => Ok(Report { error: Some(format!("{error:#}")), ..sofar.report(options) }),
    }
}

async fn hurt_and_check(
    options: &Options,
    system: &Arc<System>,
    plan: &Arc<Plan>,
    contents: &Arc<Contents>,
    schedule: Vec<schedule::Fault>,
    sofar: &Sofar,
) -> anyhow::Result<Report> {
    let Sofar { accepted, deaths, progress, .. } = sofar;
    let watching = tokio::spawn(watch_deaths(Arc::clone(system), Arc::clone(deaths)));
    let ((sent, sent_seen), (reached, reached_seen)) = (watch::channel(0), watch::channel(0));
    let striking = tokio::spawn(faults::strike_all(Arc::clone(system), schedule, sent_seen, reached, progress.clone()));
    let sending = load::send_all(system, plan, contents, options, (sent, reached_seen), accepted, progress);
    let (copies_sent, struck) = tokio::try_join!(sending, async { striking.await.context("a fault panicked")? })?;

    let told = |what: &str| progress.tell(what);
    if !checker::until_quiet(system, told).await? {
        progress.tell("nothing moves any more, and not everything is done");
    }
    watching.abort();
    system.stop().await?;
    let expected = Expected::new(plan, lock(accepted).clone(), lock(deaths).clone());
    let (seen, violations) = checker::check(system, expected, contents, &told).await?;
    let (figures, attempts_again) = figures::measure(&struck, &seen);
    let mut rows = std::collections::BTreeMap::new();
    for row in &seen.rows {
        *rows.entry(row.state.clone()).or_default() += 1;
    }
    system.clean_up().await?;
    Ok(Report {
        finished: true,
        copies_sent,
        figures,
        rows,
        blobs: seen.blobs.len() as u32,
        attempts_again,
        violations,
        ..sofar.report(options)
    })
}

/// A process that ends by itself is a finding; it is started again, so that the run goes on.
async fn watch_deaths(system: Arc<System>, deaths: Arc<Mutex<Vec<String>>>) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        for member in system.apis.iter().chain(&system.workers) {
            let _alone = member.alone().await;
            if let Some(words) = member.ended_by_itself().await? {
                lock(&deaths).push(words);
                member.start(&system.guard, &[]).await?;
            }
        }
    }
}
