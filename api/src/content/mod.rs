//! Delivering bytes: which page is meant, conditions and ranges, names, and URLs that carry their own right.

pub(crate) mod asset_path;
pub(crate) mod caching;
pub(crate) mod conditional;
pub(crate) mod delivery;
pub(crate) mod disposition;
pub(crate) mod kind;
pub(crate) mod media_type;
pub(crate) mod range;
pub(crate) mod signature;
pub(crate) mod small;
