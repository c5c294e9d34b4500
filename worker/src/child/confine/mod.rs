//! What a render child gives up before it reads a byte of any source. What cannot be given up is an error: a child
//! that is not confined does not work.

mod landlock;
mod rlimits;
mod seccomp;

use std::io;

use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal, setsid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

pub(super) use rlimits::DESCRIPTORS_MAX;

use super::protocol::Setup;
use super::sandbox::{Layer, LayerState, Standing};

/// Standard input (the socket), output and error: all that a child may inherit.
const INHERITED: std::ops::RangeInclusive<i32> = 0..=2;

/// A layer that could not be set up although it had to be.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox layer {layer} could not be set up: {reason}")]
pub(super) struct Unconfined {
    pub(super) layer: Layer,
    pub(super) reason: String,
}

/// Cuts the child off from its parent's terminal, signals, life and descriptors. No input is needed for that, so it
/// comes first.
pub(super) fn detach() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A session of its own: Ctrl-C in the parent's terminal is the parent's, and the group can be killed as a whole.
    setsid()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_no_new_privs(true)?;
    drop_capabilities()?;
    rlimits::no_core_dump()?;
    close_inherited()
}

/// What root may do beyond others, for good. The user id stays, but owns nothing that the child could still reach.
fn drop_capabilities() -> io::Result<()> {
    if capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter() {
            match remove_capability_from_bounding_set(capability) {
                // An older kernel does not have it.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

/// Our own descriptors close on exec, but whoever started the parent may have left some open for everybody.
fn close_inherited() -> io::Result<()> {
    for descriptor in open_descriptors()?.into_iter().filter(|number| !INHERITED.contains(number)) {
        match nix::unistd::close(descriptor) {
            // The listing itself was one of them.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The directory is closed again when this returns: its entries hold it open, so only the numbers leave.
fn open_descriptors() -> io::Result<Vec<i32>> {
    let number = |entry: io::Result<std::fs::DirEntry>| {
        let name = entry?.file_name();
        name.to_str()
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| io::Error::other("a descriptor without a number"))
    };
    std::fs::read_dir("/proc/self/fd")?.map(number).collect()
}

/// Sets up every layer that is due, each on top of the ones before; none can be taken back.
pub(super) fn lock_in(setup: &Setup) -> Result<Vec<LayerState>, Unconfined> {
    let mut layers = Vec::with_capacity(Layer::ALL.len());
    for layer in Layer::ALL.into_iter().filter(|layer| is_due(*layer, setup)) {
        let set_up = match layer {
            Layer::Rlimits => rlimits::bound(setup),
            Layer::Landlock => landlock::restrict(),
            Layer::Seccomp => seccomp::filter(),
        };
        match set_up.map_err(|reason| Unconfined { layer, reason })? {
            Standing::Unavailable(reason) if setup.sandbox.requires(layer) => return Err(Unconfined { layer, reason }),
            standing => layers.push(LayerState { layer, standing }),
        }
    }
    Ok(layers)
}

/// Limits hold in every mode. A child that tries to break out of one layer goes without those that would stop it
/// sooner.
fn is_due(layer: Layer, setup: &Setup) -> bool {
    let tried = setup.attempt.is_none_or(|attempt| layer <= attempt.layer());
    layer == Layer::Rlimits || (setup.sandbox.is_on() && tried)
}
