//! How fast uploads may come: no faster than faults strike, and never more of them waiting than a small machine works off.

use std::time::Duration;

use tokio::sync::watch;

use crate::servers::database::Database;

/// Uploads ahead of the next fault.
const AHEAD: u32 = 10;
/// File versions that wait for their thumbnails.
pub(crate) const WAITING_MAX: i64 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

const WAITING: &str =
    "SELECT count(DISTINCT file_version_id) AS number FROM representation WHERE state IN ('pending', 'viewable')";

/// How many file versions wait; asked again and again, past all faults, until this is dropped.
pub(super) fn watch_waiting(database: Database) -> (watch::Receiver<i64>, tokio::task::AbortHandle) {
    let (sender, receiver) = watch::channel(0);
    let looking = tokio::spawn(async move {
        loop {
            // A database that is down says nothing, and the last answer stands.
            if let Ok(waiting) = database.number(WAITING).await {
                sender.send_replace(waiting);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    });
    (receiver, looking.abort_handle())
}

/// Returns when upload `number` may be sent.
pub(super) async fn my_turn(number: u32, reached: &mut watch::Receiver<u32>, waiting: &mut watch::Receiver<i64>) {
    let _ = reached.wait_for(|reached| number <= reached.saturating_add(AHEAD)).await;
    let _ = waiting.wait_for(|waiting| *waiting <= WAITING_MAX).await;
}
