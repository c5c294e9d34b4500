//! Children ready to work: the pool lends them, buries them, and tells why they died.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use shared::domain::failure::{Failure, FailureCode};
use shared::domain::limits::Limits;
use shared::domain::preset::Preset;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::check::{self, Answer, Violation};
use super::death;
use super::memory_file::{self, SealedSource};
use super::process::{End, RenderChild, StartError};
use super::protocol::{FrameError, Order, Reply, Setup};
use super::sandbox::Sandbox;
use super::spawner::Spawner;
use crate::metrics::{self, ExitCause};

/// How a child is started: the executable and the arguments that make it call [`main`](super::main).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCommand {
    /// The executable, usually our own.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Render children, each confined, each used by one order at a time.
///
/// The pool starts a child when none is idle; how many work at a time is bounded by the caller's permits.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    command: ChildCommand,
    limits: Arc<Limits>,
    sandbox: Sandbox,
    /// The log says once which layers hold.
    layers_told: Once,
    renders_max: u64,
    spawner: Spawner,
    idle: Mutex<Vec<RenderChild>>,
    /// Children on their way out; [`Pool::close`] waits for them.
    burials: TaskTracker,
}

impl Pool {
    /// An empty pool; must be called within a runtime. A child is replaced after `renders_max` sources.
    pub fn new(
        command: ChildCommand,
        limits: Arc<Limits>,
        sandbox: Sandbox,
        renders_max: u32,
    ) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            command,
            limits,
            sandbox,
            layers_told: Once::new(),
            renders_max: u64::from(renders_max),
            spawner: Spawner::new()?,
            idle: Mutex::new(Vec::new()),
            burials: TaskTracker::new(),
        })))
    }

    /// Starts children until `idle` are waiting, so that the first sources need not.
    pub async fn prepare(&self, idle: usize) -> Result<(), StartError> {
        let present = self.0.idle().len();
        for _ in present..idle {
            let child = self.0.start().await?;
            self.0.idle().push(child);
        }
        Ok(())
    }

    /// What one source may cost.
    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Renders every preset of one source in a child. Whatever the child does, this ends within
    /// `limits.child_seconds_max` and a little; dropped before, the child is killed.
    pub async fn render(&self, source: &SealedSource, presets: Vec<Preset>) -> Answer {
        match self.try_render(source, presets).await {
            Ok(answer) => answer,
            Err(failure) => Answer { steps: Vec::new(), result: Err(failure) },
        }
    }

    async fn try_render(&self, source: &SealedSource, presets: Vec<Preset>) -> Result<Answer, Failure> {
        let overloaded = |error: &dyn std::error::Error| Failure::new(FailureCode::WorkerOverloaded, error.to_string());
        let output = memory_file::output().map_err(|error| overloaded(&error))?;
        let mut lent = self.lend().await.map_err(|error| overloaded(&error))?;
        let order = Order { number: lent.child().next_number(), presets, limits: Limits::clone(&self.0.limits) };
        let time_max = Duration::from_secs(self.0.limits.child_seconds_max);
        let replied = tokio::time::timeout(time_max, lent.child().order(&order, source, &output)).await;
        let reply = match replied {
            Ok(Ok(reply)) => reply,
            Ok(Err(FrameError::Ended(_))) => return Err(lent.died().await),
            Ok(Err(error)) => return Err(lent.lied(&error).await),
            Err(_) => return Err(lent.timed_out(time_max).await),
        };
        match check_apart(reply, order, output).await {
            Ok(answer) => {
                lent.give_back();
                Ok(answer)
            }
            Err(violation) => Err(lent.lied(&violation).await),
        }
    }

    /// An idle child, or a new one.
    async fn lend(&self) -> Result<Lent, StartError> {
        loop {
            let idle = self.0.idle().pop();
            let mut child = match idle {
                Some(child) => child,
                None => self.0.start().await?,
            };
            if !child.has_exited() {
                return Ok(Lent { child: Some(child), pool: Arc::clone(&self.0) });
            }
            // Nobody's source is to blame: something outside ended it.
            Lent { child: Some(child), pool: Arc::clone(&self.0) }.died().await;
        }
    }

    /// Ends all idle children and waits until every child is gone; nothing is to be rendered afterwards.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.0.idle());
        for child in idle {
            self.0.burials.spawn(child.kill());
        }
        self.0.burials.close();
        self.0.burials.wait().await;
    }
}

/// Reads, checks and digests the output on a thread where that may take its time.
async fn check_apart(reply: Reply, order: Order, output: std::fs::File) -> Result<Answer, Violation> {
    let checked = tokio::task::spawn_blocking(move || check::check(reply, &order, &output)).await;
    checked.unwrap_or_else(|error| Err(Violation::Claim(format!("the check of the reply did not end: {error}"))))
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<RenderChild>> {
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
    fn kill(&self, mut child: RenderChild, cause: ExitCause) -> JoinHandle<End> {
        metrics::child_exit(cause);
        child.kill_now();
        self.burials.spawn(child.kill())
    }
}

/// A child in use. Dropped without being given back, it is killed: nobody knows what it was doing.
struct Lent {
    child: Option<RenderChild>,
    pool: Arc<Shared>,
}

impl Lent {
    #[expect(clippy::expect_used, reason = "the child is taken only by methods that consume the loan")]
    fn child(&mut self) -> &mut RenderChild {
        self.child.as_mut().expect("a loan holds its child")
    }

    /// Back among the idle ones, unless it has rendered its share.
    fn give_back(mut self) {
        let Some(child) = self.child.take() else { return };
        if child.orders() < self.pool.renders_max {
            self.pool.idle().push(child);
        } else {
            drop(self.pool.kill(child, ExitCause::Recycled));
        }
    }

    async fn timed_out(self, time_max: Duration) -> Failure {
        self.kill(ExitCause::Timeout).await;
        let reason = format!("rendering took longer than {} s and was stopped", time_max.as_secs());
        Failure::new(FailureCode::ChildTimeout, reason)
    }

    async fn lied(self, claim: &(dyn fmt::Display + Sync)) -> Failure {
        self.kill(ExitCause::Protocol).await;
        Failure::new(FailureCode::ChildProtocol, format!("the render child sent {claim}"))
    }

    async fn kill(mut self, cause: ExitCause) {
        if let Some(child) = self.child.take() {
            let _ = self.pool.kill(child, cause).await;
        }
    }

    /// The connection ended: the child is dead or dying, and its end tells why.
    async fn died(mut self) -> Failure {
        let Some(child) = self.child.take() else { return death::failure(&End::unknown()) };
        let end = self.pool.burials.spawn(child.wait()).await.unwrap_or_else(|_| End::unknown());
        let cause = death::cause(&end);
        let failure = death::failure(&end);
        metrics::child_exit(cause);
        tracing::warn!(
            child.cause = cause.name(),
            failure.code = failure.code.name(),
            "a render child died: {failure}"
        );
        failure
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            drop(self.pool.kill(child, ExitCause::Cancelled));
        }
    }
}
