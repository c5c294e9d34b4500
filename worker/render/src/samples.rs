//! The smallest pictures of every source format, with which a build proves what it can read.

use shared::domain::format::SourceFormat;

/// Four quarters of 32x24 pixels: red and blue above green and yellow. Made by Pillow and its plugins for AVIF, HEIC and
/// JPEG XL; QOI, PSD, DNG and SVG by hand.
pub fn sample(format: SourceFormat) -> &'static [u8] {
    match format {
        SourceFormat::Jpeg => include_bytes!("../samples/sample.jpeg"),
        SourceFormat::Png => include_bytes!("../samples/sample.png"),
        SourceFormat::Gif => include_bytes!("../samples/sample.gif"),
        SourceFormat::Webp => include_bytes!("../samples/sample.webp"),
        SourceFormat::Tiff => include_bytes!("../samples/sample.tiff"),
        SourceFormat::Bmp => include_bytes!("../samples/sample.bmp"),
        SourceFormat::Ico => include_bytes!("../samples/sample.ico"),
        SourceFormat::Tga => include_bytes!("../samples/sample.tga"),
        SourceFormat::Pnm => include_bytes!("../samples/sample.pnm"),
        SourceFormat::Qoi => include_bytes!("../samples/sample.qoi"),
        SourceFormat::Raw => include_bytes!("../samples/sample.dng"),
        SourceFormat::Psd => include_bytes!("../samples/sample.psd"),
        SourceFormat::Jxl => include_bytes!("../samples/sample.jxl"),
        SourceFormat::Avif => include_bytes!("../samples/sample.avif"),
        SourceFormat::Heic => include_bytes!("../samples/sample.heic"),
        SourceFormat::Svg => include_bytes!("../samples/sample.svg"),
    }
}
