//! The whole API over real sockets, on SQLite, local blobs and the in-process queue; only the worker is left out.

mod away;
mod console;
mod content;
mod files;
mod harness;
mod jira;
mod own;
mod representations;
mod surface;
mod upload;
