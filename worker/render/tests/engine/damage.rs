//! Cut files: the part that is there when it is at least half, as in browsers; else a failure that says why.

use image::ImageFormat;
use shared::domain::failure::FailureCode;
use shared::domain::format::SourceFormat;

use crate::common::sources::{file, quarters, tiff};
use crate::common::{eager, limits, near, picture, preset, render};

const FORMATS: [ImageFormat; 8] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Tga,
    ImageFormat::Pnm,
    ImageFormat::Qoi,
];

/// Noise over the quarters, so that every row costs about the same bytes.
fn noisy() -> image::RgbImage {
    let mut picture = quarters(300, 400);
    let mut state = 1_u32;
    for sample in picture.iter_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = sample.saturating_add((state >> 28) as u8);
    }
    picture
}

fn source(format: ImageFormat) -> Vec<u8> {
    if format == ImageFormat::Tiff { strips() } else { file(noisy(), format) }
}

/// A TIFF whose directory comes first, as in files that were made for streaming.
fn strips() -> Vec<u8> {
    let picture = noisy();
    let written = tiff(&[(picture.clone(), 1)]);
    assert!(written.len() > picture.len());
    let entry =
        |tag: u8, kind: u8, value: u32| [&[tag, 1, kind, 0, 1, 0, 0, 0], value.to_le_bytes().as_slice()].concat();
    let entries = [
        entry(0, 4, picture.width()),
        entry(1, 4, picture.height()),
        entry(2, 3, 8),
        entry(3, 3, 1),
        entry(6, 3, 2),
        entry(0x11, 4, 10 + 8 * 12 + 4),
        entry(0x15, 3, 3),
        entry(0x17, 4, picture.len() as u32),
    ];
    [b"II*\0\x08\0\0\0\x08\0".as_slice(), &entries.concat(), &[0; 4], &picture].concat()
}

#[test]
fn three_quarters_are_shown() {
    for format in FORMATS {
        let mut source = source(format);
        source.truncate(source.len() * 3 / 4);
        let shown = picture(&source, preset("jpg_320x320"));
        assert_eq!(shown.dimensions(), (240, 320), "{format:?}");
        // Bitmaps are written from the bottom, so that it is the top that is missing.
        let (x, y, expected) =
            if format == ImageFormat::Bmp { (60, 300, [20, 20, 230]) } else { (60, 40, [230, 20, 20]) };
        let pixel = shown.get_pixel(x, y).0;
        assert!(near(&pixel[..3], &expected, 30), "{format:?}: {pixel:?}");
    }
}

#[test]
fn a_fifth_is_not_enough() {
    for format in FORMATS {
        let mut source = source(format);
        source.truncate(source.len() / 5);
        let failure = render(&source, &eager()).unwrap_err();
        assert_eq!(failure.code, FailureCode::Truncated, "{format:?}: {failure}");
    }
}

/// The codecs want all of their bytes: of WebP the rest is made up, of JPEG XL the coarse pixels come first.
#[test]
fn cut_webp_and_jpeg_xl_show_what_is_there() {
    let (width, height) = noisy().dimensions();
    let lossy = webp::Encoder::from_rgb(&noisy(), width, height).encode(85.0).to_vec();
    let jxl = include_bytes!("../../../../tests/fixtures/jxl/quarters-520x520.jxl").to_vec();
    let sources = [("lossy WebP", lossy), ("lossless WebP", file(noisy(), ImageFormat::WebP)), ("JPEG XL", jxl)];
    for (what, source) in sources {
        let shown = picture(&source[..source.len() * 3 / 4], preset("jpg_320x320"));
        let (x, y) = (shown.width() / 4, shown.height() / 8);
        assert!(near(&shown.get_pixel(x, y).0[..3], &[236, 26, 26], 30), "{what}: {:?}", shown.get_pixel(x, y));
        let failure = render(&source[..source.len() / 5], &eager()).unwrap_err();
        assert_eq!(failure.code, FailureCode::Truncated, "{what}: {failure}");
        for length in (0..source.len()).step_by(source.len() / 40) {
            let _ = render(&source[..length], &[preset("jpg_thumb_94x94")]);
        }
    }
}

/// What is missing of a WebP is not what was made up.
#[test]
fn rows_that_a_webp_has_not_are_black() {
    let mut source = file(noisy(), ImageFormat::WebP);
    source.truncate(source.len() * 3 / 4);
    let shown = picture(&source, preset("jpg_320x320"));
    let black = (0..shown.height()).filter(|y| near(&shown.get_pixel(60, *y).0[..3], &[0, 0, 0], 30)).count();
    assert!((60..=160).contains(&black), "{black} of {} rows", shown.height());
}

#[test]
fn every_cut_and_every_flipped_byte_ends() {
    for format in FORMATS.into_iter().chain([ImageFormat::WebP, ImageFormat::Ico]) {
        let source = file(quarters(40, 30), format);
        for length in 0..source.len().min(400) {
            let _ = render(&source[..length], &eager());
        }
        for at in 0..source.len().min(600) {
            let mut flipped = source.clone();
            flipped[at] ^= 0xff;
            let _ = render(&flipped, &eager());
        }
    }
}

#[test]
fn a_jpeg_without_its_end_is_whole() {
    let mut source = file(quarters(64, 48), ImageFormat::Jpeg);
    source.truncate(source.len() - 2);
    assert!(near(&picture(&source, preset("jpg_160x160")).get_pixel(50, 40).0, &[240, 230, 20], 12));
}

/// Also those of the sample of hostile files, which have no other test of their own.
#[test]
fn what_fuzzing_found_ends_in_an_answer() {
    let fixtures = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    for folder in ["fuzz/inspect", "fuzz/render", "corpus/hostile"] {
        let files: Vec<_> =
            std::fs::read_dir(fixtures.join(folder)).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "{folder}");
        for file in files {
            let source = std::fs::read(&file).unwrap();
            for format in SourceFormat::ALL {
                let _ = render::inspect(&source, format, &limits());
            }
            let _ = render(&source, &eager());
        }
    }
}
