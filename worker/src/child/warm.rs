//! What codecs and libraries set up on first use (tables, what the processor can do), done before the doors close.

use render::{Request, Silent};
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::{Preset, PresetTable};

/// Columns and rows of the picture that is rendered for warmth.
const SIDE_PIXELS: u32 = 64;

/// Renders a sample of every source format, a picture of our own in every output format, and then what came of it. That nothing comes of it is no
/// failure: a picture from outside that needs what was to be warmed is then stopped by the sandbox.
pub(super) fn up() {
    for format in SourceFormat::ALL {
        render(render::sample(format));
    }
    let Some(made) = render(&bitmap()) else { return };
    for page in made.renderings.into_iter().filter_map(|rendered| rendered.result.ok()).flatten() {
        render(&page.bytes);
    }
}

fn render(source: &[u8]) -> Option<render::Report> {
    let limits = LimitsTable::same(Limits {
        source_bytes_max: 1 << 20,
        width_pixels_max: SIDE_PIXELS,
        height_pixels_max: SIDE_PIXELS,
        area_pixels_max: u64::from(SIDE_PIXELS * SIDE_PIXELS),
        total_pixels_max: u64::from(SIDE_PIXELS * SIDE_PIXELS),
        pages_max: 1,
        nesting_max: 16,
        child_memory_bytes_max: 64 << 20,
        child_cpu_seconds_max: 1,
        child_seconds_max: 1,
        output_bytes_max: 1 << 20,
    });
    let formats = [OutputFormat::Jpg, OutputFormat::Png, OutputFormat::Webp];
    let table = PresetTable::built_in();
    let any = table.iter().next()?;
    let presets = formats.map(|format| Preset { format, ..any.clone() });
    render::render(source, &Request::new(&presets, &limits), &mut Silent).ok()
}

/// A BMP of 24 bits in a few colours.
fn bitmap() -> Vec<u8> {
    const HEADER_BYTES: u32 = 54;
    let pixels_bytes = SIDE_PIXELS * SIDE_PIXELS * 3;
    let mut bytes = b"BM".to_vec();
    for value in [HEADER_BYTES + pixels_bytes, 0, HEADER_BYTES, 40, SIDE_PIXELS, SIDE_PIXELS, 1 | 24 << 16, 0] {
        bytes.extend(value.to_le_bytes());
    }
    for value in [pixels_bytes, 2835, 2835, 0, 0] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend((0..pixels_bytes).map(|n| (n % 251) as u8));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_renders() {
        for format in SourceFormat::ALL {
            let made = render(render::sample(format)).unwrap_or_else(|| panic!("{}", format.name()));
            assert_eq!(made.picture.format, format);
            let failed = made.renderings.iter().find_map(|rendered| rendered.result.as_ref().err());
            assert!(failed.is_none() && made.picture.placeholder.is_some(), "{}: {failed:?}", format.name());
        }
    }

    #[test]
    fn the_picture_renders_in_every_format() {
        let made = render(&bitmap()).unwrap();
        assert_eq!(made.renderings.iter().filter(|rendered| rendered.result.is_ok()).count(), 3);
    }
}
