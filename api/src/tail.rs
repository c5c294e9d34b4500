//! The end of the log of announcements, followed once for all server-sent event streams of this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::domain::announcement::{Announcement, Position};
use shared::ports::announcements::AnnouncementLog;
use tokio::sync::broadcast;

/// Time between two looks.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// Announcements read with one statement.
const BATCH: u32 = 200;
/// Announcements that a stream may be behind the end of the log before it is cut.
const BEHIND_MAX: usize = 1024;

/// Follows the log as long as anybody listens.
pub(crate) struct Tail {
    log: Arc<dyn AnnouncementLog>,
    sender: broadcast::Sender<Arc<Announcement>>,
    somebody_follows: Mutex<bool>,
}

impl Tail {
    pub(crate) fn new(log: Arc<dyn AnnouncementLog>) -> Arc<Self> {
        let (sender, _) = broadcast::channel(BEHIND_MAX);
        Arc::new(Self { log, sender, somebody_follows: Mutex::new(false) })
    }

    /// What is announced from now on, give or take what was announced a moment ago. Announcements that are missed between
    /// this and an earlier reading of the log are those between the reading and the first that comes.
    pub(crate) fn listen(self: &Arc<Self>) -> broadcast::Receiver<Arc<Announcement>> {
        let receiver = self.sender.subscribe();
        let mut follows = self.somebody_follows.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *follows, true) {
            tokio::spawn(Arc::clone(self).follow());
        }
        receiver
    }

    async fn follow(self: Arc<Self>) {
        let mut position = None;
        while self.is_wanted() {
            match self.step(position).await {
                Ok(reached) => position = Some(reached),
                // Streams wait; what is announced meanwhile stays in the log.
                Err(error) => tracing::debug!(error = %error, "the log cannot be followed: {error}"),
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
    }

    /// Under the lock: whoever listens from now on starts anew.
    fn is_wanted(&self) -> bool {
        let mut follows = self.somebody_follows.lock().unwrap_or_else(PoisonError::into_inner);
        *follows = self.sender.receiver_count() > 0;
        *follows
    }

    /// Everything new, from the end of the log on when that was not known before.
    async fn step(&self, position: Option<Position>) -> Result<Position, shared::ports::state_store::StoreError> {
        let Some(mut position) = position else { return Ok(self.log.span().await?.newest) };
        loop {
            let page = self.log.after(position, BATCH).await?;
            let is_last = page.len() < BATCH as usize;
            for announcement in page {
                position = announcement.position;
                // Nobody listens any more: the next look notices.
                let _ = self.sender.send(Arc::new(announcement));
            }
            if is_last {
                return Ok(position);
            }
        }
    }
}
