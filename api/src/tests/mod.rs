//! The whole API over real sockets, on SQLite, local blobs and the in-process queue; only the worker is left out.

mod access;
mod away;
mod bad_input;
mod console;
mod content;
mod events;
mod files;
pub(crate) mod harness;
mod hostile;
mod jira;
mod ledger;
mod life;
mod own;
mod representations;
mod surface;
mod upload;
