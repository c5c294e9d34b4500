//! Runs the chosen roles of one process under one two-stage shutdown.

use std::net::SocketAddr;
use std::sync::Arc;

use adapters::telemetry::metrics::Exposition;
use anyhow::{Context as _, anyhow};
use api::Ops;
use shared::config::Problem;
use shared::domain::capability::Capabilities;
use shared::ports::key_source::KeySource;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use worker::Admission;
use worker::child::Pool;

use crate::config::{Config, Problems};
use crate::exit::{Exit, Failed};
use crate::platform::{Platform, Schema};
use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    api: bool,
    worker: bool,
}

impl Roles {
    /// API and worker in one process.
    pub const ALL: Self = Self { api: true, worker: true };
    /// The API alone.
    pub const API: Self = Self { api: true, worker: false };
    /// The worker alone.
    pub const WORKER: Self = Self { api: false, worker: true };

    fn schema(self) -> Schema {
        if self == Self::ALL { Schema::Migrate } else { Schema::Await }
    }

    /// Combinations that cannot work are refused at start, with both keys named.
    fn check(self, config: &Config) -> Result<(), Failed> {
        if self == Self::ALL || !config.queue.is_in_process() {
            return Ok(());
        }
        let remedy = "an in-process queue cannot reach another process: use amqp://… for the roles api and worker, or \
                      run `thumbline all`";
        Err(Failed::usage(Problems(vec![Problem::new("queue.url", "memory:", remedy)])))
    }
}

/// Roles that run.
pub struct Running {
    tasks: JoinSet<anyhow::Result<()>>,
    api_address: Option<SocketAddr>,
    shutdown: Shutdown,
    ops_end: CancellationToken,
}

impl Running {
    /// Where the API listens; `None` for a worker, or when the start was interrupted.
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api_address
    }

    /// Waits until every role has ended; when one ends by itself, the others are drained. Health and metrics answer
    /// until then.
    pub async fn ended(mut self) -> Result<(), Failed> {
        let mut first_error = None;
        while let Some(ended) = self.tasks.join_next().await {
            self.shutdown.drain.cancel();
            if let Err(error) = ended.context("a role panicked").and_then(|ended| ended) {
                tracing::error!("{error:#}");
                first_error.get_or_insert(error);
            }
        }
        self.ops_end.cancel();
        first_error.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Runs until a signal or a failure: the commands `all`, `api` and `worker`.
pub async fn run(config: Config, roles: Roles) -> Result<Exit, Failed> {
    install_logs(&config)?;
    let shutdown = Shutdown::on_signals()?;
    start(&config, roles, &shutdown).await?.ended().await?;
    Ok(Exit::Success)
}

/// Starts the roles; returns once the API accepts requests, or at once when drained meanwhile.
pub async fn start(config: &Config, roles: Roles, shutdown: &Shutdown) -> Result<Running, Failed> {
    roles.check(config)?;
    let exposition = install_metrics()?;
    let readiness = Readiness::new(shutdown.drain.clone());
    let mut running = Running {
        tasks: JoinSet::new(),
        api_address: None,
        shutdown: shutdown.clone(),
        ops_end: CancellationToken::new(),
    };
    // Listeners first: a taken port is told at once, and /livez answers while servers are waited for.
    let api_listener = if roles.api { Some(bind("api.listen", &config.api.listen).await?) } else { None };
    if !config.ops.listen.is_empty() {
        let listener = bind("ops.listen", &config.ops.listen).await?;
        tracing::info!(listener = "ops", address = %local(&listener)?, "health and metrics are served");
        let router = api::ops_router(Ops::new(readiness.checks(), Some(render_of(&exposition))));
        tokio::spawn(api::serve(listener, router, running.ops_end.clone()));
    }
    let Some(platform) = Platform::connect(config, roles.schema(), &shutdown.drain).await? else {
        return Ok(running);
    };
    readiness.connected(platform.clone());
    tell_build();
    if let Some(listener) = api_listener {
        let capabilities = capabilities(config).await?;
        // In production health and metrics stay on the ops listener, which need not be public.
        let on_api = (roles == Roles::ALL).then(|| render_of(&exposition));
        running.start_api(config, &platform, listener, capabilities, on_api)?;
    }
    if roles.worker {
        running.start_worker(config, &platform)?;
    }
    Ok(running)
}

impl Running {
    fn start_api(
        &mut self,
        config: &Config,
        platform: &Platform,
        listener: TcpListener,
        capabilities: Capabilities,
        exposition: Option<api::Exposition>,
    ) -> anyhow::Result<()> {
        let address = local(&listener)?;
        let deps = api::Deps {
            store: platform.store.clone(),
            files: platform.files.clone(),
            announcements: platform.announcements.clone(),
            webhooks: platform.webhooks.clone(),
            webhook_sender: platform.webhook_sender.clone(),
            parking: platform.parking.clone(),
            blobs: platform.blobs.clone(),
            queue: platform.queue.clone(),
            presets: Arc::new(config.preset_table()),
            capabilities: Arc::new(capabilities),
            buckets: Arc::new(config.allowed_buckets()),
            config: Arc::new(config.api.clone()),
            jira: Arc::new(config.jira.clone()),
            auth: api::auth::Auth::new(&config.auth, platform.access.clone(), keys(config)?),
            access: platform.access.clone(),
            links: api::Links::new(&config.api.public_url, address),
            shutdown: self.shutdown.drain.clone(),
            signer: api::Signer::new(config.signing_secret()),
            sources: platform.sources.clone(),
            exposition,
        };
        tracing::info!(listener = "api", %address, "the API listens");
        let spool = config.api.spool_directory.clone();
        tokio::task::spawn_blocking(move || api::remove_abandoned(&spool));
        let serving = api::serve(listener, api::router(deps), self.shutdown.drain.clone());
        self.tasks.spawn(async move {
            serving.await;
            Ok(())
        });
        self.api_address = Some(address);
        Ok(())
    }

    fn start_worker(&mut self, config: &Config, platform: &Platform) -> anyhow::Result<()> {
        let deps = worker::Deps {
            store: platform.store.clone(),
            files: platform.files.clone(),
            access: platform.access.clone(),
            announcements: platform.announcements.clone(),
            webhooks: platform.webhooks.clone(),
            webhook_sender: platform.webhook_sender.clone(),
            webhooks_config: Arc::new(config.webhooks.clone()),
            scans: platform.scans.clone(),
            parking: platform.parking.clone(),
            blobs: platform.blobs.clone(),
            sources: platform.sources.clone(),
            queue: platform.queue.clone(),
            presets: Arc::new(config.preset_table()),
            buckets: Arc::new(config.allowed_buckets()),
            limits: Arc::new(config.limits.clone()),
            config: Arc::new(config.worker.clone()),
            retry: Arc::new(config.retry.clone()),
            retention: Arc::new(config.retention.clone()),
            gc: Arc::new(config.gc.clone()),
            child: child_command()?,
            sandbox: config.sandbox.clone(),
            worker_name: worker_name(),
        };
        let Shutdown { drain, stop } = self.shutdown.clone();
        self.tasks.spawn(async move { worker::run(deps, drain, stop).await.map_err(|error| anyhow!(error)) });
        Ok(())
    }
}

/// Where the identity provider's keys come from, if there is one.
fn keys(config: &Config) -> anyhow::Result<Option<Arc<dyn KeySource>>> {
    let is_wanted = config.auth.mode == api::auth::Mode::Jwt;
    let open = || adapters::keys::open(&config.auth.jwks_url).context("auth.jwks_url");
    is_wanted.then(open).transpose()
}

/// `thumbline migrate`.
pub async fn migrate(config: &Config) -> Result<Exit, Failed> {
    install_logs(config)?;
    let shutdown = Shutdown::on_signals()?;
    match Platform::migrate(config, &shutdown.drain).await? {
        Some(()) => {
            crate::cli::print_line("the database's schema is up to date");
            Ok(Exit::Success)
        }
        None => Ok(Exit::Interrupted),
    }
}

/// Logs of this process, as `[log]` says.
pub fn install_logs(config: &Config) -> Result<(), Failed> {
    let installed = adapters::telemetry::logs::install(&config.log.filter, config.log.format);
    installed.map_err(|error| Failed::usage(anyhow!(error)))
}

/// The command that a render child is started with: this very executable.
pub(crate) fn child_command() -> anyhow::Result<worker::child::ChildCommand> {
    let executable = std::env::current_exe().context("cannot find our own executable to start render children")?;
    Ok(worker::child::ChildCommand { program: executable, arguments: vec!["render-child".into()] })
}

/// Renders a sample of every format in a child of its own pool, and tells what does not work here.
pub(crate) async fn capabilities(config: &Config) -> anyhow::Result<Capabilities> {
    let (limits, sandbox) = (config.limits.clone().into(), config.sandbox.clone());
    let pool = Pool::new(child_command()?, limits, sandbox, u32::MAX, Admission::unbounded())?;
    let proven = worker::child::capabilities(&pool).await;
    pool.close().await;
    for capability in proven.sources.iter().filter(|capability| !capability.is_proven()) {
        let (format, problem) = (capability.format.name(), capability.problem.as_deref().unwrap_or_default());
        tracing::warn!(source.format = format, "{format} sources cannot be rendered here: {problem}");
    }
    Ok(proven)
}

/// Slower is not broken, but should be known.
fn tell_build() {
    if !render::has_simd_jpeg() {
        tracing::warn!(
            "libjpeg was built without SIMD, so JPEGs that are left to it (grey, ink, damaged) are slow; install nasm and build again"
        );
    }
}

fn install_metrics() -> Result<Arc<Exposition>, Failed> {
    let exposition = adapters::telemetry::metrics::install().map_err(|error| Failed::from(anyhow!(error)))?;
    let simd = if render::has_simd_jpeg() { "yes" } else { "no" };
    let commit = option_env!("THUMBLINE_COMMIT").unwrap_or("unknown");
    metrics::gauge!(
        shared::telemetry::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION"), "commit" => commit, "simd" => simd
    )
    .set(1.0);
    Ok(Arc::new(exposition))
}

fn render_of(exposition: &Arc<Exposition>) -> api::Exposition {
    let exposition = Arc::clone(exposition);
    Arc::new(move || exposition.render())
}

/// Names this process in leases and logs.
fn worker_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}-{}", std::process::id())
}

fn local(listener: &TcpListener) -> anyhow::Result<SocketAddr> {
    listener.local_addr().context("the listener has no address")
}

async fn bind(key: &str, address: &str) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another process listens there; choose another address".to_owned(),
            _ => format!("cannot listen there: {error}"),
        };
        Failed::usage(Problems(vec![Problem::new(key, address, remedy)]))
    })
}
