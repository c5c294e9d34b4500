//! Lets the faults of a schedule strike, each when its moment has come, several at a time where they do not concern the same.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;

use super::{Kind, connections, disk, processes, servers};
use crate::options::Shape;
use crate::progress::Progress;
use crate::schedule::Fault;
use crate::system::System;

/// Faults that last at the same time; more, and nothing would ever be done.
const AT_ONCE: usize = 3;

/// A fault that has struck; times in milliseconds of unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Struck {
    pub(crate) kind: Kind,
    pub(crate) began: i64,
    /// From here on the rest is up to Thumbline: a killed process was started again, a server answers, a proxy forwards.
    pub(crate) over: i64,
}

/// Those who can be hurt by one fault at a time.
#[derive(Default)]
struct Victims {
    broker: Mutex<()>,
    database: Mutex<()>,
    store: Mutex<()>,
    disk: Mutex<()>,
}

/// The kinds that can be made of this shape, on these servers.
pub(crate) fn possible(shape: Shape, broker_is_ours: bool, database_is_ours: bool, has_hooks: bool) -> Vec<Kind> {
    use clap::ValueEnum as _;
    let single = [Kind::WorkerKilled, Kind::ChildKilled, Kind::DiskFull];
    let fits = |kind: &Kind| match shape {
        Shape::AllInOne => single.contains(kind) && (*kind != Kind::DiskFull || disk::can_be_filled()),
        Shape::Production => {
            *kind != Kind::DiskFull
                && (broker_is_ours || !kind.hurts_broker())
                && (database_is_ours || !kind.hurts_database())
                && (has_hooks || !kind.needs_hooks())
        }
    };
    Kind::value_variants().iter().copied().filter(fits).collect()
}

/// Strikes as uploads are sent; `reached` tells the uploads how far they may go on. Ends when every fault is over.
pub(crate) async fn strike_all(
    system: Arc<System>,
    schedule: Vec<Fault>,
    mut sent: watch::Receiver<u32>,
    reached: watch::Sender<u32>,
    progress: Progress,
) -> anyhow::Result<Vec<Struck>> {
    let victims = Arc::new(Victims::default());
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let (mut striking, mut struck) = (JoinSet::new(), Vec::new());
    for fault in schedule {
        reached.send_replace(fault.after_uploads);
        if sent.wait_for(|sent| *sent >= fault.after_uploads).await.is_err() {
            break;
        }
        let permit = Arc::clone(&at_once).acquire_owned().await?;
        let (system, victims, progress) = (Arc::clone(&system), Arc::clone(&victims), progress.clone());
        striking.spawn(async move {
            let one = strike(&system, &victims, &fault).await;
            progress.struck(fault.kind);
            drop(permit);
            one
        });
        while let Some(done) = striking.try_join_next() {
            struck.extend(done??);
        }
    }
    reached.send_replace(u32::MAX);
    while let Some(done) = striking.join_next().await {
        struck.extend(done??);
    }
    struck.sort_by_key(|one| one.began);
    Ok(struck)
}

/// One fault from its beginning until it is over; `None` when there was nobody to strike.
async fn strike(system: &System, victims: &Victims, fault: &Fault) -> anyhow::Result<Option<Struck>> {
    let Fault { kind, target, milliseconds, .. } = *fault;
    let lasts = Duration::from_millis(milliseconds);
    let which = target as usize;
    let (guard, workers, apis) = (&system.guard, &system.workers, &system.apis);
    let worker = &workers[which % workers.len()];
    let _one_at_a_time = match victim(victims, kind) {
        Some(victim) => Some(victim.lock().await),
        None => None,
    };
    let began = now();
    match kind {
        Kind::WorkerKilled => processes::kill(worker, guard, lasts).await?,
        Kind::ApiKilled => processes::kill(&apis[which % apis.len()], guard, lasts).await?,
        Kind::WorkerFrozen => processes::freeze(worker, lasts).await,
        Kind::ChildKilled => {
            if !processes::kill_child(workers, target).await {
                return Ok(None);
            }
        }
        Kind::WorkerClock => {
            let hooks = system.settings.iter().find(|(key, _)| key == "THUMBLINE_TEST_HOOKS");
            let hooks = hooks.map(|(_, value)| value.as_str()).unwrap_or_default();
            processes::shift_clock(worker, guard, target, lasts, hooks).await?;
        }
        Kind::DiskFull => {
            if let Some(directory) = &system.blob_directory {
                disk::fill(directory, lasts).await?;
            }
        }
        kind => {
            let Some(servers) = &system.servers else { return Ok(None) };
            match connections::proxy(kind, servers) {
                Some(proxy) => connections::hurt(kind, proxy, lasts).await,
                None => servers::hurt(kind, servers, guard, target).await?,
            }
        }
    }
    Ok(Some(Struck { kind, began, over: now() }))
}

fn victim(victims: &Victims, kind: Kind) -> Option<&Mutex<()>> {
    let name = kind.name();
    if name.starts_with("broker") {
        Some(&victims.broker)
    } else if name.starts_with("database") {
        Some(&victims.database)
    } else if name.starts_with("store") {
        Some(&victims.store)
    } else if kind == Kind::DiskFull {
        Some(&victims.disk)
    } else {
        None
    }
}

/// This machine's clock, which is that of the servers, too.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
