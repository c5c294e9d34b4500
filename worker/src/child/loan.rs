//! A child in use: given back when it was honest, killed when not, mourned when it died.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use shared::domain::failure::{Failure, FailureCode};
use shared::domain::limits::Limits;
use tokio::time::error::Elapsed;

use super::death;
use super::idle::Seen;
use super::pool::Shared;
use super::process::{End, RenderChild};
use super::protocol::{FrameError, Told};
use crate::metrics::{self, ExitCause};

/// A child in use. Dropped without being given back, it is killed: nobody knows what it was doing.
pub(super) struct Lent {
    child: Option<RenderChild>,
    /// Including the source that it works on.
    seen: Seen,
    pool: Arc<Shared>,
}

impl Lent {
    pub(super) fn new(child: RenderChild, seen: Seen, pool: Arc<Shared>) -> Self {
        Self { child: Some(child), seen, pool }
    }

    #[expect(clippy::expect_used, reason = "the child is taken only by methods that consume the loan")]
    pub(super) fn child(&mut self) -> &mut RenderChild {
        self.child.as_mut().expect("a loan holds its child")
    }

    /// What the child told, or why its source fails: then the child is gone.
    pub(super) async fn heard(
        self,
        told: Result<Result<Told, FrameError>, Elapsed>,
        limits: &Limits,
    ) -> Result<(Self, Told), Failure> {
        match told {
            Ok(Ok(told)) => Ok((self, told)),
            Ok(Err(FrameError::Ended(_))) => Err(self.died(limits).await),
            Ok(Err(error)) => Err(self.lied(&error).await),
            Err(_) => Err(self.timed_out(Duration::from_secs(limits.child_seconds_max)).await),
        }
    }

    /// Back among the idle ones, unless it has rendered its share.
    pub(super) fn give_back(mut self) {
        let Some(child) = self.child.take() else { return };
        if child.orders() < self.pool.renders_max() && child.shrink_output().is_ok() {
            self.pool.keep(self.seen.clone(), child);
        } else {
            drop(self.pool.kill(child, ExitCause::Recycled));
        }
    }

    async fn timed_out(self, time_max: Duration) -> Failure {
        self.kill(ExitCause::Timeout).await;
        let reason = format!("rendering took longer than {} s and was stopped", time_max.as_secs());
        Failure::new(FailureCode::ChildTimeout, reason)
    }

    pub(super) async fn lied(self, claim: &(dyn fmt::Display + Sync)) -> Failure {
        self.kill(ExitCause::Protocol).await;
        Failure::new(FailureCode::ChildProtocol, format!("the render child sent {claim}"))
    }

    async fn kill(mut self, cause: ExitCause) {
        if let Some(child) = self.child.take() {
            let _ = self.pool.kill(child, cause).await;
        }
    }

    /// The connection ended: the child is dead or dying, and its end tells why.
    pub(super) async fn died(mut self, limits: &Limits) -> Failure {
        let Some(child) = self.child.take() else { return death::failure(&End::unknown(), limits) };
        let end = self.pool.bury(child).await.unwrap_or_else(|_| End::unknown());
        let cause = death::cause(&end);
        let failure = death::failure(&end, limits);
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
