//! Children ready to work: the pool lends one for each source, and starts the next before it is needed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::ids::Tenant;
use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::Preset;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::check::{self, Answer, Violation};
use super::idle::{Idle, Seen};
use super::loan::Lent;
use super::memory_file::SealedSource;
use super::process::{End, RenderChild, Since, StartError};
use super::protocol::{Inspected, Order, Reply, Setup, Told};
use super::sandbox::Sandbox;
use super::spawner::Spawner;
use crate::admission::Admission;
use crate::metrics::{self, ExitCause};

/// How a child is started: the executable and the arguments that make it call [`main`](super::main).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCommand {
    /// The executable, usually our own.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// What is read, checked and digested on the spot: it takes a quarter of a millisecond, and waking another thread for it a
/// good part of that. What is longer goes to a thread where it may take its time.
const CHECKED_AT_ONCE_BYTES_MAX: u64 = 256 << 10;

/// Children that may wait for each that may work: what a few tenants that take turns need.
const IDLE_FOR_EACH_AT_WORK: usize = 2;

/// Render children, each confined, each used by one order at a time.
///
/// The pool starts a child when none is idle; how many work at a time is bounded by the caller's permits, and how much
/// memory they may need together by the admission.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    command: ChildCommand,
    limits: Arc<LimitsTable>,
    widest: Limits,
    sandbox: Sandbox,
    /// The log says once which layers hold.
    layers_told: Once,
    renders_max: u64,
    admission: Admission,
    spawner: Spawner,
    idle: Mutex<Idle>,
    /// Children that are kept ready for whoever comes; 0 until [`Pool::prepare`].
    kept_ready: AtomicUsize,
    /// Children on their way out, and spare ones on their way in; [`Pool::close`] waits for them.
    comings_and_goings: TaskTracker,
}

impl Pool {
    /// An empty pool; must be called within a runtime. A child is replaced after `renders_max` sources, and decodes
    /// once `admission` has the memory for it.
    pub fn new(
        command: ChildCommand,
        limits: Arc<LimitsTable>,
        sandbox: Sandbox,
        renders_max: u32,
        admission: Admission,
    ) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            command,
            widest: limits.widest(),
            limits,
            sandbox,
            layers_told: Once::new(),
            renders_max: u64::from(renders_max),
            admission,
            spawner: Spawner::new()?,
            idle: Mutex::default(),
            kept_ready: AtomicUsize::new(0),
            comings_and_goings: TaskTracker::new(),
        })))
    }

    /// Starts children until `ready` are waiting; from then on, where tenants are kept apart, a spare one as soon as the
    /// last spare one is taken, so that hardly a source need wait for a start.
    pub async fn prepare(&self, ready: usize) -> Result<(), StartError> {
        let present = self.0.idle().spare();
        for _ in present..ready {
            let child = self.0.start().await?;
            self.0.idle().push(Seen::Nothing, child);
        }
        self.0.kept_ready.store(ready, Ordering::Relaxed);
        Ok(())
    }

    /// What one source may cost.
    pub(super) fn limits(&self) -> &LimitsTable {
        &self.0.limits
    }

    /// Renders every preset of one source of this tenant in a child. Whatever the child does, this ends within twice
    /// `child_seconds_max` and a little, not counting the wait for memory; dropped before, the child is killed.
    pub async fn render(&self, tenant: Option<&Tenant>, source: &SealedSource, presets: Vec<Preset>) -> Answer {
        self.render_copy(tenant, source, None, presets).await
    }

    /// The same of a source that may be a smaller copy of a picture of these dimensions: what is made of it has the sizes
    /// that the picture itself would have come to.
    pub async fn render_copy(
        &self,
        tenant: Option<&Tenant>,
        source: &SealedSource,
        original: Option<Dimensions>,
        presets: Vec<Preset>,
    ) -> Answer {
        match self.try_render(tenant, source, original, presets).await {
            Ok(answer) => answer,
            Err(failure) => Answer { steps: Vec::new(), predicted_bytes: None, result: Err(failure) },
        }
    }

    async fn try_render(
        &self,
        tenant: Option<&Tenant>,
        source: &SealedSource,
        original: Option<Dimensions>,
        presets: Vec<Preset>,
    ) -> Result<Answer, Failure> {
        let Shared { limits, widest, admission, .. } = &*self.0;
        let mut lent = self.lend(tenant).await.map_err(|error| overloaded(&error))?;
        let limits_of_all = LimitsTable::clone(limits);
        let (number, source_at) = (lent.child().next_number(), source.place());
        let order = Order { number, source: source_at, presets, limits: limits_of_all, original };

        lent.child().allow(widest, widest, Since::Now).map_err(|error| overloaded(&error))?;
        let time_max = Duration::from_secs(widest.child_seconds_max);
        let told = timeout(time_max, lent.child().order(&order, source)).await;
        let (mut lent, told) = lent.heard(told, widest).await?;
        let inspected = match told {
            Told::Replied(reply) => return judge(lent, reply, order, None).await,
            Told::Inspected(inspected) => inspected,
        };
        if let Err(violation) = check::check_inspected(&inspected, &order) {
            return Err(lent.lied(&violation).await);
        }

        let limits = limits.of(inspected.picture.format);
        let _memory = admission.admit(inspected.predicted_bytes).await;
        lent.child().allow(limits, widest, Since::Order).map_err(|error| overloaded(&error))?;
        let told = timeout(Duration::from_secs(limits.child_seconds_max), lent.child().admit()).await;
        let (lent, told) = lent.heard(told, limits).await?;
        match told {
            Told::Replied(reply) => judge(lent, reply, order, Some(inspected)).await,
            Told::Inspected(_) => Err(lent.lied(&"another header of the same source").await),
        }
    }

    /// An idle child that has seen no other tenant's sources, or a new one.
    async fn lend(&self, tenant: Option<&Tenant>) -> Result<Lent, StartError> {
        let tenant = tenant.filter(|_| !self.0.sandbox.share_children_across_tenants).cloned();
        loop {
            let taken = self.0.idle().take(&tenant);
            let (seen, mut child) = match taken {
                Some(taken) => taken,
                None => (Seen::Nothing, self.0.start().await?),
            };
            if seen == Seen::Nothing && tenant.is_some() {
                self.0.start_spare();
            }
            let exited = child.has_exited();
            let lent = Lent::new(child, Seen::Of(tenant.clone()), Arc::clone(&self.0));
            if !exited {
                return Ok(lent);
            }
            // Nobody's source is to blame: something outside ended it.
            lent.died(&self.0.widest).await;
        }
    }

    /// Ends all idle children and waits until every child is gone; nothing is to be rendered afterwards.
    pub async fn close(&self) {
        self.0.comings_and_goings.close();
        let idle = self.0.idle().drain();
        for child in idle {
            self.0.comings_and_goings.spawn(child.kill());
        }
        self.0.comings_and_goings.wait().await;
        // A spare one may have come meanwhile.
        let late = self.0.idle().drain();
        for child in late {
            child.kill().await;
        }
    }
}

fn overloaded(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureCode::WorkerOverloaded, error.to_string())
}

/// Reads, checks and digests the output; a child that was honest goes back.
async fn judge(mut lent: Lent, reply: Reply, order: Order, inspected: Option<Inspected>) -> Result<Answer, Failure> {
    let output = lent.child().output();
    let is_quick = check::claimed_bytes(&reply) <= CHECKED_AT_ONCE_BYTES_MAX;
    let checking = move || check::check(reply, &order, inspected.as_ref(), &output);
    let checked = if is_quick {
        checking()
    } else {
        let did_not_end = |error| Err(Violation::Claim(format!("a reply whose check did not end: {error}")));
        tokio::task::spawn_blocking(checking).await.unwrap_or_else(did_not_end)
    };
    match checked {
        Ok(answer) => {
            lent.give_back();
            Ok(answer)
        }
        Err(violation) => Err(lent.lied(&violation).await),
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self) -> Result<RenderChild, StartError> {
        let setup = Setup::new(&self.limits, &self.sandbox);
        let began = Instant::now();
        let child = RenderChild::start(&self.spawner, &self.command, &setup).await?;
        tracing::debug!(start_ms = began.elapsed().as_millis() as u64, "a render child is ready");
        self.layers_told.call_once(|| self.tell_layers(&child));
        Ok(child)
    }

    /// Starts a child for whoever comes next, when the last spare one is gone: where tenants are kept apart, the next
    /// source may be of one that none of the others may serve.
    fn start_spare(self: &Arc<Self>) {
        if self.kept_ready.load(Ordering::Relaxed) == 0
            || self.idle().spare() > 0
            || self.comings_and_goings.is_closed()
        {
            return;
        }
        let pool = Arc::clone(self);
        self.comings_and_goings.spawn(async move {
            match pool.start().await {
                Ok(child) => pool.keep(Seen::Nothing, child),
                // The next source that needs one tries again, and tells.
                Err(error) => tracing::debug!(%error, "no spare render child"),
            }
        });
    }

    /// Puts a child among the idle ones; those that have waited longest make room.
    pub(super) fn keep(self: &Arc<Self>, seen: Seen, child: RenderChild) {
        let most = IDLE_FOR_EACH_AT_WORK * self.kept_ready.load(Ordering::Relaxed).max(1);
        let surplus = {
            let mut idle = self.idle();
            idle.push(seen, child);
            idle.surplus(most)
        };
        surplus.into_iter().for_each(|child| drop(self.kill(child, ExitCause::Recycled)));
    }

    pub(super) fn renders_max(&self) -> u64 {
        self.renders_max
    }

    fn tell_layers(&self, child: &RenderChild) {
        let layers = child.layers().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if self.sandbox.is_on() {
            tracing::info!(sandbox.layers = layers, "render children are confined");
        } else {
            tracing::warn!(
                sandbox.layers = layers,
                "render children are NOT confined (sandbox.mode = \"off\"): whoever finds a hole in a decoder has this user"
            );
        }
    }

    /// Kills a child and counts why. On a task of its own: whoever gives up waiting for it leaves no zombie behind.
    pub(super) fn kill(&self, mut child: RenderChild, cause: ExitCause) -> JoinHandle<End> {
        metrics::child_exit(cause);
        child.kill_now();
        self.comings_and_goings.spawn(child.kill())
    }

    /// Waits for a child that hung up by itself.
    pub(super) fn bury(&self, child: RenderChild) -> JoinHandle<End> {
        self.comings_and_goings.spawn(child.wait())
    }
}
