//! Two-stage shutdown: the first signal drains, the second one stops.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What running roles watch.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Take nothing new; finish what runs.
    pub drain: CancellationToken,
    /// Hand back what runs and end now.
    pub stop: CancellationToken,
}

impl Shutdown {
    /// Cancelled by SIGTERM and Ctrl-C: once to drain, twice to stop.
    pub fn on_signals() -> anyhow::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        let tokens = shutdown.clone();
        tokio::spawn(async move {
            for (stage, message) in [
                (&tokens.drain, "finishing what runs; a second signal stops at once"),
                (&tokens.stop, "stopping at once"),
            ] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                tracing::info!("{message}");
                stage.cancel();
            }
        });
        Ok(shutdown)
    }
}
