//! The formats whose decoders are our own: every variant shows the picture that another program wrote.

use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use render::sniff;
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::preset::Preset;

use crate::common::sources::{file, quarters};
use crate::common::{near, picture, preset};

/// The preset without loss: what comes out is what was decoded.
fn exact() -> Preset {
    Preset { format: OutputFormat::Png, ..preset("jpg_320x320") }
}

fn assert_shows(source: &[u8], format: SourceFormat, expected: &DynamicImage, tolerance: u8, what: &str) {
    assert_eq!(sniff(source), Some(format), "{what}");
    let shown = picture(source, exact());
    let expected = expected.to_rgba8();
    assert_eq!(shown.dimensions(), expected.dimensions(), "{what}");
    assert!(near(&shown, &expected, tolerance), "{what}");
}

/// Every kind of pixel that these formats have.
fn pictures() -> Vec<DynamicImage> {
    let upright = DynamicImage::from(quarters(61, 43));
    let clear = RgbaImage::from_fn(61, 43, |x, y| image::Rgba([x as u8 * 4, y as u8 * 5, 90, (x + y) as u8 * 2 + 40]));
    vec![upright.to_luma8().into(), upright.to_luma_alpha8().into(), upright, clear.into()]
}

#[test]
fn tga_pnm_and_qoi_written_by_another_program() {
    for expected in pictures() {
        for (written, format) in [
            (ImageFormat::Tga, SourceFormat::Tga),
            (ImageFormat::Pnm, SourceFormat::Pnm),
            (ImageFormat::Qoi, SourceFormat::Qoi),
        ] {
            let channels = expected.color().channel_count();
            // QOI is always colour, and the writer of Netpbm writes PAM only for what has opacity.
            if written == ImageFormat::Qoi && channels < 3 {
                continue;
            }
            let source = file(expected.clone(), written);
            assert_shows(&source, format, &expected, 0, &format!("{written:?} with {channels} channels"));
        }
    }
}

#[test]
fn a_tga_begins_in_any_corner() {
    let upright = quarters(40, 30);
    let flipped = |across: bool, down: bool| {
        RgbImage::from_fn(40, 30, |x, y| {
            *upright.get_pixel(if across { 39 - x } else { x }, if down { 29 - y } else { y })
        })
    };
    for (descriptor, across, down) in
        [(0x20, false, false), (0x00, false, true), (0x30, true, false), (0x10, true, true)]
    {
        let mut source = vec![0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 30, 0, 24, descriptor];
        source.extend(flipped(across, down).pixels().flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]));
        assert_shows(&source, SourceFormat::Tga, &upright.clone().into(), 0, &format!("descriptor {descriptor:#x}"));
    }
}

#[test]
fn netpbm_plain_and_binary_of_every_depth() {
    let white = |pixels: &[u8]| DynamicImage::from(image::GrayImage::from_raw(3, 2, pixels.to_vec()).unwrap());
    let chess = white(&[255, 0, 255, 0, 255, 0]);
    let steps = white(&[0, 51, 102, 153, 204, 255]);
    for (source, expected) in [
        (b"P1 3 2 010 1 0 1".as_slice(), &chess),
        (b"P4\n3 2\n\x40\xa0", &chess),
        (b"P2 3 2 5 # fifths\n0 1 2 3 4 5", &steps),
        (b"P5 3 2 5\n\0\x01\x02\x03\x04\x05", &steps),
        (b"P3 3 2 5 0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5", &steps),
        (b"P5 3 2 500\n\0\0\0\x64\0\xc8\x01\x2c\x01\x90\x01\xf4", &steps),
        (b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\x01\0\x01\0\x01\0", &chess),
    ] {
        assert_shows(source, SourceFormat::Pnm, expected, 0, &String::from_utf8_lossy(source));
    }
}

/// An icon of these pictures, whose directory says nothing true but where they are.
fn icon(pictures: &[Vec<u8>]) -> Vec<u8> {
    let mut icon = vec![0, 0, 1, 0, pictures.len() as u8, 0];
    let mut offset = 6 + pictures.len() as u32 * 16;
    for picture in pictures {
        icon.extend([9, 9, 0, 0, 1, 0, 32, 0, 7, 0, 0, 0]);
        icon.extend(offset.to_le_bytes());
        offset += picture.len() as u32;
    }
    [icon, pictures.concat()].concat()
}

/// A bitmap as icons have it, with the colours and the mask of each row from the bottom.
fn bitmap(width: u32, height: u32, bits: u8, palette: &[u8], rows: &[u8]) -> Vec<u8> {
    let mut bitmap = vec![40, 0, 0, 0];
    bitmap.extend(width.to_le_bytes());
    bitmap.extend((height * 2).to_le_bytes());
    bitmap.extend([1, 0, bits, 0]);
    bitmap.extend([0; 16]);
    bitmap.extend((palette.len() as u32 / 4).to_le_bytes());
    bitmap.extend([0; 4]);
    [bitmap, palette.to_vec(), rows.to_vec()].concat()
}

#[test]
fn the_largest_picture_of_an_icon_whatever_its_directory_says() {
    let large = DynamicImage::from(quarters(61, 43));
    let small = file(quarters(16, 16), ImageFormat::Png);
    let source = icon(&[small.clone(), file(large.clone(), ImageFormat::Png), small]);
    assert_shows(&source, SourceFormat::Ico, &large, 0, "PNG");
}

#[test]
fn bitmaps_in_icons_have_masks_or_opacity() {
    let shown = |pixels: [u8; 8]| DynamicImage::from(RgbaImage::from_raw(1, 2, pixels.to_vec()).unwrap());
    let (red, hidden) = ([0, 0, 255, 0], [0x80, 0, 0, 0]);
    let palette = [0, 0, 0, 0, 0, 0, 255, 0];
    let masked = shown([255, 0, 0, 255, 0, 0, 0, 0]);
    for (bits, palette, colours) in [
        (1, palette.as_slice(), [0, 0, 0, 0, 0x80, 0, 0, 0]),
        (4, &palette, [0, 0, 0, 0, 0x10, 0, 0, 0]),
        (8, &palette, [0, 0, 0, 0, 1, 0, 0, 0]),
        (16, &[], [0, 0, 0, 0, 0, 0x7c, 0, 0]),
        (24, &[], [0, 0, 0, 0, 0, 0, 255, 0]),
        (32, &[], [0, 0, 0, 0, 0, 0, 255, 0]),
    ] {
        let rows = [colours.as_slice(), &hidden, &[0; 4]].concat();
        assert_shows(
            &icon(&[bitmap(1, 2, bits, palette, &rows)]),
            SourceFormat::Ico,
            &masked,
            0,
            &format!("{bits} bits"),
        );
    }
    let rows = [[9, 8, 7, 0x80], red, hidden, hidden].concat();
    let clear = shown([0, 0, 0, 0, 7, 8, 9, 0x80]);
    let source = icon(&[bitmap(1, 2, 32, &[], &rows)]);
    assert_eq!(picture(&source, exact()).get_pixel(0, 1), &image::Rgba([7, 8, 9, 0x80]));
    assert_eq!(picture(&source, exact()).get_pixel(0, 0).0[3], clear.to_rgba8().get_pixel(0, 0).0[3]);
}
