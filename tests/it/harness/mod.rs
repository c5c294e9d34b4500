//! What stories are told with: processes, servers, clients, pictures.

pub(crate) mod client;
pub(crate) mod contract;
mod listener;
pub(crate) mod pictures;
pub(crate) mod process;
pub(crate) mod servers;
mod sns;

use std::future::Future;
use std::time::{Duration, Instant};

/// The longest that anything in a story may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again until there is an answer; fails with what was waited for.
pub(crate) async fn eventually<T, F, Asked>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> Asked,
    Asked: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
