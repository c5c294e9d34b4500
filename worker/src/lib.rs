//! The worker role: turns file versions into their representations.
//!
//! The life of a file version, and where each part of it is:
//!
//! 1. A producer's event arrives. `intake` reads it, makes `pending` rows in one transaction, publishes a wake and
//!    acks. From here on the rows carry everything; a message only says "look again".
//! 2. `dispatcher` takes one of the `permits`, then the next wake by the shares of the `lanes`.
//! 3. `reconcile` is the one verb: claim the rows under a lease, ack the wake, fetch the source once, have every
//!    preset rendered from one decode in a render [`child`], put the blobs, settle the rows. An event, a request from
//!    the API, a retry, the sweeper and an operator all end there.
//! 4. Meanwhile `heartbeat` extends the lease. If it is lost, the child is killed and nothing is settled: somebody
//!    else has the rows.
//! 5. An attempt that failed ends the row or makes it due again (`retry`). `sweeper` wakes rows that are due and
//!    ends those whose deadline has passed, so that a lost message, a dead worker or a dead broker cost time only;
//!    `dead_wakes` looks at the rows of wakes that the broker gave up on.
//! 6. Others are told (`announcer`, `webhooks`), by what the settling transactions have left in the outbox.
//! 7. What happened stays in the ledger, until `retention` forgets it. Blobs that no row refers to any more are deleted by
//!    `collection`.
//!
//! Stores lose notifications; `scan` looks through the buckets for what was never announced.
//! Messages that nobody can read are drained into rows (`parking`), for operators to repair and replay.
//!
//! [`run`] starts all of that and drains it: first no more wakes, then running work gets its time, then it is handed
//! back as if it had never been claimed.

mod admission;
mod announcer;
pub mod child;
mod collection;
mod config;
mod dead_wakes;
mod deletion;
mod dependency;
mod dispatcher;
mod fetch;
mod heartbeat;
mod intake;
mod lanes;
mod machine;
mod metrics;
mod pack;
mod parking;
mod permits;
mod put;
mod reconcile;
mod retention;
mod retry;
mod scan;
mod sweeper;
mod webhooks;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use shared::domain::limits::LimitsTable;
use shared::domain::preset::PresetTable;
use shared::domain::source::AllowedBuckets;
use shared::ports::access_store::AccessStore;
use shared::ports::announcements::AnnouncementLog;
use shared::ports::blob_store::{BlobStore, SourceStore};
use shared::ports::file_store::FileStore;
use shared::ports::parking::ParkingStore;
use shared::ports::scan::ScanStore;
use shared::ports::state_store::StateStore;
use shared::ports::webhooks::{WebhookSender, WebhookStore};
use shared::ports::work_queue::{Channel, QueueError, Subscription, WorkQueue};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admission::Admission;
pub use collection::{CollectError, Collector, Deleted, GcConfig, LOOK_NAME, Looked};
pub use config::Config;
pub use retention::RetentionConfig;
pub use retry::{RetryConfig, Tried};
pub use webhooks::WebhooksConfig;

use crate::child::{ChildCommand, Sandbox, StartError};
use crate::dependency::Unanswered;
use crate::lanes::Lanes;
use crate::worker::{Ended, Worker};

/// Time to hand back what is still claimed when the worker stops; afterwards leases run out by themselves.
const HAND_BACK_SECONDS_MAX: u64 = 5;
/// Children that may fail to get ready one after the other before the worker gives up.
const START_TRIES: u32 = 20;

/// Everything that a worker needs, ready-made.
#[derive(Clone)]
pub struct Deps {
    /// The rows.
    pub store: Arc<dyn StateStore>,
    /// The same rows, as producers and people move files about.
    pub files: Arc<dyn FileStore>,
    /// Who may see what.
    pub access: Arc<dyn AccessStore>,
    /// What is told to others.
    pub announcements: Arc<dyn AnnouncementLog>,
    /// Who is told by requests of ours.
    pub webhooks: Arc<dyn WebhookStore>,
    /// What such requests are made with.
    pub webhook_sender: Arc<dyn WebhookSender>,
    /// Messages that nobody could read.
    pub parking: Arc<dyn ParkingStore>,
    /// How far buckets were looked through.
    pub scans: Arc<dyn ScanStore>,
    /// Where representations are put.
    pub blobs: Arc<dyn BlobStore>,
    /// Where sources are read from.
    pub sources: Arc<dyn SourceStore>,
    /// Events and wakes.
    pub queue: Arc<dyn WorkQueue>,
    /// Every preset.
    pub presets: Arc<PresetTable>,
    /// The buckets that events may name.
    pub buckets: Arc<AllowedBuckets>,
    /// What one source may cost.
    pub limits: Arc<LimitsTable>,
    /// Section `[worker]`.
    pub config: Arc<Config>,
    /// Section `[retry]`.
    pub retry: Arc<RetryConfig>,
    /// Section `[retention]`.
    pub retention: Arc<RetentionConfig>,
    /// Section `[webhooks]`.
    pub webhooks_config: Arc<WebhooksConfig>,
    /// Section `[gc]`.
    pub gc: Arc<GcConfig>,
    /// How render children are started.
    pub child: ChildCommand,
    /// Section `[sandbox]`.
    pub sandbox: Sandbox,
    /// Names this process in claims and logs.
    pub worker_name: String,
}

/// Why a worker could not go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// No render child gets ready; rendering without one is not an option.
    #[error(transparent)]
    Child(#[from] StartError),
    /// The queue refuses us for good.
    #[error("the worker cannot consume: {0}")]
    Queue(#[from] QueueError),
    /// The queue was closed although the worker was not told to stop.
    #[error("the queue was closed while the worker was running")]
    QueueClosed,
    /// A part of the worker ended by a panic; this is our bug.
    #[error("a part of the worker ended unexpectedly: {0}")]
    Part(#[from] tokio::task::JoinError),
}

/// Runs a worker until it is told to stop. `shutdown` drains: running work gets `drain_seconds`, then it is handed
/// back. `stop` hands back at once. Returns when everything is handed back and every child is gone.
pub async fn run(deps: Deps, shutdown: CancellationToken, stop: CancellationToken) -> Result<(), WorkerError> {
    let worker = Arc::new(Worker::new(deps, shutdown.clone()).map_err(StartError::Spawn)?);
    prepare(&worker).await?;
    let Some(Subscribed { lanes, uploads, parked, dead }) = subscribe(&worker).await? else {
        worker.pool.close().await;
        return Ok(());
    };
    let tasks = TaskTracker::new();
    let mut parts = JoinSet::new();
    parts.spawn(intake::consume(Arc::clone(&worker), uploads, tasks.clone()));
    parts.spawn(dispatcher::dispatch(Arc::clone(&worker), lanes, tasks.clone()));
    parts.spawn(dead_wakes::consume(Arc::clone(&worker), dead));
    parts.spawn(announcer::collect(Arc::clone(&worker)));
    parts.spawn(announcer::publish(Arc::clone(&worker)));
    parts.spawn(webhooks::deliver(Arc::clone(&worker)));
    parts.spawn(retention::forget(Arc::clone(&worker)));
    parts.spawn(collection::collect(Arc::clone(&worker)));
    parts.spawn(parking::drain(Arc::clone(&worker), parked));
    parts.spawn(parking::replay(Arc::clone(&worker)));
    parts.spawn(scan::scan(Arc::clone(&worker)));
    parts.spawn(sweeper::sweep(Arc::clone(&worker)));
    parts.spawn(sweeper::measure_backlog(Arc::clone(&worker)));
    tracing::info!(
        worker.name = worker.deps.worker_name,
        concurrency = worker.deps.config.concurrency(),
        "worker ready"
    );

    let ended = first_unexpected(&mut parts, &shutdown).await;
    // Whatever ended it, everything else drains the same way.
    shutdown.cancel();
    drain(&worker, &tasks, &stop).await;
    while parts.join_next().await.is_some() {}
    tracing::info!(worker.name = worker.deps.worker_name, "worker stopped");
    ended
}

/// Has render children ready. One that is killed before it is (memory is short, somebody's hand) says nothing of the next.
async fn prepare(worker: &Worker) -> Result<(), StartError> {
    let mut tried = 1;
    loop {
        match worker.pool.prepare(worker.deps.config.concurrency()).await {
            Err(StartError::Unready(why)) if tried < START_TRIES => {
                tracing::warn!("a render child did not get ready: {why}")
            }
            ended => return ended,
        }
        tried += 1;
    }
}

/// Everything that a worker consumes.
struct Subscribed {
    lanes: Lanes,
    uploads: Box<dyn Subscription>,
    parked: Box<dyn Subscription>,
    dead: Box<dyn Subscription>,
}

/// Starts consuming; waits for a queue that is away. `None` when the worker is told to stop before.
async fn subscribe(worker: &Worker) -> Result<Option<Subscribed>, QueueError> {
    let deps = &worker.deps;
    let subscribing = || async {
        let lanes = Lanes::subscribe(&*deps.queue, &deps.config).await?;
        let uploads = deps.queue.subscribe(Channel::Uploads, intake::EVENT_PREFETCH).await?;
        let parked = deps.queue.subscribe(Channel::Parking, parking::PARKED_PREFETCH).await?;
        let dead = deps.queue.subscribe(Channel::DeadWakes, dead_wakes::DEAD_WAKE_PREFETCH).await?;
        Ok(Subscribed { lanes, uploads, parked, dead })
    };
    match worker.dependencies.queue.patiently(&worker.shutdown, subscribing).await {
        Ok(subscribed) => Ok(Some(subscribed)),
        Err(Unanswered::Stopped) => Ok(None),
        Err(Unanswered::Refused(error)) => Err(error),
    }
}

/// Waits until the worker is told to stop, or a part of it ends before.
async fn first_unexpected(parts: &mut JoinSet<Ended>, shutdown: &CancellationToken) -> Result<(), WorkerError> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        Some(ended) = parts.join_next() => match ended? {
            Ended::QueueClosed => Err(WorkerError::QueueClosed),
            Ended::Drained => Ok(()),
        },
    }
}

/// Lets running work finish for a while, then has it handed back, then ends the children.
async fn drain(worker: &Worker, tasks: &TaskTracker, stop: &CancellationToken) {
    tasks.close();
    tracing::info!(running = tasks.len(), "draining");
    tokio::select! {
        () = tasks.wait() => {}
        () = stop.cancelled() => {}
        () = tokio::time::sleep(worker.deps.config.drain()) => {}
    }
    worker.abandon.cancel();
    let handed_back = tokio::time::timeout(Duration::from_secs(HAND_BACK_SECONDS_MAX), tasks.wait()).await;
    if handed_back.is_err() {
        tracing::warn!(running = tasks.len(), "not everything could be handed back; the leases will run out");
    }
    worker.pool.close().await;
}
