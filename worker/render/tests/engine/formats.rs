//! The formats whose decoders are our own: every variant shows the picture that another program wrote.

use ::render::sniff;
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use shared::domain::failure::FailureCode;
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::preset::Preset;

use crate::common::sources::{file, quarters};
use crate::common::{near, picture, preset, render};

/// The preset without loss: what comes out is what was decoded.
pub(crate) fn exact() -> Preset {
    Preset { format: OutputFormat::Png, ..preset("jpg_320x320") }
}

/// What is found is this format, and shows this picture.
pub(crate) fn assert_shows(source: &[u8], format: SourceFormat, expected: &DynamicImage, tolerance: u8, what: &str) {
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
fn of_equally_large_pictures_the_one_with_most_colours() {
    let (few, many) = (quarters(20, 20), RgbImage::from_pixel(20, 20, image::Rgb([9, 99, 199])));
    let mut source = icon(&[file(few, ImageFormat::Png), file(many.clone(), ImageFormat::Png)]);
    source[6 + 6] = 4;
    assert_shows(&source, SourceFormat::Ico, &many.into(), 0, "the second has 32 bits, the first 4");
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

/// A Photoshop document: mode, bits, palette, number of layers, and the flattened picture with its coding.
fn psd(
    large: bool,
    (width, height): (u32, u32),
    [channels, bits, mode]: [u16; 3],
    layers: i16,
    palette: &[u8],
    picture: &[u8],
) -> Vec<u8> {
    let mut source = b"8BPS\0".to_vec();
    source.push(if large { 2 } else { 1 });
    source.extend([0; 6]);
    source.extend(channels.to_be_bytes());
    source.extend([height.to_be_bytes(), width.to_be_bytes()].concat());
    source.extend([bits.to_be_bytes(), mode.to_be_bytes()].concat());
    source.extend((palette.len() as u32).to_be_bytes());
    source.extend(palette);
    source.extend([0; 4]);
    let pad = if large { [0_u8; 4].as_slice() } else { &[] };
    source.extend([pad, &[0, 0, 0, if large { 10 } else { 6 }], pad, &[0, 0, 0, 2], &layers.to_be_bytes()].concat());
    source.extend(picture);
    source
}

/// The planes of a picture in run lengths: rows as they are and rows of repeated samples by turns.
fn packed(planes: &[Vec<u8>], width: usize, large: bool) -> Vec<u8> {
    let (mut lengths, mut rows) = (vec![0, 1], Vec::new());
    for (index, row) in planes.iter().flat_map(|plane| plane.chunks(width)).enumerate() {
        let begin = rows.len();
        if index % 2 == 0 {
            rows.extend([&[width as u8 - 1], row].concat());
        } else {
            row.chunk_by(|a, b| a == b).for_each(|run| rows.extend([(257 - run.len() as u16) as u8, run[0]]));
        }
        let length = (rows.len() - begin) as u32;
        lengths.extend(if large { length.to_be_bytes().to_vec() } else { (length as u16).to_be_bytes().to_vec() });
    }
    [lengths, rows].concat()
}

fn planes(picture: &DynamicImage) -> Vec<Vec<u8>> {
    let channels = usize::from(picture.color().channel_count());
    (0..channels).map(|channel| picture.as_bytes().iter().skip(channel).step_by(channels).copied().collect()).collect()
}

#[test]
fn flattened_pictures_of_photoshop_in_every_mode() {
    let size = (61, 43);
    let rgb = DynamicImage::from(quarters(size.0, size.1));
    let gray = DynamicImage::from(rgb.to_luma8());
    let plain = |planes: &[Vec<u8>]| [vec![0, 0], planes.concat()].concat();
    let wide = |planes: &[Vec<u8>]| {
        plain(&planes.iter().map(|p| p.iter().flat_map(|s| [*s, *s]).collect()).collect::<Vec<_>>())
    };
    let ink: Vec<Vec<u8>> = planes(&rgb).into_iter().chain([vec![255; 61 * 43]]).collect();
    let palette: Vec<u8> = (0..3).flat_map(|_| 0..=255).collect();
    for (what, source, expected) in [
        ("RGB", psd(false, size, [3, 8, 3], 1, &[], &plain(&planes(&rgb))), &rgb),
        ("RGB, 16 bits", psd(false, size, [3, 16, 3], 1, &[], &wide(&planes(&rgb))), &rgb),
        ("RGB, packed", psd(false, size, [3, 8, 3], 1, &[], &packed(&planes(&rgb), 61, false)), &rgb),
        ("PSB, packed", psd(true, size, [3, 8, 3], 1, &[], &packed(&planes(&rgb), 61, true)), &rgb),
        ("grey", psd(false, size, [1, 8, 1], 1, &[], &plain(&planes(&gray))), &gray),
        ("palette", psd(false, size, [1, 8, 2], 1, &palette, &plain(&planes(&gray))), &gray),
        ("ink", psd(false, size, [4, 8, 4], 1, &[], &plain(&ink)), &rgb),
        ("a channel that is no opacity", psd(false, size, [4, 8, 3], 1, &[], &plain(&ink)), &rgb),
    ] {
        assert_shows(&source, SourceFormat::Psd, expected, 1, what);
    }
}

#[test]
fn white_is_taken_out_of_what_photoshop_flattened() {
    // Half-clear red over white is (255, 127, 127).
    let planes = [vec![255, 255], vec![127, 255], vec![127, 255], vec![128, 0]];
    let source = psd(false, (2, 1), [4, 8, 3], -1, &[], &[vec![0, 0], planes.concat()].concat());
    let shown = picture(&source, exact());
    assert_eq!((shown.get_pixel(0, 0).0, shown.get_pixel(1, 0).0[3]), ([255, 0, 0, 128], 0));
}

#[test]
fn a_cut_document_of_photoshop_shows_what_all_channels_have() {
    let planes: Vec<Vec<u8>> = vec![vec![90; 61 * 43]; 3];
    let source = psd(false, (61, 43), [3, 8, 3], 1, &[], &packed(&planes, 61, false));
    let tenth = source.len() / 10;
    let shown = picture(&source[..source.len() - tenth], exact());
    assert_eq!(shown.get_pixel(30, 10).0, [90, 90, 90, 255]);
    let failure = render(&source[..source.len() - tenth * 3], &[exact()]).unwrap_err();
    assert_eq!(failure.code, FailureCode::Truncated);
    for at in 0..60 {
        let mut flipped = source.clone();
        flipped[at] ^= 0xff;
        let _ = render(&flipped, &[exact()]);
        let _ = render(&source[..at], &[exact()]);
    }
}

/// The quarters of 24x16 pixels as libjxl writes them without loss.
const JXL: &str = "ff0a03412408020100bc004b386998ca83f72b4808805a991733e3e90241\
     00104c7b030c142052566922dd2a10429a0e7547473d86e02b0a542a";

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn jpeg_xl_naked_and_in_its_container() {
    let naked = from_hex(JXL);
    let box_length = (naked.len() as u32 + 8).to_be_bytes();
    let head = b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a\0\0\0\x14ftypjxl \0\0\0\0jxl ".as_slice();
    let container = [head, &box_length, b"jxlc", &naked].concat();
    for (source, what) in [(naked, "naked"), (container, "container")] {
        assert_shows(&source, SourceFormat::Jxl, &quarters(24, 16).into(), 0, what);
    }
}

#[test]
fn a_cut_or_damaged_jpeg_xl_ends() {
    let source = from_hex(JXL);
    for at in 0..source.len() {
        let cut = render(&source[..at], &[exact()]);
        assert!(at * 2 > source.len() || cut.is_err(), "{at} bytes");
        let mut flipped = source.clone();
        flipped[at] ^= 0xff;
        let _ = render(&flipped, &[exact()]);
    }
    let cut = render(&source[..source.len() / 2], &[exact()]).unwrap_err();
    assert_eq!(cut.code, FailureCode::Truncated, "{cut}");
}

#[test]
fn every_sample_shows_its_quarters() {
    for format in SourceFormat::ALL {
        let source = ::render::sample(format);
        assert_eq!(sniff(source), Some(format));
        let shown = picture(source, exact());
        assert_eq!(shown.dimensions(), (32, 24), "{format:?}");
        let corners = [(6, 5, [230, 30, 30]), (25, 5, [30, 30, 230]), (6, 18, [30, 200, 30]), (25, 18, [240, 230, 20])];
        for (x, y, expected) in corners {
            let pixel = shown.get_pixel(x, y).0;
            assert!(near(&pixel[..3], &expected, 14), "{format:?} at {x},{y}: {pixel:?}");
        }
    }
}
