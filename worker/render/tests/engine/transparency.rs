//! Transparency stays where the output has it, and shows the matte where it has not; never a dark fringe.

use image::codecs::gif::GifEncoder;
use image::{Frame, ImageFormat, Rgba, RgbaImage};
use shared::domain::format::OutputFormat;
use shared::domain::preset::{Matte, Preset, Subsampling};

use crate::common::sources::file;
use crate::common::{near, picture, preset};

/// A red disc; what is around it is black, but invisible.
fn disc() -> RgbaImage {
    RgbaImage::from_fn(600, 600, |x, y| {
        let (dx, dy) = (f64::from(x) - 299.5, f64::from(y) - 299.5);
        let inside = dx.hypot(dy) < 200.0;
        if inside { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 0, 0]) }
    })
}

fn on(matte: [u8; 3]) -> Preset {
    Preset { matte: Matte(matte), quality: 100, subsampling: Subsampling::Full, ..preset("jpg_160x160") }
}

#[test]
fn edges_have_no_fringe_on_the_matte() {
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let white = picture(&file(disc(), format), on([255, 255, 255]));
        for (x, y, pixel) in white.enumerate_pixels() {
            // Between red and white, red is always full; a fringe of the invisible black would be darker.
            assert!(pixel.0[0] >= 235, "{format:?}: {pixel:?} at {x},{y}");
        }
        let blue = picture(&file(disc(), format), on([0, 0, 255]));
        assert!(near(&blue.get_pixel(2, 2).0[..3], &[0, 0, 255], 6), "{format:?}");
        assert!(near(&blue.get_pixel(80, 80).0[..3], &[255, 0, 0], 6), "{format:?}");
    }
}

#[test]
fn formats_with_transparency_keep_it() {
    let webp = Preset { format: OutputFormat::Webp, ..preset("jpg_320x320") };
    for wanted in [preset("png_paged_1024x1024"), webp] {
        let shown = picture(&file(disc(), ImageFormat::Png), wanted);
        let (width, height) = shown.dimensions();
        assert_eq!(shown.get_pixel(1, 1).0[3], 0);
        assert_eq!(shown.get_pixel(width / 2, height / 2).0[3], 255);
    }
}

#[test]
fn the_first_frame_of_a_gif_lies_on_its_canvas() {
    let mut source = Vec::new();
    {
        let mut encoder = GifEncoder::new(&mut source);
        let frame = |width, colour| RgbaImage::from_pixel(width, 40, Rgba(colour));
        encoder
            .encode_frame(Frame::from_parts(frame(80, [0, 160, 0, 255]), 0, 0, image::Delay::from_numer_denom_ms(9, 1)))
            .unwrap();
        encoder.encode_frame(Frame::new(frame(80, [255, 0, 0, 255]))).unwrap();
    }
    // The canvas grows to 100 columns: what the frame does not cover is transparent.
    source[6] = 100;
    let shown = picture(&source, on([10, 20, 200]));
    assert_eq!(shown.dimensions(), (100, 40));
    assert!(near(&shown.get_pixel(40, 20).0[..3], &[0, 160, 0], 8), "{:?}", shown.get_pixel(40, 20));
    assert!(near(&shown.get_pixel(95, 20).0[..3], &[10, 20, 200], 8), "{:?}", shown.get_pixel(95, 20));
}
