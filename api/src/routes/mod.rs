//! One file per route; `router.rs` lists them with their paths.

pub(crate) mod access;
pub(crate) mod capabilities;
pub(crate) mod console;
pub(crate) mod content;
pub(crate) mod docs;
pub(crate) mod download;
pub(crate) mod explain;
pub(crate) mod failures;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod jira;
pub(crate) mod media;
pub(crate) mod own_file;
pub(crate) mod own_files;
pub(crate) mod parked;
pub(crate) mod pipeline;
pub(crate) mod placeholder;
pub(crate) mod preflight;
pub(crate) mod presets;
pub(crate) mod redrive;
pub(crate) mod representation;
pub(crate) mod thumbnail;
pub(crate) mod trash;
pub(crate) mod upload;
pub(crate) mod user;
pub(crate) mod versions;
