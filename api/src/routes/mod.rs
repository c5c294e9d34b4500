//! One file per route; `router.rs` lists them with their paths.

pub(crate) mod access;
pub(crate) mod console;
pub(crate) mod content;
pub(crate) mod docs;
pub(crate) mod file;
pub(crate) mod jira;
pub(crate) mod media;
pub(crate) mod own_file;
pub(crate) mod own_files;
pub(crate) mod parked;
pub(crate) mod pipeline;
pub(crate) mod placeholder;
pub(crate) mod presets;
pub(crate) mod representation;
pub(crate) mod upload;
