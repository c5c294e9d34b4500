//! The words of the product as types, in reading order; DESIGN's vocabulary is theirs.

pub mod access;
pub mod announcement;
pub mod blob_key;
pub mod capability;
pub mod cost;
pub mod credential;
pub mod dimensions;
pub mod explain;
pub mod failure;
pub mod file;
pub mod file_change;
pub mod fit_preset;
pub mod format;
pub mod hint;
pub mod ids;
pub mod lane;
pub mod ledger;
pub mod limits;
pub mod moment;
pub mod placeholder;
pub mod plan;
pub mod preset;
pub mod principal;
pub mod representation;
pub mod retry;
pub mod source;
