//! The header and footer of a Truevision TGA, which has no magic number: it is one when every field is plausible.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, dimensions, truncated};
use crate::orient::Orientation;

/// What a file of version 2 ends with.
const SIGNATURE: &[u8] = b"TRUEVISION-XFILE.\0";
/// The extension area's byte that says what the fourth sample is worth, and the value for "opacity".
const ATTRIBUTES_TYPE: usize = 494;
const EXTENSION_BYTES: u16 = 495;
const USEFUL_ALPHA: u8 = 3;

/// How a pixel is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TgaPixel {
    /// One byte of light.
    Gray,
    /// Light and opacity.
    GrayAlpha,
    /// Five bits each of red, green and blue.
    Fifteen,
    /// Blue, green, red.
    Bgr,
    /// Blue, green, red and a byte that is opacity or nothing.
    Bgra,
}

impl TgaPixel {
    /// Bytes in the file.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha | Self::Fifteen => 2,
            Self::Bgr => 3,
            Self::Bgra => 4,
        }
    }
}

/// The colours that a pixel is an index into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TgaPalette<'a> {
    /// The index of the first one.
    pub(crate) first: usize,
    /// The colours, as pixels.
    pub(crate) entries: &'a [u8],
}

/// What the decoder needs to know before it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TgaHeader<'a> {
    /// Dimensions, and an orientation for files that do not begin at the top left.
    pub(crate) page: PageHeader,
    /// How a colour is written, in the pixels or in the palette.
    pub(crate) pixel: TgaPixel,
    /// The palette, for pixels that are indices.
    pub(crate) palette: Option<TgaPalette<'a>>,
    /// Whether the fourth sample is opacity.
    pub(crate) alpha: bool,
    /// Whether pixels come in packets.
    pub(crate) run_lengths: bool,
    /// From the first pixel on.
    pub(crate) pixels: &'a [u8],
}

/// Reads the header.
pub(crate) fn header(source: &[u8]) -> Result<TgaHeader<'_>, Failure> {
    read(source).ok_or_else(|| truncated("the TGA ends before its pixels"))
}

/// Whether these bytes are a TGA and nothing else. Without the footer of version 2, fields that have no meaning have to
/// be zero, too.
pub(crate) fn is_tga(source: &[u8]) -> bool {
    let Some(fields) = source.first_chunk::<18>() else { return false };
    let unused_is_zero = fields[1] == 1 || fields[3..8].iter().all(|byte| *byte == 0);
    read(source).is_some_and(|header| !header.pixels.is_empty()) && (unused_is_zero || source.ends_with(SIGNATURE))
}

fn read(source: &[u8]) -> Option<TgaHeader<'_>> {
    let bytes = Bytes::little(source);
    let (palette_kind, kind, depth, descriptor) = (bytes.u8(1)?, bytes.u8(2)?, bytes.u8(16)?, bytes.u8(17)?);
    let (length, palette_depth) = (usize::from(bytes.u16(5)?), bytes.u8(7)?);
    let alpha_bits = descriptor & 0x0f;
    let indexed = matches!(kind, 1 | 9);
    if palette_kind > 1 || (indexed && (palette_kind == 0 || length == 0 || depth != 8)) || descriptor & 0xc0 != 0 {
        return None;
    }
    let pixel = match (kind & 7, if indexed { palette_depth } else { depth }, alpha_bits) {
        (1, 15 | 16, 0 | 1 | 8) | (2, 15 | 16, 0 | 1) => TgaPixel::Fifteen,
        (1, 24, 0 | 8) | (2, 24, 0) => TgaPixel::Bgr,
        (1 | 2, 32, 0 | 8) => TgaPixel::Bgra,
        (3, 8, 0 | 8) => TgaPixel::Gray,
        (3, 16, 0 | 8) => TgaPixel::GrayAlpha,
        _ => return None,
    };
    if !matches!(kind, 1..=3 | 9..=11) {
        return None;
    }
    let begin = 18 + usize::from(bytes.u8(0)?);
    let palette_bytes = if palette_kind == 1 { length * usize::from(palette_depth).div_ceil(8) } else { 0 };
    let entries = bytes.slice(begin, palette_bytes)?;
    let size = dimensions(bytes.u16(12)?.into(), bytes.u16(14)?.into()).ok()?;
    Some(TgaHeader {
        page: PageHeader { dimensions: size, orientation: orientation(descriptor) },
        pixel,
        palette: indexed.then_some(TgaPalette { first: bytes.u16(3)?.into(), entries }),
        alpha: alpha_bits == 8 && says_alpha(bytes),
        run_lengths: kind > 8,
        pixels: bytes.rest(begin + palette_bytes),
    })
}

/// The first row is the lowest unless bit 5 says otherwise; the first column is the rightmost if bit 4 does.
fn orientation(descriptor: u8) -> Orientation {
    Orientation::from_exif(match descriptor >> 4 & 3 {
        0 => 4,
        1 => 3,
        2 => 1,
        _ => 2,
    })
}

/// Whether the extension area, if there is one, calls the fourth sample opacity.
fn says_alpha(bytes: Bytes<'_>) -> bool {
    let all = bytes.rest(0);
    let area = all.len().checked_sub(26).filter(|_| all.ends_with(SIGNATURE)).and_then(|footer| bytes.u32(footer));
    let Some(area) = area.filter(|area| *area != 0).map(|area| area as usize) else { return true };
    bytes.u16(area) != Some(EXTENSION_BYTES) || bytes.u8(area + ATTRIBUTES_TYPE).is_none_or(|kind| kind == USEFUL_ALPHA)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A header of 18 bytes.
    pub(crate) fn fields(kind: u8, depth: u8, descriptor: u8, width: u16, height: u16) -> Vec<u8> {
        let (w, h) = (width.to_le_bytes(), height.to_le_bytes());
        [&[0, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0], w.as_slice(), &h, &[depth, descriptor]].concat()
    }

    #[test]
    fn every_field_has_to_be_plausible() {
        let with_pixel = |fields: Vec<u8>| is_tga(&[fields, vec![1, 2, 3]].concat());
        assert!(with_pixel(fields(2, 24, 0, 1, 1)));
        assert!(with_pixel(fields(11, 8, 0x20, 1, 1)));
        assert!(!is_tga(&fields(2, 24, 0, 1, 1)), "no pixel");
        for (kind, depth, descriptor, width) in
            [(2, 23, 0, 1), (2, 24, 0x40, 1), (2, 24, 0, 0), (4, 24, 0, 1), (1, 8, 0, 1), (2, 24, 5, 1)]
        {
            assert!(!with_pixel(fields(kind, depth, descriptor, width, 1)), "{kind} {depth} {descriptor} {width}");
        }
        let mut strange = fields(2, 24, 0, 1, 1);
        strange[4] = 7;
        assert!(!with_pixel(strange.clone()), "a palette's first index without a palette");
        assert!(is_tga(&[strange.as_slice(), &[0; 26], SIGNATURE].concat()), "but the footer settles it");
    }

    #[test]
    fn other_formats_that_begin_with_zeros_are_not_stolen() {
        for other in [
            b"\0\0\x01\0\x02\0\x20\x20\x10\0\0\0\0\0\0\0\0\0 ICO".as_slice(),
            b"\0\0\x02\0\x02\0\x20\x20\0\0\x01\0\x01\0\x20\0\x18\0 CUR",
            b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1",
            b"\0\x01\0\0\0\x10\x01\0\0\x04\0\0DSIG\0\0\0\0",
            b"\0\0\x01\xba\x44\0\x04\0\x04\x01\0\0\x03\xf8\0\0\x01\xbb\0",
            b"\0\0\x02\0\x06\x04\x06\0\x08\0\0\0\0\0\0\0\x18\0\0\0",
        ] {
            assert!(!is_tga(other), "{other:?}");
        }
    }
}
