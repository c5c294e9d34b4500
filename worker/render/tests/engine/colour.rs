//! Colours: ink, profiles, depths.

use std::io::{Cursor, Write};

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb};
use moxcms::ColorProfile;
use mozjpeg::{ColorSpace, Compress};
use tiff::encoder::{TiffEncoder, colortype};

use crate::common::sources::{file, jpeg_with, png_with, webp_with};
use crate::common::{near, picture, preset};

/// A JPEG of one colour, stored as these four samples. libjpeg writes Adobe's marker with it.
fn ink(stored: [u8; 4], as_differences: bool) -> Vec<u8> {
    let mut compress = Compress::new(ColorSpace::JCS_CMYK);
    compress.set_size(64, 64);
    if as_differences {
        compress.set_color_space(ColorSpace::JCS_YCCK);
    }
    compress.set_quality(95.0);
    let mut started = compress.start_compress(Vec::new()).unwrap();
    started.write_scanlines(&stored.repeat(64 * 64)).unwrap();
    started.finish().unwrap()
}

#[test]
fn ink_is_read_inverted_as_adobe_writes_it() {
    for as_differences in [false, true] {
        let shown = |stored| picture(&ink(stored, as_differences), preset("jpg_160x160")).get_pixel(30, 30).0;
        assert!(near(&shown([0, 255, 255, 255]), &[0, 255, 255], 6), "cyan ink: {:?}", shown([0, 255, 255, 255]));
        assert!(near(&shown([255, 255, 255, 255]), &[255, 255, 255], 4), "bare paper");
        assert!(near(&shown([255, 255, 255, 0]), &[0, 0, 0], 4), "black ink");
    }
}

fn jpeg_of(colour: [u8; 3]) -> Vec<u8> {
    file(ImageBuffer::from_pixel(64, 64, Rgb(colour)), ImageFormat::Jpeg)
}

fn icc_segments(profile: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let pieces: Vec<&[u8]> = profile.chunks(200).collect();
    let count = pieces.len() as u8;
    let segment = |(index, piece): (usize, &&[u8])| {
        (0xe2, [b"ICC_PROFILE\0".as_slice(), &[index as u8 + 1, count], piece].concat())
    };
    // Backwards: the numbers count, not the order.
    pieces.iter().enumerate().map(segment).rev().collect()
}

#[test]
fn profiles_in_pieces_are_put_together_and_applied() {
    let adobe = ColorProfile::new_adobe_rgb().encode().unwrap();
    let source = jpeg_with(&jpeg_of([100, 200, 100]), &icc_segments(&adobe));
    let shown = picture(&source, preset("jpg_160x160")).get_pixel(30, 30).0;
    assert!(shown[0] < 60 && shown[1] > 195, "Adobe RGB's green is outside sRGB: {shown:?}");
}

/// The TIFF, with one tag more.
fn tiff_with_profile(colour: [u8; 3], profile: &[u8]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
    let mut page = encoder.new_image::<colortype::RGB8>(64, 64).unwrap();
    page.encoder().write_tag(tiff::tags::Tag::Unknown(34_675), profile).unwrap();
    page.write_data(&colour.repeat(64 * 64)).unwrap();
    bytes.into_inner()
}

#[test]
fn profiles_are_found_in_every_container() {
    let green = [100, 200, 100];
    let flat = |format| file(ImageBuffer::from_pixel(64, 64, Rgb(green)), format);
    for (profile, what) in
        [(ColorProfile::new_adobe_rgb(), "Adobe RGB"), (ColorProfile::new_pro_photo_rgb(), "ProPhoto")]
    {
        let profile = profile.encode().unwrap();
        let mut packed = b"any\0\0".to_vec();
        let mut zlib = flate2::write::ZlibEncoder::new(&mut packed, flate2::Compression::fast());
        zlib.write_all(&profile).unwrap();
        zlib.finish().unwrap();
        for source in [
            jpeg_with(&flat(ImageFormat::Jpeg), &icc_segments(&profile)),
            png_with(&flat(ImageFormat::Png), &[(b"iCCP", packed)]),
            webp_with(&flat(ImageFormat::WebP), 64, 64, 0x20, (b"ICCP", &profile)),
            tiff_with_profile(green, &profile),
        ] {
            let shown = picture(&source, preset("jpg_160x160")).get_pixel(30, 30).0;
            let format = render::sniff(&source);
            assert!(shown[0] < 70 && shown[1] > 190, "{what} in {format:?} is outside sRGB: {shown:?}");
        }
    }
}

#[test]
fn a_garbage_profile_changes_nothing() {
    let source = jpeg_with(&jpeg_of([100, 200, 100]), &icc_segments(&[7; 900]));
    assert!(near(&picture(&source, preset("jpg_160x160")).get_pixel(30, 30).0, &[100, 200, 100], 6));
}

#[test]
fn sixteen_bits_are_rounded_and_not_cut() {
    let ramp = |x: u32| (x * 65_535 / 511) as u16;
    let grey = DynamicImage::ImageLuma16(ImageBuffer::from_fn(512, 64, |x, _| Luma([ramp(x)])));
    let colour = DynamicImage::ImageRgb16(ImageBuffer::from_fn(512, 64, |x, _| Rgb([ramp(x), ramp(511 - x), 32_768])));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let shown = picture(&file(grey.clone(), format), preset("png_paged_1024x1024"));
        for x in 0..512 {
            let exact = f64::from(ramp(x)) / 257.0;
            assert!((f64::from(shown.get_pixel(x, 9).0[0]) - exact).abs() <= 0.51, "{format:?} {x}");
        }
        let small = picture(&file(colour.clone(), format), preset("jpg_160x160"));
        assert!(near(&small.get_pixel(80, 10).0, &[128, 127, 128], 5), "{format:?}: {:?}", small.get_pixel(80, 10));
    }
}

#[test]
fn grey_stays_grey() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Bmp] {
        let grey = DynamicImage::ImageLuma8(ImageBuffer::from_pixel(300, 200, Luma([77])));
        let pixel = picture(&file(grey, format), preset("jpg_160x160")).get_pixel(80, 50).0;
        assert!(near(&pixel, &[77, 77, 77], 2), "{format:?}: {pixel:?}");
    }
}
