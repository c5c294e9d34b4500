//! A worker in a small world of its own: a directory with SQLite, blobs and one source bucket, and the in-process queue.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::blob::SourceBucketConfig;
use adapters::db::Database;
use futures_util::TryStreamExt as _;
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection};
use serde::de::DeserializeOwned;
use shared::domain::blob_key::BlobKey;
use shared::domain::file::FileState;
use shared::domain::ids::Sha256Digest;
use shared::domain::lane::Lane;
use shared::domain::limits::LimitsTable;
use shared::domain::preset::{Preset, PresetTable};
use shared::domain::representation::{PageContent, Representation};
use shared::domain::source::AllowedBuckets;
use shared::ports::access_store::AccessStore;
use shared::ports::announcements::AnnouncementLog;
use shared::ports::blob_store::{BlobStore, SourceStore};
use shared::ports::file_store::FileStore;
use shared::ports::parking::{Parked, ParkedFilter, ParkingStore};
use shared::ports::scan::ScanStore;
use shared::ports::state_store::StateStore;
use shared::ports::webhooks::WebhookStore;
use shared::ports::work_queue::{Message, Wake, WorkQueue};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::child::ChildCommand;
use worker::{Config, Deps, RetryConfig, WebhooksConfig, WorkerError};

use crate::parent::limits;

const DEFAULTS: &str = include_str!("../../../config.default.toml");

/// The world. Everything in it can be changed before a worker is started.
pub(crate) struct World {
    directory: tempfile::TempDir,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) files: Arc<dyn FileStore>,
    pub(crate) access: Arc<dyn AccessStore>,
    pub(crate) announcements: Arc<dyn AnnouncementLog>,
    pub(crate) webhooks: Arc<dyn WebhookStore>,
    pub(crate) webhooks_config: WebhooksConfig,
    pub(crate) parking: Arc<dyn ParkingStore>,
    pub(crate) scans: Arc<dyn ScanStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) queue: Arc<dyn WorkQueue>,
    sources: Arc<dyn SourceStore>,
    buckets: Arc<AllowedBuckets>,
    pub(crate) presets: PresetTable,
    pub(crate) limits: LimitsTable,
    pub(crate) config: Config,
    pub(crate) retry: RetryConfig,
}

/// A worker that was started.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    pub(crate) stop: CancellationToken,
    role: JoinHandle<Result<(), WorkerError>>,
}

/// A section of the default configuration, with its URL changed to lie in this world.
fn section<T: DeserializeOwned>(name: &str, url: Option<String>) -> T {
    let mut table: toml::Table = DEFAULTS.parse().unwrap();
    let mut section = table.remove(name).unwrap();
    if let Some(url) = url {
        section.as_table_mut().unwrap().insert("url".into(), url.into());
    }
    section.try_into().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |scheme: &str, name: &str| format!("{scheme}{}", directory.path().join(name).display());
        std::fs::create_dir(directory.path().join("incoming")).unwrap();
        let database = Database::connect(&section("database", Some(at("sqlite:", "rows.db")))).await.unwrap();
        database.migrate().await.unwrap();
        let blob_config = section("blobs", Some(at("file:", "blobs")));
        let blobs = adapters::blob::open(&blob_config).unwrap();
        let bucket: SourceBucketConfig =
            toml::from_str(&format!("bucket = \"incoming\"\nurl = \"{}\"", at("file:", "incoming"))).unwrap();
        let buckets = Arc::new(AllowedBuckets::new([bucket.allowed(&blob_config)]));
        let sources = adapters::blob::open_sources(&[bucket], &blob_config, Arc::clone(&blobs)).unwrap();
        let queue = adapters::queue::open(&section("queue", None)).await.unwrap();
        let fast = Config { sweep_seconds: 0.05, wake_patience_seconds: 1, concurrency: 2, ..section("worker", None) };
        let retry = RetryConfig { schedule_seconds: vec![0.1].try_into().unwrap(), ..section("retry", None) };
        Self {
            directory,
            store: Arc::new(database.clone()),
            files: Arc::new(database.clone()),
            access: Arc::new(database.clone()),
            announcements: Arc::new(database.clone()),
            webhooks: Arc::new(database.clone()),
            webhooks_config: section("webhooks", None),
            parking: Arc::new(database.clone()),
            scans: Arc::new(database),
            blobs,
            queue,
            sources,
            buckets,
            presets: PresetTable::built_in(),
            limits: limits(),
            config: fast,
            retry,
        }
    }

    pub(crate) fn start_worker(&self) -> Running {
        let child = ChildCommand { program: std::env::current_exe().unwrap(), arguments: vec!["render-child".into()] };
        let deps = Deps {
            store: Arc::clone(&self.store),
            files: Arc::clone(&self.files),
            access: Arc::clone(&self.access),
            announcements: Arc::clone(&self.announcements),
            webhooks: Arc::clone(&self.webhooks),
            webhook_sender: adapters::webhook::open(true, Duration::from_secs(5)).unwrap(),
            webhooks_config: Arc::new(self.webhooks_config.clone()),
            parking: Arc::clone(&self.parking),
            scans: Arc::clone(&self.scans),
            blobs: Arc::clone(&self.blobs),
            sources: Arc::clone(&self.sources),
            queue: Arc::clone(&self.queue),
            presets: Arc::new(self.presets.clone()),
            buckets: Arc::clone(&self.buckets),
            limits: Arc::new(self.limits.clone()),
            config: Arc::new(self.config.clone()),
            retry: Arc::new(self.retry.clone()),
            retention: Arc::new(section("retention", None)),
            gc: Arc::new(section("gc", None)),
            child,
            sandbox: crate::parent::sandbox(),
            worker_name: "story".into(),
        };
        let (shutdown, stop) = (CancellationToken::new(), CancellationToken::new());
        let role = tokio::spawn(worker::run(deps, shutdown.clone(), stop.clone()));
        Running { shutdown, stop, role }
    }

    /// Another preset, beside the built-in ones.
    pub(crate) fn add_preset(&mut self, toml: &str) {
        let preset: Preset = toml::from_str(toml).unwrap();
        self.presets = PresetTable::new(vec![preset]).unwrap();
    }

    fn incoming(&self, key: &str) -> PathBuf {
        self.directory.path().join("incoming").join(key)
    }

    pub(crate) fn put_source(&self, key: &str, bytes: &[u8]) {
        std::fs::write(self.incoming(key), bytes).unwrap();
    }

    pub(crate) fn remove_source(&self, key: &str) {
        std::fs::remove_file(self.incoming(key)).unwrap();
    }

    /// Wakes a worker, as the API does.
    pub(crate) async fn wake(&self, file: &FileState, lane: Lane) {
        let wake = Wake { version: file.version.id, tenant: file.file.tenant.clone(), lane };
        self.queue.wake(&wake).await.unwrap();
    }

    pub(crate) async fn announce(&self, body: String) {
        let content_type = Some("application/json".to_owned());
        let message = Message { body: body.into(), content_type, ..Message::default() };
        self.queue.publish_upload(&message).await.unwrap();
    }

    /// Puts the source and says so.
    pub(crate) async fn upload(&self, key: &str, bytes: &[u8]) {
        self.put_source(key, bytes);
        self.announce(announcement(key)).await;
    }

    pub(crate) async fn file(&self, key: &str) -> Option<FileState> {
        let tenant = "default".parse().unwrap();
        self.store.file_by_identity(&tenant, &format!("s3://incoming/{key}")).await.unwrap()
    }

    /// The file's rows once they are as awaited; panics with how they are after a while.
    pub(crate) async fn until(&self, key: &str, holds: impl Fn(&[Representation]) -> bool) -> FileState {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let file = self.file(key).await;
            match file {
                Some(file) if holds(&file.representations) => return file,
                file => assert!(Instant::now() < deadline, "waited in vain: {file:#?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The file once all its rows have settled.
    pub(crate) async fn settled(&self, key: &str) -> FileState {
        self.until(key, |rows| !rows.is_empty() && rows.iter().all(|row| row.state.has_settled())).await
    }

    /// How many rows there are, and how many of them are `success`.
    pub(crate) async fn rows(&self) -> (u64, u64) {
        let lines = self.store.census().await.unwrap();
        let success = lines.iter().filter(|line| line.state == "success");
        (lines.iter().map(|line| line.rows).sum(), success.map(|line| line.rows).sum())
    }

    /// Takes the database away from everybody who wants to write, until the lock is dropped.
    pub(crate) async fn lock_database(&self) -> DatabaseConnection {
        let url = format!("sqlite:{}", self.directory.path().join("rows.db").display());
        let connection =
            sea_orm::Database::connect(ConnectOptions::new(url).max_connections(1).to_owned()).await.unwrap();
        connection.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
        connection
    }

    /// Deletes what nothing refers to, as if its grace were over.
    pub(crate) async fn collect_garbage(&self) {
        let url = format!("sqlite:{}", self.directory.path().join("rows.db").display());
        let connection = sea_orm::Database::connect(url).await.unwrap();
        let age = "UPDATE condemned_blob SET since = 0, condemned_at = 1 WHERE condemned_at IS NOT NULL";
        connection.execute_unprepared(age).await.unwrap();
        connection.close().await.unwrap();
        let grace = Duration::from_secs(60);
        let collector = worker::Collector { store: &*self.store, blobs: &*self.blobs, grace };
        while collector.delete().await.unwrap().is_some() {}
        let looked = collector.look(None, false).await.unwrap();
        assert_eq!(looked.found, 0, "{looked:?}");
    }

    /// What is parked, once it is.
    pub(crate) async fn parked(&self) -> Parked {
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            if let Some(row) = self.parking.list(&ParkedFilter::default(), None, 1).await.unwrap().pop() {
                return row;
            }
            assert!(tokio::time::Instant::now() < until, "nothing was parked");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// What a reader of the page gets; its digest is the page's.
    pub(crate) async fn bytes(&self, page: &PageContent) -> Vec<u8> {
        let read = self.blobs.get_page(page, None).await.unwrap();
        let bytes = read.stream.try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!((Sha256Digest::of(&bytes), bytes.len() as u64), (page.sha256(), page.length_bytes));
        bytes
    }

    /// How many bytes the blob has; `None` when it is not there.
    pub(crate) async fn blob_bytes(&self, key: &BlobKey) -> Option<u64> {
        self.blobs.head(key).await.unwrap()
    }
}

impl Running {
    /// Drains the worker and fails when anything was left behind.
    pub(crate) async fn drain(self) {
        self.shutdown.cancel();
        self.ended().await;
    }

    pub(crate) async fn ended(self) {
        self.role.await.unwrap().unwrap();
        assert_eq!(crate::parent::children(), Vec::<i32>::new(), "render children were left behind");
    }
}

/// The bare event of a source.
pub(crate) fn announcement(key: &str) -> String {
    format!(r#"{{"bucket":"incoming","key":"{key}"}}"#)
}
