//! The chunks of a PNG: its header, and its orientation, which may stand before or after the pixels.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, corrupt, dimensions, truncated};
use crate::exif;
use crate::orient::Orientation;

/// More chunks than any real file has before we stop looking for an orientation.
const CHUNKS_MAX: usize = 100_000;

/// Reads `IHDR` and looks for `eXIf`.
pub(crate) fn header(source: &[u8]) -> Result<PageHeader, Failure> {
    let bytes = Bytes::big(source);
    if bytes.slice(12, 4).is_some_and(|name| name != b"IHDR") {
        return Err(corrupt("the PNG does not begin with its header chunk"));
    }
    let size = bytes.u32(16).zip(bytes.u32(20)).ok_or_else(|| truncated("the PNG ends in its header"))?;
    let orientation = orientation(bytes).unwrap_or(Orientation::NORMAL);
    Ok(PageHeader { dimensions: dimensions(size.0, size.1)?, orientation })
}

fn orientation(bytes: Bytes<'_>) -> Option<Orientation> {
    let mut at = 8_usize;
    for _ in 0..CHUNKS_MAX {
        let length = bytes.u32(at)? as usize;
        let name = bytes.slice(at + 4, 4)?;
        if name == b"eXIf" {
            return Some(exif::orientation(bytes.slice(at + 8, length)?));
        }
        at = at.checked_add(12)?.checked_add(length)?;
    }
    None
}
