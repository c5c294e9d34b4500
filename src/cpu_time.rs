//! CPU time that was used, by this process and by its render children.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process and of its render children, user and system.
pub(crate) fn cpu_of_all() -> Duration {
    own_cpu() + children_cpu()
}

/// CPU time of the render children of this process.
pub(crate) fn children_cpu() -> Duration {
    children().iter().filter_map(|pid| child_cpu(pid)).sum()
}

/// CPU time of this process alone.
pub(crate) fn own_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Process ids of our children, as text. They are started by a thread of their own, so every thread is asked.
pub(crate) fn children() -> Vec<String> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let listed = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    listed.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Time on the CPU in nanoseconds is the first number of `schedstat`; a child has one thread.
fn child_cpu(pid: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
