//! What a render child gives up before it reads a byte of any source. What cannot be given up is an error: a child
//! that is not confined does not work.

use std::io;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal, setrlimit,
    setsid,
};

use super::protocol::Setup;

/// Descriptors that a child may hold: the socket, standard output and error, source, output, and a few in passing.
const DESCRIPTORS_MAX: u64 = 16;

/// Cuts the child off from its parent's terminal, signals and life. No input is needed for that, so it comes first.
pub(super) fn detach() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A session of its own: Ctrl-C in the parent's terminal is the parent's, and the group can be killed as a whole.
    setsid()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    limit(Resource::Core, 0)
}

/// Bounds what the child can use, for good: hard limits cannot be raised again.
pub(super) fn bound(setup: &Setup) -> io::Result<()> {
    limit(Resource::As, setup.memory_bytes_max)?;
    limit(Resource::Fsize, setup.output_bytes_max)?;
    limit(Resource::Nofile, DESCRIPTORS_MAX)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
