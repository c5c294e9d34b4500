//! Bounds on what a child can use, for good: hard limits cannot be raised again.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::child::protocol::Setup;
use crate::child::sandbox::Standing;

/// Descriptors that a child may hold: the socket, standard output and error, source, output, and a few in passing.
pub(in crate::child) const DESCRIPTORS_MAX: u64 = 16;

pub(super) fn no_core_dump() -> io::Result<()> {
    limit(Resource::Core, 0)
}

pub(super) fn bound(setup: &Setup) -> Result<Standing, String> {
    let limits = [
        (Resource::As, setup.memory_bytes_max),
        (Resource::Fsize, setup.output_bytes_max),
        (Resource::Nofile, DESCRIPTORS_MAX),
        // No further process or thread; the kernel exempts root, whom the filter stops.
        (Resource::Nproc, 0),
    ];
    limits.into_iter().try_for_each(|(resource, most)| limit(resource, most)).map_err(|error| error.to_string())?;
    Ok(Standing::Enforced("address space, output, descriptors, processes".to_owned()))
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
