//! Sources made on the spot: pictures in every format, and what is put into files by hand.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, imageops};
use tiff::encoder::{TiffEncoder, colortype};

/// Red, green, blue and yellow quarters in reading order: no turn and no mirror looks like another.
pub(crate) fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| match (x < width / 2, y < height / 2) {
        (true, true) => Rgb([230, 20, 20]),
        (false, true) => Rgb([20, 200, 20]),
        (true, false) => Rgb([20, 20, 230]),
        (false, false) => Rgb([240, 230, 20]),
    })
}

/// How `upright` is stored under this orientation.
pub(crate) fn stored(upright: &RgbImage, orientation: u16) -> RgbImage {
    match orientation {
        2 => imageops::flip_horizontal(upright),
        3 => imageops::rotate180(upright),
        4 => imageops::flip_vertical(upright),
        5 => imageops::flip_horizontal(&imageops::rotate90(upright)),
        6 => imageops::rotate270(upright),
        7 => imageops::flip_vertical(&imageops::rotate90(upright)),
        8 => imageops::rotate90(upright),
        _ => upright.clone(),
    }
}

/// A file in this format.
pub(crate) fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An EXIF block that says the orientation and where the picture was taken.
pub(crate) fn exif(orientation: u16) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    block.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1]);
    block.extend(orientation.to_be_bytes());
    block.extend([0, 0]);
    block.extend([0x01, 0x0e, 0, 2, 0, 0, 0, 14, 0, 0, 0, 38, 0, 0, 0, 0]);
    block.extend(b"GPS 47.37 8.54");
    block
}

/// The JPEG with more segments after its beginning.
pub(crate) fn jpeg_with(jpeg: &[u8], segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    for (marker, content) in segments {
        bytes.extend([0xff, *marker]);
        bytes.extend((content.len() as u16 + 2).to_be_bytes());
        bytes.extend(content);
    }
    bytes.extend(&jpeg[2..]);
    bytes
}

/// The PNG with more chunks after its header.
pub(crate) fn png_with(png: &[u8], chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = png[..33].to_vec();
    chunks.iter().for_each(|(name, content)| bytes.extend(png_chunk(name, content)));
    bytes.extend(&png[33..]);
    bytes
}

/// A chunk of a PNG with its checksum.
pub(crate) fn png_chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(content);
    [&(content.len() as u32).to_be_bytes(), name.as_slice(), content, &crc.sum().to_be_bytes()].concat()
}

/// The simple WebP in the extended form, with an EXIF chunk.
pub(crate) fn webp_with_exif(webp: &[u8], width: u32, height: u32, block: &[u8]) -> Vec<u8> {
    webp_with(webp, width, height, 8, (b"EXIF", block))
}

/// The same with any chunk, before the pixels as profiles are, or behind them; the flag says that it is there.
pub(crate) fn webp_with(webp: &[u8], width: u32, height: u32, flag: u8, (name, content): (&[u8; 4], &[u8])) -> Vec<u8> {
    let mut chunks = [b"VP8X\x0a\0\0\0".as_slice(), &[flag, 0, 0, 0]].concat();
    chunks.extend(&(width - 1).to_le_bytes()[..3]);
    chunks.extend(&(height - 1).to_le_bytes()[..3]);
    let mut own = [name.as_slice(), &(content.len() as u32).to_le_bytes(), content].concat();
    own.resize(own.len() + content.len() % 2, 0);
    let pixels = &webp[12..];
    chunks.extend(if name == b"ICCP" { [own.as_slice(), pixels] } else { [pixels, &own] }.concat());
    [b"RIFF", (chunks.len() as u32 + 4).to_le_bytes().as_slice(), b"WEBP", &chunks].concat()
}

/// A TIFF with these pages and orientations.
pub(crate) fn tiff(pages: &[(RgbImage, u16)]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
    for (picture, orientation) in pages {
        let mut page = encoder.new_image::<colortype::RGB8>(picture.width(), picture.height()).unwrap();
        page.encoder().write_tag(tiff::tags::Tag::Orientation, *orientation).unwrap();
        page.write_data(picture).unwrap();
    }
    bytes.into_inner()
}
