//! One API on a port of its own, with adapters in a temporary directory, and the worker's part played by hand.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use adapters::db::Database;
use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use shared::domain::blob_key::{BlobKey, PageName};
use shared::domain::capability::{Capabilities, Capability};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::ids::{ClaimToken, FileId, FileVersionId, Sha256Digest};
use shared::domain::lane::Lane;
use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::PresetTable;
use shared::domain::representation::{Content, Outcome, PageContent, Placement};
use shared::domain::source::{AllowedBucket, AllowedBuckets};
use shared::ports::blob_store::{BlobBody, BlobStore, SourceStore};
use shared::ports::key_source::KeySource;
use shared::ports::state_store::StateStore;
use shared::ports::work_queue::{Channel, Wake, WorkQueue};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::auth::{Auth, Mode};
use crate::serve::serve_at_most;
use crate::{Config, Deps, Links, Signer, router};

/// How long anything may take here before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// What links are made from; nobody listens there.
pub(crate) const PUBLIC_URL: &str = "https://thumbs.example/box";
/// The operator's token of APIs that want one.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What a test changes before its API starts.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) mode: Mode,
    /// The identity provider's, in mode `jwt`.
    pub(crate) keys: Option<Arc<dyn KeySource>>,
    pub(crate) jira: crate::jira::Config,
    pub(crate) blobs: fn(Arc<dyn BlobStore>) -> Arc<dyn BlobStore>,
    pub(crate) queue: fn(Arc<dyn WorkQueue>) -> Arc<dyn WorkQueue>,
    pub(crate) connections_max: usize,
}

impl Default for Setup {
    fn default() -> Self {
        let config = Config { public_url: PUBLIC_URL.to_owned(), ..crate::config::tests::loopback() };
        let jira = crate::jira::Config { attachments_enabled: true, thumbnail_wait_seconds: 5 };
        Self {
            config,
            mode: Mode::Open,
            keys: None,
            jira,
            blobs: |blobs| blobs,
            queue: |queue| queue,
            connections_max: 64,
        }
    }
}

/// A running API; dropped, it ends.
pub(crate) struct TestApi {
    pub(crate) address: SocketAddr,
    pub(crate) store: Database,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) queue: Arc<dyn WorkQueue>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<()>,
    client: Client,
    directory: TempDir,
    _stop: DropGuard,
}

/// An uploaded file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uploaded {
    pub(crate) file: FileId,
    pub(crate) version: FileVersionId,
}

impl Uploaded {
    pub(crate) fn representation(self, name: &str) -> String {
        format!("/2.0/internal_files/{}/versions/{}/representations/{name}", self.file, self.version)
    }

    pub(crate) fn content(self, name: &str, asset_path: &str) -> String {
        format!("{}/content/{asset_path}", self.representation(name))
    }
}

impl TestApi {
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = directory.path().join("spool");
        std::fs::create_dir(&spool).unwrap();
        let store = database(&directory).await;
        let (blobs, sources) = blobs(&directory);
        let queue = queue().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config { spool_directory: spool.to_str().unwrap().to_owned(), ..setup.config };
        let auth = crate::auth::Config {
            issuer: "https://id.example".to_owned(),
            audience: "thumbline".to_owned(),
            ..crate::auth::config::tests::section(setup.mode, TOKEN)
        };
        let shutdown = CancellationToken::new();
        let router = router(Deps {
            store: Arc::new(store.clone()),
            files: Arc::new(store.clone()),
            announcements: Arc::new(store.clone()),
            webhooks: Arc::new(store.clone()),
            webhook_sender: adapters::webhook::open(true, Duration::from_secs(2)).unwrap(),
            parking: Arc::new(store.clone()),
            blobs: (setup.blobs)(Arc::clone(&blobs)),
            queue: (setup.queue)(Arc::clone(&queue)),
            presets: Arc::new(PresetTable::built_in()),
            capabilities: Arc::new(capabilities()),
            buckets: Arc::new(AllowedBuckets::new([("photos".to_owned(), photos())])),
            links: Links::new(&config.public_url, address),
            config: Arc::new(config),
            signer: Signer::new(""),
            shutdown: shutdown.clone(),
            sources,
            auth: Auth::new(&auth, Arc::new(store.clone()), setup.keys),
            jira: Arc::new(setup.jira),
            access: Arc::new(store.clone()),
            exposition: Some(Arc::new(|| "thumbline_build_info 1\n".to_owned())),
        });
        let served = tokio::spawn(serve_at_most(setup.connections_max, listener, router, shutdown.clone()));
        let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().unwrap();
        let _stop = shutdown.clone().drop_guard();
        Self { address, store, blobs, queue, shutdown, served, client, directory, _stop }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request("GET", path).send().await.unwrap()
    }

    /// The JSON of a GET that must succeed.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// The bytes of a whole answer as they came over the wire, to a request that ends its connection.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn upload(&self, name: &str, bytes: &'static [u8]) -> Uploaded {
        let attributes = json!({ "name": name, "parent": { "id": "0" } }).to_string();
        let form = reqwest::multipart::Form::new()
            .text("attributes", attributes)
            .part("file", reqwest::multipart::Part::bytes(bytes).file_name("unused"));
        let response = self.request("POST", "/api/2.0/files/content").multipart(form).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        let entry = &body["entries"][0];
        Uploaded { file: id(&entry["id"]).parse().unwrap(), version: id(&entry["file_version"]["id"]).parse().unwrap() }
    }

    /// The identity of an upload.
    pub(crate) async fn store_identity(&self, uploaded: Uploaded) -> String {
        self.store.file(uploaded.file).await.unwrap().unwrap().file.identity
    }

    /// How many files there are.
    pub(crate) async fn files(&self) -> usize {
        self.store.recent(None, 100).await.unwrap().len()
    }

    /// Names of what lies in the spool.
    pub(crate) fn spooled(&self) -> Vec<PathBuf> {
        let entries = self.directory.path().join("spool").read_dir().unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits until something holds; the condition is looked at again and again, within bounds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let looked = tokio::time::timeout(PATIENCE, async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        looked.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
    }

    /// Plays the worker: every row that waits of this version ends as `outcome` says.
    pub(crate) async fn settle(&self, uploaded: Uploaded, outcome: impl Fn(&str) -> Outcome) {
        let token = ClaimToken::new("test", rand::random());
        let claim = self.store.claim(uploaded.version, &token, PATIENCE).await.unwrap().expect("nothing waits");
        let outcomes: Vec<_> = claim.presets.iter().map(|preset| (preset.clone(), outcome(preset.as_str()))).collect();
        assert_eq!(self.store.settle(uploaded.version, &token, &outcomes).await.unwrap().len(), outcomes.len());
    }

    /// Plays the worker: stores these pages, and every row that waits succeeds with them.
    pub(crate) async fn succeed(&self, uploaded: Uploaded, pages: &[&'static [u8]]) {
        let content = self.store_pages(pages).await;
        self.settle(uploaded, |_| Outcome::Success(content.clone())).await;
    }

    /// Puts pages into the blob store.
    pub(crate) async fn store_pages(&self, pages: &[&'static [u8]]) -> Content {
        let mut contents = Vec::new();
        for page in pages {
            let format = shared::domain::format::OutputFormat::Jpg;
            let digest = Sha256Digest::of(page);
            let blob = BlobKey::Representation { tenant: "default".parse().unwrap(), digest, format };
            self.blobs.put(&blob, BlobBody::Bytes(Bytes::from_static(page)), "image/jpeg").await.unwrap();
            let dimensions = Dimensions::new(32, 24).unwrap();
            contents.push(PageContent { placement: Placement::Own(blob), dimensions, length_bytes: page.len() as u64 });
        }
        Content::new(contents).unwrap()
    }

    /// Puts pages into the blob store as one pack.
    pub(crate) async fn store_pack(&self, pages: &[&'static [u8]]) -> Content {
        let (all, tenant) = (pages.concat(), "default".parse().unwrap());
        let pack = BlobKey::Pack { tenant, digest: Sha256Digest::of(&all) };
        let mut offset_bytes = 0;
        let page = |page: &&'static [u8]| {
            let name = PageName { digest: Sha256Digest::of(page), format: shared::domain::format::OutputFormat::Jpg };
            let placement = Placement::Packed { pack: pack.clone(), offset_bytes, name };
            let length_bytes = page.len() as u64;
            offset_bytes += length_bytes;
            PageContent { placement, dimensions: Dimensions::new(32, 24).unwrap(), length_bytes }
        };
        let content = Content::new(pages.iter().map(page).collect()).unwrap();
        self.blobs.put(&pack, BlobBody::Bytes(all.into()), pack.media_type()).await.unwrap();
        content
    }

    /// The version that the next wake of this lane names.
    pub(crate) async fn next_wake(&self, lane: Lane) -> FileVersionId {
        let mut subscription = self.queue.subscribe(Channel::Wakes(lane), 1).await.unwrap();
        let delivery = tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
        let version = Wake::version_in(&delivery.message.body).unwrap();
        delivery.ack().await.unwrap();
        version
    }
}

/// A failure of this kind, for good.
pub(crate) fn failed(code: FailureCode) -> Outcome {
    Outcome::Error(Failure::new(code, "made up by the test"))
}

async fn database(directory: &TempDir) -> Database {
    let url = format!("sqlite:{}", directory.path().join("thumbline.db").display());
    let config = adapters::db::Config { url, connections_max: 4, acquire_timeout_seconds: 10 };
    let database = Database::connect(&config).await.unwrap();
    database.migrate().await.unwrap();
    database
}

async fn queue() -> Arc<dyn WorkQueue> {
    let config = json!({
        "url": "memory:", "namespace": "", "declare": "active", "shards": 4, "heartbeat_seconds": 10,
        "confirm_timeout_seconds": 10, "memory_capacity": 100, "delivery_limit": 20,
    });
    adapters::queue::open(&serde_json::from_value(config).unwrap()).await.unwrap()
}

fn blobs(directory: &TempDir) -> (Arc<dyn BlobStore>, Arc<dyn SourceStore>) {
    let config = json!({
        "url": format!("file:{}", directory.path().join("blobs").display()), "endpoint": "", "region": "",
        "path_style": true, "access_key_id": "", "secret_access_key": "", "session_token": "", "timeout_seconds": 10,
        "tries_max": 1,
    });
    let config = serde_json::from_value(config).unwrap();
    let blobs = adapters::blob::open(&config).unwrap();
    let sources = adapters::blob::open_sources(&[], &config, Arc::clone(&blobs)).unwrap();
    (blobs, sources)
}

/// Two formats of each kind of answer.
fn capabilities() -> Capabilities {
    let problem = Some("made up by the test".to_owned());
    Capabilities {
        sources: vec![
            Capability { format: SourceFormat::Jpeg, problem: None },
            Capability { format: SourceFormat::Heic, problem },
        ],
        outputs: vec![Capability { format: OutputFormat::Jpg, problem: None }],
        limits: LimitsTable::same(Limits {
            source_bytes_max: 1 << 20,
            width_pixels_max: 1000,
            height_pixels_max: 1000,
            area_pixels_max: 1_000_000,
            total_pixels_max: 1_000_000,
            pages_max: 20,
            nesting_max: 8,
            child_memory_bytes_max: 1 << 30,
            child_cpu_seconds_max: 10,
            child_seconds_max: 10,
            output_bytes_max: 1 << 20,
        }),
        has_simd_jpeg: true,
    }
}

/// A bucket that sources come from.
fn photos() -> AllowedBucket {
    AllowedBucket { tenant: "acme".parse().unwrap(), default_access: None, own_blobs: None }
}
