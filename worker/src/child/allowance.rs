//! What a child may use for the source that it works on, set by its parent: the child can change none of it.

use std::io;
use std::time::Duration;

use nix::time::ClockId;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use shared::domain::limits::Limits;

/// Processor time that a process has used so far.
///
/// The kernel's limit counts from the start of the process, but a child renders many sources.
pub(super) fn processor_time(child: Pid) -> io::Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(nix::unistd::Pid::from_raw(child.as_raw_nonzero().get()))?;
    Ok(clock.now()?.into())
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
    fn time_that_a_process_uses_is_seen() {
        let own = || processor_time(rustix::process::getpid()).unwrap();
        let before = own();
        while own() == before {
            std::hint::spin_loop();
        }
        assert!(own() < Duration::from_secs(3600));
    }

    #[test]
    fn a_process_that_is_not_there_has_used_nothing_that_can_be_told() {
        // Linux has no number above 2^22; a clock's name has room for less than the whole of an integer.
        assert!(processor_time(Pid::from_raw(1 << 27).unwrap()).is_err());
    }
}
