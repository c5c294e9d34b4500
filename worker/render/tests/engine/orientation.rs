//! All eight orientations in every format that has them, applied exactly once.

use image::{ImageFormat, RgbaImage};

use crate::common::sources::{exif, file, jpeg_with, png_with, quarters, stored, tiff, webp_with_exif};
use crate::common::{near, picture, preset, render};

const UPRIGHT: (u32, u32) = (480, 320);

fn assert_upright(picture: &RgbaImage, expected: (u32, u32), what: &str) {
    assert_eq!(picture.dimensions(), expected, "{what}");
    let reference = quarters(expected.0, expected.1);
    for (x, y) in [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| (x * expected.0 / 4, y * expected.1 / 4)) {
        let (got, wanted) = (picture.get_pixel(x, y).0, reference.get_pixel(x, y).0);
        assert!(near(&got[..3], &wanted, 12), "{what}: {got:?} at {x},{y} instead of {wanted:?}");
    }
}

/// The same picture in every format, stored under this orientation.
fn sources(orientation: u16) -> [(&'static str, Vec<u8>); 4] {
    let stored = stored(&quarters(UPRIGHT.0, UPRIGHT.1), orientation);
    let (width, height) = stored.dimensions();
    let block = exif(orientation);
    let app1 = [b"Exif\0\0".as_slice(), &block].concat();
    [
        ("jpeg", jpeg_with(&file(stored.clone(), ImageFormat::Jpeg), &[(0xe1, app1)])),
        ("png", png_with(&file(stored.clone(), ImageFormat::Png), &[(b"eXIf", block.clone())])),
        ("webp", webp_with_exif(&file(stored.clone(), ImageFormat::WebP), width, height, &block)),
        ("tiff", tiff(&[(stored, orientation)])),
    ]
}

#[test]
fn all_eight_come_out_upright_in_every_format() {
    for orientation in 1..=8 {
        for (format, source) in sources(orientation) {
            let what = format!("{format}, orientation {orientation}");
            let facts = render(&source, &[]).unwrap().picture;
            assert_eq!((facts.dimensions.width, facts.dimensions.height), UPRIGHT, "{what}");
            assert_upright(&picture(&source, preset("jpg_1024x1024")), UPRIGHT, &what);
            assert_upright(&picture(&source, preset("jpg_160x160")), (160, 107), &what);
            assert_upright(&picture(&source, preset("jpg_thumb_94x94")), (94, 94), &what);
        }
    }
}

/// AVIF and HEIC have transforms of their own in place of EXIF's orientation; JPEG XL has one in its header, beside the EXIF
/// block that it was copied from.
#[test]
fn transforms_of_heif_and_jpeg_xl_are_applied_once() {
    let fixtures = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/orientation");
    for orientation in 1..=8 {
        for format in ["avif", "jxl"] {
            let source = std::fs::read(fixtures.join(format!("{orientation}.{format}"))).unwrap();
            let what = format!("{format}, orientation {orientation}");
            let facts = render(&source, &[]).unwrap().picture;
            assert_eq!((facts.dimensions.width, facts.dimensions.height), (48, 32), "{what}");
            assert_upright(&picture(&source, preset("jpg_1024x1024")), (48, 32), &what);
            assert_upright(&picture(&source, preset("jpg_thumb_32x32")), (32, 32), &what);
        }
    }
}

#[test]
fn undefined_orientations_are_ignored() {
    let upright = quarters(UPRIGHT.0, UPRIGHT.1);
    for undefined in [0, 9, 65_535] {
        let app1 = [b"Exif\0\0".as_slice(), &exif(undefined)].concat();
        let source = jpeg_with(&file(upright.clone(), ImageFormat::Jpeg), &[(0xe1, app1)]);
        assert_upright(&picture(&source, preset("jpg_160x160")), (160, 107), &undefined.to_string());
    }
}
