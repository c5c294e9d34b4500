//! Pictures that stories upload, made here so that every pixel is known.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// A photograph-like gradient with a red left half and a blue right half, as PNG.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    encode(&DynamicImage::ImageRgb8(halves(width, height)), ImageFormat::Png)
}

/// The same as JPEG.
pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encode(&DynamicImage::ImageRgb8(halves(width, height)), ImageFormat::Jpeg)
}

/// The same as JPEG, with an EXIF orientation.
pub(crate) fn jpeg_with_orientation(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let jpeg = jpeg(width, height);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
}

/// Fully transparent but for an opaque green square in the middle, as PNG.
pub(crate) fn transparent_png(side: u32) -> Vec<u8> {
    let middle = side / 4..side * 3 / 4;
    let picture = RgbaImage::from_fn(side, side, |x, y| {
        if middle.contains(&x) && middle.contains(&y) { Rgba([0, 200, 0, 255]) } else { Rgba([0, 0, 0, 0]) }
    });
    encode(&DynamicImage::ImageRgba8(picture), ImageFormat::Png)
}

/// The pixels of an answer.
pub(crate) fn decoded(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).expect("a picture").to_rgb8()
}

/// Whether two colours are the same but for what JPEG does to them.
pub(crate) fn is_near(Rgb(a): Rgb<u8>, Rgb(b): Rgb<u8>) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 24)
}

pub(crate) const RED: Rgb<u8> = Rgb([220, 30, 30]);
pub(crate) const BLUE: Rgb<u8> = Rgb([30, 30, 220]);

fn halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { RED } else { BLUE })
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
