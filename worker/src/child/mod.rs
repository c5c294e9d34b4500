//! Render children: hostile bytes are parsed in a process of their own, which may crash, hang or lie without harm.
//!
//! The parent and its child share a Unix socket (the child's descriptor 0) and two anonymous memory files: the window, into
//! which the parent writes the source before each order, and the output, which the child fills anew with every order. A source
//! that is longer than the window comes in a file of its own, sealed so that nobody can change it. What the child says of
//! the output is a claim that `check.rs` holds against the file.
//!
//! | file | |
//! |---|---|
//! | `pool.rs` | children ready to work: lends one for each source, and starts the next before it is needed |
//! | `loan.rs` | a child in use: given back, killed, or mourned with the reason |
//! | `process.rs` | one child as its parent sees it: start, order, end |
//! | `death.rs` | what the end of a child means for its source |
//! | `spawner.rs` | the thread that starts children |
//! | `check.rs` | everything that a reply claims, checked |
//! | `verify.rs` | whether an output is a whole file of its format and dimensions |
//! | `allowance.rs` | processor time and memory of a child, set by its parent for each source |
//! | `idle.rs` | children that wait, and whose sources they have seen |
//! | `protocol.rs` | messages and frames, the same on both sides |
//! | `memory_file.rs` | window, source and output as anonymous memory files |
//! | `entry.rs` | what runs in the child: confine itself, then render order by order |
//! | `sandbox.rs` | section `[sandbox]`: the layers, and which are required |
//! | `warm.rs` | what codecs and libraries set up on first use, done before the doors close |
//! | `confine/` | what the child gives up before it reads a byte: one file per layer |
//! | `fuzzing.rs` | both directions of the protocol as functions of bytes, for tests only |
//! | `prove_formats.rs` | a sample of every format, rendered |
//! | `probe.rs` | attempts to break out, which prove the layers |

mod allowance;
mod check;
mod confine;
mod death;
mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod idle;
mod loan;
mod memory_file;
mod pool;
mod probe;
mod process;
mod protocol;
mod prove_formats;
mod sandbox;
mod spawner;
mod verify;
mod warm;

pub use crate::metrics::ExitCause;
pub use check::{Answer, RenderedPage, Rendering, Renderings};
pub use entry::{Engine, main, main_with};
pub use memory_file::{SealedSource, SourceWriter};
pub use pool::{ChildCommand, Pool};
pub use probe::{Proof, Verdict, prove};
pub use process::{ALLOCATOR_VARIABLE, KEEP_FREED_MEMORY, StartError};
pub use prove_formats::capabilities;
pub use sandbox::{Layer, Mode, Sandbox};
