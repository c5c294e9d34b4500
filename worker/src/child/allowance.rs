//! What a child may use for the source that it works on, set by its parent: the child can change none of it.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use shared::domain::limits::Limits;

/// In which the kernel tells processor time (`USER_HZ`), the same on every machine that we know.
const TICKS_PER_SECOND: u64 = 100;

/// Processor time that a process has used so far.
///
/// The kernel's limit counts from the start of the process, but a child renders many sources.
pub(super) fn processor_time(child: Pid) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()))?;
    let ticks = ticks(&stat).ok_or_else(|| io::Error::other("the kernel's figures of a process cannot be read"))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// User and system time, the 12th and 13th field behind the name, which is in brackets and may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    times.next()?.ok()?.checked_add(times.next()?.ok()?)
}

/// Bounds a child that had used `used` of its processor time when its source came. Its own hard limit on memory is
/// that of the `widest` limits.
pub(super) fn allow(child: Pid, limits: &Limits, widest: &Limits, used: Duration) -> io::Result<()> {
    let set = |resource, most: u64, hard: Option<u64>| {
        let current = Some(hard.map_or(most, |hard| hard.min(most)));
        prlimit(Some(child), resource, Rlimit { current, maximum: hard }).map(drop)
    };
    // Whole seconds only; the one that has begun is given.
    let seconds = used.as_secs().saturating_add(1).saturating_add(limits.child_cpu_seconds_max);
    // The hard limit is inherited from us.
    set(Resource::Cpu, seconds, getrlimit(Resource::Cpu).maximum)?;
    set(Resource::As, limits.child_memory_bytes_max, Some(widest.child_memory_bytes_max))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 99 0 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (x) S 1"), None);
        assert!(processor_time(rustix::process::getpid()).unwrap() < Duration::from_secs(3600));
    }
}
