//! Sizes: never enlarged, never nothing, and as sharp as the long way round.

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use render::{Request, Silent};
use shared::domain::dimensions::Dimensions;
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::limits::LimitsTable;
use shared::domain::preset::Preset;

use crate::common::sources::{file, quarters};
use crate::common::{self, eager, limits, picture, preset};

fn sizes(source: &[u8]) -> Vec<(u32, u32)> {
    let report = common::render(source, &eager()).unwrap();
    let size = |rendered: render::Rendered| {
        let page = rendered.result.unwrap().remove(0);
        (page.dimensions.width, page.dimensions.height)
    };
    report.renderings.into_iter().map(size).collect()
}

#[test]
fn nothing_is_enlarged() {
    let small = file(quarters(50, 30), ImageFormat::Jpeg);
    assert_eq!(sizes(&small), [(30, 30), (30, 30), (50, 30), (50, 30), (50, 30)]);
    let pixel = file(quarters(1, 1), ImageFormat::Png);
    assert_eq!(sizes(&pixel), [(1, 1); 5]);
}

#[test]
fn nothing_is_enlarged_in_any_format() {
    for format in SourceFormat::ALL {
        let sizes = sizes(render::sample(format));
        assert_eq!(sizes, [(24, 24), (24, 24), (32, 24), (32, 24), (32, 24)], "{format:?}");
    }
    let taller =
        br#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="65500"><rect width="1" height="9"/></svg>"#;
    assert_eq!(sizes(taller), [(1, 1), (1, 1), (1, 160), (1, 320), (1, 1024)]);
}

#[test]
fn extreme_shapes_keep_at_least_a_pixel_each_way() {
    let line = |width, height| DynamicImage::from(GrayImage::from_pixel(width, height, Luma([90])));
    for format in [ImageFormat::Jpeg, ImageFormat::Png] {
        assert_eq!(sizes(&file(line(1, 65_500), format)), [(1, 1), (1, 1), (1, 160), (1, 320), (1, 1024)]);
        assert_eq!(sizes(&file(line(65_500, 1), format)), [(1, 1), (1, 1), (160, 1), (320, 1), (1024, 1)]);
    }
    assert_eq!(sizes(&file(line(3000, 40), ImageFormat::Png))[1], (40, 40));
}

#[test]
fn very_tall_pages_show_their_top_and_others_their_middle() {
    let tall = RgbImage::from_fn(200, 1000, |_, y| if y < 200 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) });
    assert!(picture(&file(tall, ImageFormat::Png), preset("jpg_thumb_94x94")).get_pixel(47, 47).0[0] > 200);
    let wide =
        RgbImage::from_fn(1000, 200, |x, _| if (400..600).contains(&x) { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) });
    assert!(picture(&file(wide, ImageFormat::Png), preset("jpg_thumb_94x94")).get_pixel(47, 47).0[0] > 200);
}

/// Fine and coarse detail everywhere, so that a softer, sharper or shifted picture differs.
fn detailed(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let wave = |frequency: f64, phase: f64| (frequency * x + phase * y).sin() * 50.0 + 127.0;
        let ring = ((x * x + y * y) / 40_000.0).sin() * 60.0;
        Rgb([(wave(0.02, 0.01) + ring) as u8, (wave(0.005, 0.09) + ring) as u8, (wave(0.1, 0.03) + ring) as u8])
    })
}

/// Every shortcut (shrinking in the codec, box averages, the cascade) against one Lanczos from all pixels.
#[test]
fn shortcuts_cost_nothing_visible() {
    let upright = detailed(2900, 1900);
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        let source = file(upright.clone(), format);
        let all = image::load_from_memory(&source).unwrap();
        let presets: Vec<Preset> = eager().into_iter().map(|p| Preset { format: OutputFormat::Png, ..p }).collect();
        for rendered in common::render(&source, &presets).unwrap().renderings {
            let page = rendered.result.unwrap().remove(0);
            let (width, height) = (page.dimensions.width, page.dimensions.height);
            let shown = image::load_from_memory(&page.bytes).unwrap().into_rgb8();
            let whole = if width == height { all.crop_imm(500, 0, 1900, 1900) } else { all.clone() };
            let reference = whole.resize_exact(width, height, FilterType::Lanczos3).into_rgb8();
            let sum: u64 = shown.iter().zip(reference.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = sum as f64 / shown.len() as f64;
            assert!(mean < 2.0, "{format:?} {}: {mean:.2} of 255 away from the reference", rendered.preset);
        }
    }
}

#[test]
fn what_is_made_of_a_copy_has_the_size_that_the_original_would_come_to() {
    let size = |width, height| Dimensions { width, height };
    let fit = |width, height| Preset { width, height, ..preset("jpg_320x320") };
    let made = |copy: (u32, u32), original, preset: Preset| {
        let (presets, limits) = ([preset], LimitsTable::same(limits()));
        let request = Request { original: Some(original), ..Request::new(&presets, &limits) };
        let source = file(quarters(copy.0, copy.1), ImageFormat::Jpeg);
        let report = render::render(&source, &request, &mut Silent).unwrap();
        assert_eq!(report.picture.dimensions, size(copy.0, copy.1), "what the copy itself shows");
        report.renderings[0].result.as_ref().unwrap()[0].dimensions
    };
    assert_eq!(made((1024, 683), size(1200, 800), fit(200, 133)), size(200, 133));
    assert_eq!(made((1024, 683), size(1200, 800), fit(200, 200)), size(200, 133));
    // A copy is not enlarged, whatever it is said to be a copy of.
    assert_eq!(made((40, 30), size(4000, 3000), fit(320, 320)), size(40, 30));
    assert_eq!(made((40, 30), size(4000, 3000), preset("jpg_thumb_94x94")), size(30, 30));
}

/// From JPEG to JPEG in planes, at whole size and shrunk in the codec, against the same by way of RGB.
#[test]
fn planes_look_like_rgb() {
    let enlarged = file(detailed(2301, 1501), ImageFormat::Jpeg);
    let half_chroma =
        common::render(&enlarged, &[preset("jpg_1024x1024")]).unwrap().renderings.remove(0).result.unwrap().remove(0);
    assert_eq!((half_chroma.dimensions.width, half_chroma.dimensions.height), (1024, 668));
    for source in [enlarged, half_chroma.bytes] {
        for jpeg in eager() {
            let png = Preset { format: OutputFormat::Png, ..jpeg.clone() };
            let jpeg = Preset { quality: 100, ..jpeg };
            let (shown, reference) = (picture(&source, jpeg.clone()), picture(&source, png));
            let light = |pixel: &image::Rgba<u8>| {
                let [r, g, b, _] = pixel.0.map(f64::from);
                0.299 * r + 0.587 * g + 0.114 * b
            };
            let differences = shown.pixels().zip(reference.pixels()).map(|(a, b)| (light(a) - light(b)).abs());
            let mean = differences.sum::<f64>() / f64::from(shown.width() * shown.height());
            assert!(mean < 2.0, "{}: {mean:.2} of 255 away from the way by RGB", jpeg.name);
        }
    }
}
