//! Step: which format the bytes are, by content alone; names and declared types are never asked.

use shared::domain::format::SourceFormat;

use crate::inspect::{heif, ico, pnm, raw, svg, tga, tiff};

/// The format of these bytes by their magic numbers; `None` for everything that the engine does not render.
pub fn sniff(source: &[u8]) -> Option<SourceFormat> {
    match source {
        [0xff, 0xd8, 0xff, ..] => Some(SourceFormat::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(SourceFormat::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(SourceFormat::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(SourceFormat::Webp),
        [b'B', b'M', ..] if is_bitmap(source) => Some(SourceFormat::Bmp),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] if tiff::is_camera_raw(source) => {
            Some(SourceFormat::Raw)
        }
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(SourceFormat::Tiff),
        _ if raw::is_raw(source) => Some(SourceFormat::Raw),
        [b'8', b'B', b'P', b'S', 0, 1 | 2, 0, 0, 0, 0, 0, 0, ..] => Some(SourceFormat::Psd),
        [0xff, 0x0a, ..] => Some(SourceFormat::Jxl),
        [0, 0, 0, 12, b'J', b'X', b'L', b' ', 0x0d, 0x0a, 0x87, 0x0a, ..] => Some(SourceFormat::Jxl),
        [b'q', b'o', b'i', b'f', ..] if matches!(source.get(12..14), Some([3 | 4, 0 | 1])) => Some(SourceFormat::Qoi),
        [b'P', b'1'..=b'7', ..] if pnm::is_pnm(source) => Some(SourceFormat::Pnm),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => heif::format(source),
        _ if svg::is_svg(source) => Some(SourceFormat::Svg),
        _ if ico::is_ico(source) => Some(SourceFormat::Ico),
        // Last, because it has no magic number.
        _ if tga::is_tga(source) => Some(SourceFormat::Tga),
        _ => None,
    }
}

/// `BM` alone is too little (text may begin with it), so the length of the header that follows must be a known one.
fn is_bitmap(source: &[u8]) -> bool {
    let header_bytes = source.get(14..18).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    matches!(header_bytes, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_by_content() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0rest"), Some(SourceFormat::Jpeg));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), Some(SourceFormat::Png));
        assert_eq!(sniff(b"GIF89a"), Some(SourceFormat::Gif));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some(SourceFormat::Webp));
        assert_eq!(sniff(b"II*\0\x08\0\0\0"), Some(SourceFormat::Tiff));
        assert_eq!(sniff(b"MM\0*\0\0\0\x08"), Some(SourceFormat::Tiff));
    }

    #[test]
    fn what_only_begins_alike_is_something_else() {
        assert_eq!(sniff(b"BMW is a make of car, and this is text"), None);
        assert_eq!(sniff(b"RIFF\0\0\0\0WAVEfmt "), None);
        assert_eq!(sniff(b"%PDF-1.7"), None);
        let canon = sniff(b"II*\0\x10\0\0\0CR\x02\0");
        assert_eq!(canon, Some(SourceFormat::Raw), "Canon's CR2 is a TIFF by its first bytes");
        assert_eq!(sniff(b""), None);
    }
}
