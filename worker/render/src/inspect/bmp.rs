//! The headers of a Windows or OS/2 bitmap.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, corrupt, dimensions, truncated};
use crate::orient::Orientation;

/// Reads width and height; a negative height only means that the rows run down.
pub(crate) fn header(source: &[u8]) -> Result<PageHeader, Failure> {
    let (width, height) = size(source).ok_or_else(|| truncated("the bitmap ends in its header"))?;
    let width = u32::try_from(width).map_err(|_| corrupt(format!("the bitmap is {width} pixels wide")))?;
    Ok(PageHeader { dimensions: dimensions(width, height.unsigned_abs())?, orientation: Orientation::NORMAL })
}

fn size(source: &[u8]) -> Option<(i32, i32)> {
    let bytes = Bytes::little(source);
    if bytes.u32(14)? == 12 {
        return Some((bytes.u16(18)?.into(), bytes.u16(20)?.into()));
    }
    Some((bytes.u32(18)?.cast_signed(), bytes.u32(22)?.cast_signed()))
}

/// Whether the bitmap says of itself that it is longer than these bytes: it was cut, rather than written wrong.
pub(crate) fn is_cut(source: &[u8]) -> bool {
    Bytes::little(source).u32(2).is_some_and(|length| length as usize > source.len())
}

/// The bytes of the pixels when they are not compressed, and where they begin.
pub(crate) fn plain_pixels(source: &[u8]) -> Option<(usize, usize)> {
    let bytes = Bytes::little(source);
    let (width, height) = size(source)?;
    let offset = bytes.u32(10)? as usize;
    let (bits, compression) = if bytes.u32(14)? == 12 { (bytes.u16(24)?, 0) } else { (bytes.u16(28)?, bytes.u32(30)?) };
    // 0 is plain, 3 and 6 are plain with masks; the others are coded.
    if !matches!(compression, 0 | 3 | 6) {
        return None;
    }
    let row = (u64::try_from(width).ok()? * u64::from(bits)).div_ceil(32) * 4;
    let length = row.checked_mul(height.unsigned_abs().into())?;
    Some((offset, usize::try_from(length).ok()?))
}
