//! Builds the adapters that the configuration names; the only place that names concrete ones.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::db::Database;
use shared::ports::access_store::AccessStore;
use shared::ports::announcements::AnnouncementLog;
use shared::ports::blob_store::{BlobStore, SourceStore};
use shared::ports::file_store::FileStore;
use shared::ports::parking::ParkingStore;
use shared::ports::scan::ScanStore;
use shared::ports::state_store::{StateStore, StoreError};
use shared::ports::webhooks::{WebhookSender, WebhookStore};
use shared::ports::work_queue::{QueueError, WorkQueue};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Problems};
use crate::exit::Failed;
use crate::management;

/// What the roles stand on.
#[derive(Clone)]
pub struct Platform {
    /// Rows.
    pub store: Arc<dyn StateStore>,
    /// The same rows, as people move files about.
    pub files: Arc<dyn FileStore>,
    /// Who may see what; the same database.
    pub access: Arc<dyn AccessStore>,
    /// What is told to others; the same database.
    pub announcements: Arc<dyn AnnouncementLog>,
    /// Who is told by requests of ours; the same database.
    pub webhooks: Arc<dyn WebhookStore>,
    /// What such requests are made with.
    pub webhook_sender: Arc<dyn WebhookSender>,
    /// Messages that nobody could read.
    pub parking: Arc<dyn ParkingStore>,
    /// How far buckets were looked through.
    pub scans: Arc<dyn ScanStore>,
    /// Wakes and events.
    pub queue: Arc<dyn WorkQueue>,
    /// Our own blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// Sources, ours and the producers'.
    pub sources: Arc<dyn SourceStore>,
}

/// What commands stand on that only look at rows or change them.
pub struct Rows {
    /// Files, versions, representations and what happened to them.
    pub store: Arc<dyn StateStore>,
    /// Who may see what.
    pub access: Arc<dyn AccessStore>,
    /// Messages that nobody could read.
    pub parking: Arc<dyn ParkingStore>,
    /// How far buckets and blobs were looked through.
    pub scans: Arc<dyn ScanStore>,
}

impl Rows {
    /// Opens the database; one that is away, or whose schema is behind, ends the command.
    pub async fn open(config: &Config) -> Result<Self, Failed> {
        let database = Arc::new(Database::connect(&config.database).await.map_err(away)?);
        database.ping().await.map_err(away)?;
        Ok(Self { store: database.clone(), access: database.clone(), parking: database.clone(), scans: database })
    }
}

/// What commands stand on that look at blobs.
pub struct Blobs {
    /// Our own blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// Sources, ours and the producers'.
    pub sources: Arc<dyn SourceStore>,
}

impl Blobs {
    /// Opens the blob store and the buckets; no server is asked for anything yet.
    pub fn open(config: &Config) -> Result<Self, Failed> {
        let blobs = adapters::blob::open(&config.blobs).map_err(|problems| Failed::usage(Problems(problems)))?;
        let sources = adapters::blob::open_sources(&config.sources, &config.blobs, blobs.clone())
            .map_err(|problems| Failed::usage(Problems(problems)))?;
        Ok(Self { blobs, sources })
    }
}

/// Opens the queue; one that is away ends the command.
pub async fn open_queue(config: &Config) -> Result<Arc<dyn WorkQueue>, Failed> {
    adapters::queue::open(&config.queue).await.map_err(|error| match Trouble::of_queue(error) {
        Trouble::Away(error) => Failed::dependency(error),
        Trouble::Final(error) => Failed::usage(error),
    })
}

/// The database did not do it.
pub(crate) fn away(error: StoreError) -> Failed {
    match error {
        StoreError::Away(_) | StoreError::Schema(_) | StoreError::NoSpace(_) => Failed::dependency(error),
        StoreError::Refused(_) => Failed::usage(error),
        other => Failed::from(anyhow::Error::new(other)),
    }
}

/// Whether a role brings the schema up to date itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// One process does everything: nobody else can be surprised.
    Migrate,
    /// `thumbline migrate` does it; wait until it has.
    Await,
}

impl Platform {
    /// Connects to everything, waiting for what is down until `drain` is cancelled (then `None`).
    pub async fn connect(config: &Config, schema: Schema, drain: &CancellationToken) -> Result<Option<Self>, Failed> {
        let Blobs { blobs, sources } = Blobs::open(config)?;
        let webhooks = &config.webhooks;
        let webhook_sender = adapters::webhook::open(webhooks.allow_private_targets, webhooks.timeout())
            .map_err(|error| Failed::from(anyhow::Error::new(error)))?;
        let Some(database) = connect_database(config, schema, drain).await? else { return Ok(None) };
        let Some(queue) = connect_queue(config, drain).await? else { return Ok(None) };
        Ok(Some(Self {
            store: database.clone(),
            files: database.clone(),
            access: database.clone(),
            announcements: database.clone(),
            webhooks: database.clone(),
            webhook_sender,
            parking: database.clone(),
            scans: database,
            queue,
            blobs,
            sources,
        }))
    }

    /// Brings the schema up to date, waiting for the database until `drain` is cancelled (then `None`).
    pub async fn migrate(config: &Config, drain: &CancellationToken) -> Result<Option<()>, Failed> {
        Ok(connect_database(config, Schema::Migrate, drain).await?.map(|_| ()))
    }
}

/// The database, with its schema up to date.
async fn connect_database(
    config: &Config,
    schema: Schema,
    drain: &CancellationToken,
) -> Result<Option<Arc<Database>>, Failed> {
    let connect = || async {
        let database = Database::connect(&config.database).await.map_err(Trouble::of_store)?;
        match schema {
            Schema::Migrate => database.migrate().await.map_err(Trouble::of_store)?,
            Schema::Await => database.ping().await.map_err(Trouble::of_store)?,
        }
        Ok(Arc::new(database))
    };
    until_up("database", drain, connect).await
}

async fn connect_queue(config: &Config, drain: &CancellationToken) -> Result<Option<Arc<dyn WorkQueue>>, Failed> {
    let connect = || async {
        match adapters::queue::open(&config.queue).await {
            Ok(queue) => Ok(queue),
            Err(error) => Err(Trouble::of_queue(explained(config, error).await)),
        }
    };
    until_up("queue", drain, connect).await
}

/// What the broker refuses, with all differences where its management API can tell them.
pub(crate) async fn explained(config: &Config, error: QueueError) -> QueueError {
    let QueueError::Misconfigured(words) = error else { return error };
    if config.queue.management_url.is_empty() || config.queue.is_in_process() {
        return QueueError::Misconfigured(words);
    }
    let asked = management::differences(&config.queue.management_url, &definitions(config, None)).await;
    let more = match asked {
        Ok(lines) if lines.is_empty() => return QueueError::Misconfigured(words),
        Ok(lines) => format!("all differences:\n  {}", lines.join("\n  ")),
        Err(error) => format!("the management API could not be asked for all differences: {error:#}"),
    };
    QueueError::Misconfigured(format!("{words}\n{more}"))
}

/// Exchanges, queues and bindings as broker definitions; `vhost`: default that of `queue.url`.
pub fn definitions(config: &Config, vhost: Option<&str>) -> serde_json::Value {
    adapters::queue::definitions(&config.queue, vhost)
}

/// Whether trying again can help.
enum Trouble {
    Away(anyhow::Error),
    Final(anyhow::Error),
}

impl Trouble {
    fn of_store(error: StoreError) -> Self {
        match error {
            // A schema that is behind is being migrated, or will be: the order of starts does not matter.
            StoreError::Away(_) | StoreError::Schema(_) | StoreError::NotFound => Self::Away(error.into()),
            StoreError::Refused(_)
            | StoreError::Conflict(_)
            | StoreError::Inconsistent { .. }
            | StoreError::NoSpace(_) => Self::Final(error.into()),
        }
    }

    fn of_queue(error: QueueError) -> Self {
        match error {
            QueueError::Away(_) | QueueError::Full(_) => Self::Away(error.into()),
            QueueError::Misconfigured(_) | QueueError::Unroutable(_) => Self::Final(error.into()),
        }
    }
}

/// Tries until it succeeds: a server that is down at start is waited for, with a clear line now and then.
async fn until_up<T, F, Tried>(
    dependency: impl Display,
    drain: &CancellationToken,
    mut attempt: F,
) -> Result<Option<T>, Failed>
where
    F: FnMut() -> Tried,
    Tried: Future<Output = Result<T, Trouble>>,
{
    const BETWEEN_TRIES: Duration = Duration::from_secs(1);
    const BETWEEN_LINES: Duration = Duration::from_secs(10);
    let mut last_line: Option<Instant> = None;
    loop {
        let error = tokio::select! {
            () = drain.cancelled() => return Ok(None),
            tried = attempt() => match tried {
                Ok(up) => {
                    if last_line.is_some() {
                        tracing::info!("the {dependency} is there now");
                    }
                    return Ok(Some(up));
                }
                Err(Trouble::Final(error)) => return Err(Failed::usage(error)),
                Err(Trouble::Away(error)) => error,
            },
        };
        if last_line.is_none_or(|line| line.elapsed() >= BETWEEN_LINES) {
            tracing::warn!("waiting for the {dependency}: {error:#}");
            last_line = Some(Instant::now());
        }
        tokio::select! {
            () = drain.cancelled() => return Ok(None),
            () = tokio::time::sleep(BETWEEN_TRIES) => {}
        }
    }
}
