//! What happens to processes: killed, frozen, started with a wrong clock; and their render children killed.

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::Kind;
use crate::guard::Guard;
use crate::system::Member;

/// A render child may be between two sources: so long is waited for one that renders.
const RENDERING: Duration = Duration::from_secs(2);
/// By how much a clock is wrong, hours.
const HOURS: i64 = 7;

/// `kill -9` after a moment, in the middle of whatever it does then; started again at once.
pub(super) async fn kill(member: &Member, guard: &Guard, after: Duration) -> anyhow::Result<()> {
    let _alone = member.alone().await;
    tokio::time::sleep(after).await;
    member.kill(guard).await?;
    member.start(guard, &[]).await
}

/// Stopped for so long, and let go on.
pub(super) async fn freeze(member: &Member, lasts: Duration) {
    let _alone = member.alone().await;
    member.signal(Signal::STOP).await;
    tokio::time::sleep(lasts).await;
    member.signal(Signal::CONT).await;
}

/// Hours ahead or behind for so long; then started again with the right time.
pub(super) async fn shift_clock(
    member: &Member,
    guard: &Guard,
    which: u32,
    lasts: Duration,
    hooks: &str,
) -> anyhow::Result<()> {
    let _alone = member.alone().await;
    let hours = if which.is_multiple_of(2) { HOURS } else { -HOURS };
    let separator = if hooks.is_empty() { "" } else { "," };
    member.terminate(guard).await?;
    member.start(guard, &[("THUMBLINE_TEST_HOOKS", format!("{hooks}{separator}clock={}", hours * 3600))]).await?;
    tokio::time::sleep(lasts).await;
    member.terminate(guard).await?;
    member.start(guard, &[]).await
}

/// Kills one render child, one that is busy if there is any soon. `false` when there was none at all.
pub(super) async fn kill_child(members: &[std::sync::Arc<Member>], which: u32) -> bool {
    let deadline = tokio::time::Instant::now() + RENDERING;
    loop {
        let mut children = Vec::new();
        for member in members {
            children.extend(member.children().await);
        }
        let busy = children.iter().copied().find(|child| is_running(*child));
        let any = children.get(which as usize % children.len().max(1)).copied();
        let late = tokio::time::Instant::now() > deadline;
        if let Some(victim) = busy.or(any.filter(|_| late)) {
            return kill_process(victim, Signal::KILL).is_ok();
        }
        if late {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether the process has or wants a processor: a child that waits for a source sleeps.
fn is_running(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|after| after.trim_start().starts_with('R'))
}

impl Kind {
    /// Whether only a build with `test-hooks` can have it.
    pub(crate) fn needs_hooks(self) -> bool {
        self == Self::WorkerClock
    }
}
