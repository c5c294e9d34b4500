//! What the engine's integration tests share: limits, presets, sources, and where the corpus is.

pub(crate) mod sources;

use std::path::PathBuf;

use image::RgbaImage;
use render::{Report, Request, Silent};
use shared::domain::failure::Failure;
use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::{Preset, PresetTable};

/// Limits as an operator would set them.
pub(crate) fn limits() -> Limits {
    Limits {
        source_bytes_max: 256 << 20,
        width_pixels_max: 70_000,
        height_pixels_max: 70_000,
        area_pixels_max: 100_000_000,
        total_pixels_max: 400_000_000,
        pages_max: 20,
        nesting_max: 16,
        child_memory_bytes_max: 2 << 30,
        child_cpu_seconds_max: 60,
        child_seconds_max: 60,
        output_bytes_max: 256 << 20,
    }
}

/// A built-in preset.
pub(crate) fn preset(name: &str) -> Preset {
    PresetTable::built_in().get(name).unwrap().clone()
}

/// The five that are made of every upload.
pub(crate) fn eager() -> Vec<Preset> {
    ["jpg_thumb_32x32", "jpg_thumb_94x94", "jpg_160x160", "jpg_320x320", "jpg_1024x1024"].map(preset).into()
}

/// Renders without anybody watching.
pub(crate) fn render(source: &[u8], presets: &[Preset]) -> Result<Report, Failure> {
    render::render(source, &Request::new(presets, &LimitsTable::same(limits())), &mut Silent)
}

/// The first page of one preset, decoded by another program than the engine's own code.
pub(crate) fn picture(source: &[u8], preset: Preset) -> RgbaImage {
    let report = render(source, &[preset]).unwrap();
    let pages = report.renderings[0].result.as_ref().unwrap();
    let picture = image::load_from_memory(&pages[0].bytes).unwrap().into_rgba8();
    assert_eq!(picture.dimensions(), (pages[0].dimensions.width, pages[0].dimensions.height));
    picture
}

/// Whether two colours are alike to the eye, after JPEG.
pub(crate) fn near(a: &[u8], b: &[u8], tolerance: u8) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= tolerance)
}

/// `<workspace root>/../shared/corpus`, when it is there.
pub(crate) fn corpus() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    root.is_dir().then_some(root)
}
