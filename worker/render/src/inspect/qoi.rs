//! The header of a QOI.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, corrupt, dimensions, truncated};
use crate::orient::Orientation;
use crate::raster::Layout;

/// Bytes before the first pixel.
pub(crate) const HEADER_BYTES: usize = 14;

/// Reads dimensions.
pub(crate) fn header(source: &[u8]) -> Result<PageHeader, Failure> {
    let bytes = Bytes::big(source);
    let size = bytes.u32(4).zip(bytes.u32(8)).ok_or_else(|| truncated("the QOI ends in its header"))?;
    Ok(PageHeader { dimensions: dimensions(size.0, size.1)?, orientation: Orientation::NORMAL })
}

/// Whether pixels have an opacity.
pub(crate) fn layout(source: &[u8]) -> Result<Layout, Failure> {
    match source.get(12) {
        Some(3) => Ok(Layout::Rgb),
        Some(4) => Ok(Layout::Rgba),
        Some(channels) => Err(corrupt(format!("the QOI says that it has {channels} channels"))),
        None => Err(truncated("the QOI ends in its header")),
    }
}
