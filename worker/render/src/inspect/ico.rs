//! The directory of a Windows icon or cursor, and the headers of the pictures in it, which are believed instead.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, corrupt, dimensions, png};
use crate::orient::Orientation;

/// More entries than any real icon has.
const ENTRIES_MAX: usize = 256;
/// Bytes of the directory's head, and of each entry.
const HEAD_BYTES: usize = 6;
const ENTRY_BYTES: usize = 16;

const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// One picture of an icon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IcoEntry<'a> {
    /// Bits of a pixel: the bitmap's own, or for a PNG what the directory says, because there one with 16 colours is often
    /// written as if it had millions.
    bits: u16,
    /// Its own dimensions; a bitmap that is written from the bottom is turned by its orientation.
    pub(crate) page: PageHeader,
    /// Its pixels.
    pub(crate) content: IcoContent<'a>,
}

/// How a picture of an icon is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum IcoContent<'a> {
    /// A whole PNG file.
    Png(&'a [u8]),
    /// A Windows bitmap without its file header.
    Bitmap(IcoBitmap<'a>),
}

/// A bitmap of twice the height: the colours, then one bit for each pixel that hides it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IcoBitmap<'a> {
    /// Bits of a pixel: 1, 4, 8, 16, 24 or 32.
    pub(crate) bits: usize,
    /// Blue, green, red, nothing.
    pub(crate) palette: &'a [[u8; 4]],
    /// From the first row of colours on; may be cut.
    pub(crate) pixels: &'a [u8],
    /// The embedded ICC profile.
    pub(crate) profile: Option<&'a [u8]>,
}

/// The largest picture; of equal ones that with the most bits, then the first.
pub(crate) fn largest(source: &[u8]) -> Result<IcoEntry<'_>, Failure> {
    let bytes = Bytes::little(source);
    let count = usize::from(bytes.u16(4).unwrap_or(0)).min(ENTRIES_MAX);
    let entries = (0..count).filter_map(|index| entry(bytes, HEAD_BYTES + index * ENTRY_BYTES));
    let size = |entry: &IcoEntry<'_>| (entry.page.dimensions.area_pixels(), entry.bits);
    entries
        .reduce(|best, entry| if size(&entry) > size(&best) { entry } else { best })
        .ok_or_else(|| corrupt("the icon has no picture that can be read"))
}

/// Four bytes are too little for a sniff: the first entry must lie behind the directory and inside the file.
pub(crate) fn is_ico(source: &[u8]) -> bool {
    let bytes = Bytes::little(source);
    let first = || {
        let count = usize::from(bytes.u16(4)?);
        let (length, offset) = (bytes.u32(14)? as usize, bytes.u32(18)? as usize);
        Some(count > 0 && length > 0 && offset >= HEAD_BYTES + count * ENTRY_BYTES && offset < source.len())
    };
    matches!(source, [0, 0, 1 | 2, 0, ..]) && first().unwrap_or(false)
}

fn entry(bytes: Bytes<'_>, at: usize) -> Option<IcoEntry<'_>> {
    // The length is not asked: many writers get it wrong, and the picture knows its own.
    let content = bytes.rest(bytes.u32(at + 12)? as usize);
    if content.starts_with(PNG_MAGIC) {
        let page = png::header(content).ok()?;
        return Some(IcoEntry { bits: bytes.u16(at + 6)?, page, content: IcoContent::Png(content) });
    }
    bitmap(Bytes::little(content))
}

/// A bitmap of the kinds that occur in icons: not compressed, with a header of 40 bytes or more.
fn bitmap(bytes: Bytes<'_>) -> Option<IcoEntry<'_>> {
    let head = bytes.u32(0).filter(|length| matches!(length, 40 | 108 | 124))? as usize;
    let (width, height) = (bytes.u32(4)?.cast_signed(), bytes.u32(8)?.cast_signed());
    let (bits_written, compression) = (bytes.u16(14)?, bytes.u32(16)?);
    let bits = usize::from(bits_written);
    if !matches!(bits, 1 | 4 | 8 | 16 | 24 | 32) || !matches!((compression, bits), (0, _) | (3, 32)) {
        return None;
    }
    let masks = if compression == 3 && head == 40 { 12 } else { 0 };
    let colours = match bytes.u32(32)? as usize {
        0 if bits <= 8 => 1 << bits,
        colours => colours.min(256),
    };
    let pixels = head + masks + colours * 4;
    let orientation = Orientation::from_exif(if height > 0 { 4 } else { 1 });
    let page =
        PageHeader { dimensions: dimensions(u32::try_from(width).ok()?, height.unsigned_abs() / 2).ok()?, orientation };
    let content = IcoContent::Bitmap(IcoBitmap {
        bits,
        palette: bytes.slice(head + masks, colours * 4)?.as_chunks().0,
        pixels: bytes.rest(pixels),
        profile: (head == 124).then(|| profile(bytes)).flatten(),
    });
    Some(IcoEntry { bits: bits_written, page, content })
}

/// The profile of a version 5 header that embeds one.
fn profile(bytes: Bytes<'_>) -> Option<&[u8]> {
    const EMBEDDED: u32 = u32::from_be_bytes(*b"MBED");
    bytes.u32(56).filter(|kind| *kind == EMBEDDED)?;
    bytes.slice(bytes.u32(112)? as usize, bytes.u32(116)? as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lying_directory_is_no_icon_or_has_no_picture() {
        assert!(!is_ico(b"\0\0\x01\0\0\0"));
        let mut file = b"\0\0\x01\0\x01\0\x20\x20\0\0\x01\0\x20\0\x04\0\0\0\x16\0\0\0".to_vec();
        assert!(!is_ico(&file), "the entry begins where the file ends");
        file.extend(b"none");
        assert!(is_ico(&file));
        assert!(largest(&file).is_err());
        file[18] = 6;
        assert!(!is_ico(&file), "the entry lies in the directory");
    }
}
