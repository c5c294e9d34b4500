//! How bytes leave: which of them, whether the client has them already, and under which name they are kept.

pub(crate) mod asset;
pub(crate) mod asset_path;
pub(crate) mod caching;
pub(crate) mod conditional;
pub(crate) mod disposition;
pub(crate) mod media_type;
pub(crate) mod range;
pub(crate) mod signed;
pub(crate) mod small;
