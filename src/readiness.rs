//! Whether this process is ready: connected to everything it stands on, and not draining.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use api::Check;
use tokio_util::sync::CancellationToken;

use crate::platform::Platform;

/// Shared by the listeners, which answer before there is a platform.
#[derive(Clone)]
pub struct Readiness {
    platform: Arc<OnceLock<Platform>>,
    drain: CancellationToken,
}

type Answer = Result<(), Box<dyn Error + Send + Sync>>;

impl Readiness {
    /// Not ready yet; never again once `drain` is cancelled.
    pub fn new(drain: CancellationToken) -> Self {
        Self { platform: Arc::default(), drain }
    }

    /// Connected to everything.
    pub fn connected(&self, platform: Platform) {
        // Only a start connects, and it does so once.
        let _ = self.platform.set(platform);
    }

    /// One check per dependency, and one for the process itself.
    pub fn checks(&self) -> Vec<Check> {
        vec![
            self.check("process", |readiness, _| async move {
                if readiness.drain.is_cancelled() { Err("draining".into()) } else { Ok(()) }
            }),
            self.check("database", |_, platform| async move { Ok(platform.store.ping().await?) }),
            self.check("queue", |_, platform| async move { Ok(platform.queue.ping().await?) }),
            self.check("blobs", |_, platform| async move { Ok(platform.blobs.ping().await?) }),
        ]
    }

    fn check<F>(&self, name: &'static str, ask: impl Fn(Self, Platform) -> F + Clone + Send + Sync + 'static) -> Check
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let readiness = self.clone();
        Check::new(name, move || {
            let (readiness, ask) = (readiness.clone(), ask.clone());
            async move {
                match readiness.platform.get().cloned() {
                    Some(platform) => ask(readiness, platform).await,
                    None => Err("starting: not everything is connected yet".into()),
                }
            }
        })
    }
}
