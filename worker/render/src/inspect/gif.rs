//! The canvas of a GIF: its logical screen, and its first frame where that reaches beyond.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, dimensions, truncated};
use crate::orient::Orientation;

/// Reads the screen descriptor and the place of the first frame. Some encoders wrote a screen that is smaller than the
/// frame, or none at all; browsers then let the first frame decide.
pub(crate) fn header(source: &[u8]) -> Result<PageHeader, Failure> {
    let bytes = Bytes::little(source);
    let screen = bytes.u16(6).zip(bytes.u16(8)).ok_or_else(|| truncated("the GIF ends in its header"))?;
    let (right, bottom) = first_frame(bytes).unwrap_or((0, 0));
    let canvas = dimensions(u32::from(screen.0).max(right), u32::from(screen.1).max(bottom))?;
    Ok(PageHeader { dimensions: canvas, orientation: Orientation::NORMAL })
}

/// Where the first frame ends, to the right and below.
fn first_frame(bytes: Bytes<'_>) -> Option<(u32, u32)> {
    let mut at = 13 + colour_table_bytes(bytes.u8(10)?);
    loop {
        match bytes.u8(at)? {
            b',' => {
                let side = |offset: usize| bytes.u16(at + offset).map(u32::from);
                return Some((side(1)? + side(5)?, side(3)? + side(7)?));
            }
            b'!' => at = end_of_blocks(bytes, at + 2)?,
            _ => return None,
        }
    }
}

/// Bytes of the colour table that these flags announce.
fn colour_table_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Skips the blocks of an extension: each has its length in front, an empty one is the last.
fn end_of_blocks(bytes: Bytes<'_>, mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(bytes.u8(at)?);
        at += length + 1;
        if length == 0 {
            return Some(at);
        }
    }
}
