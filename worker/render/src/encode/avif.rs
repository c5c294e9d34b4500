//! AVIF by `rav1e`, in builds that have it.

use shared::domain::failure::Failure;
use shared::domain::preset::Preset;

use super::failed;
use crate::raster::Raster;

/// Says which build would write it.
#[cfg(not(feature = "avif"))]
pub(super) fn encode(_: &Raster, _: &[u8], _: &Preset) -> Result<Vec<u8>, Failure> {
    Err(failed("AVIF", &"this build has none; build with `cargo build --release --features avif`"))
}

/// Writes pixels with or without transparency, in 8 bits and with all colour samples.
#[cfg(feature = "avif")]
pub(super) fn encode(raster: &Raster, samples: &[u8], preset: &Preset) -> Result<Vec<u8>, Failure> {
    use ravif::{BitDepth, Encoder, Img, RGB8, RGBA8};

    use crate::raster::Layout;

    /// From 1 to 10, of which 10 is the fastest and looks much worse.
    const SPEED: u8 = 8;
    let encoder = Encoder::new()
        .with_quality(f32::from(preset.quality))
        .with_speed(SPEED)
        .with_bit_depth(BitDepth::Eight)
        .with_num_threads(Some(1));
    let (width, height) = (raster.dimensions.width as usize, raster.dimensions.height as usize);
    let pixels = samples.chunks_exact(raster.layout.channels());
    let encoded = match raster.layout {
        Layout::Gray | Layout::Rgb => {
            let colour = |pixel: &[u8]| RGB8::new(pixel[0], pixel[pixel.len() / 2], pixel[pixel.len() - 1]);
            let pixels: Vec<_> = pixels.map(colour).collect();
            encoder.encode_rgb(Img::new(&pixels, width, height))
        }
        Layout::GrayAlpha => {
            let pixels: Vec<_> = pixels.map(|pixel| RGBA8::new(pixel[0], pixel[0], pixel[0], pixel[1])).collect();
            encoder.encode_rgba(Img::new(&pixels, width, height))
        }
        Layout::Rgba => {
            let pixels: Vec<_> = pixels.map(|pixel| RGBA8::new(pixel[0], pixel[1], pixel[2], pixel[3])).collect();
            encoder.encode_rgba(Img::new(&pixels, width, height))
        }
        Layout::Cmyk => return Err(failed("AVIF", &"the pixels are ink")),
    };
    Ok(encoded.map_err(|e| failed("AVIF", &e))?.avif_file)
}

#[cfg(test)]
mod tests {
    use shared::domain::dimensions::Dimensions;
    use shared::domain::format::OutputFormat;
    use shared::domain::preset::PresetTable;

    use super::*;
    use crate::raster::{Layout, Samples};

    /// 40 by 30 pixels of one colour as a file.
    fn written(layout: Layout, pixel: &[u8]) -> Result<Vec<u8>, Failure> {
        let table = PresetTable::built_in();
        let preset = Preset { format: OutputFormat::Avif, quality: 90, ..table.get("jpg_320x320").unwrap().clone() };
        let samples = pixel.repeat(40 * 30);
        let dimensions = Dimensions { width: 40, height: 30 };
        let raster = Raster { dimensions, layout, samples: Samples::Eight(samples.clone()) };
        encode(&raster, &samples, &preset)
    }

    #[test]
    #[cfg(not(feature = "avif"))]
    fn a_build_without_it_says_how_to_build() {
        let failure = written(Layout::Rgb, &[1, 2, 3]).unwrap_err();
        assert!(failure.reason.contains("--features avif"), "{failure}");
        assert!(!crate::writes(OutputFormat::Avif));
    }

    #[test]
    #[cfg(feature = "avif")]
    fn what_is_written_shows_the_same_in_every_layout() {
        for (layout, pixel) in [
            (Layout::Gray, [90, 0, 0, 0]),
            (Layout::GrayAlpha, [90, 128, 0, 0]),
            (Layout::Rgb, [200, 40, 90, 0]),
            (Layout::Rgba, [200, 40, 90, 128]),
        ] {
            let file = written(layout, &pixel[..layout.channels()]).unwrap();
            let shown = shown(&file);
            let alpha = if layout.has_alpha() { 128 } else { 255 };
            let expected = if layout.channels() > 2 { [200, 40, 90, alpha] } else { [90, 90, 90, alpha] };
            assert!(shown.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 6), "{layout:?}: {shown:?}");
        }
    }

    /// The pixel in the middle.
    #[cfg(feature = "avif")]
    fn shown(avif: &[u8]) -> [u8; 4] {
        use crate::inspect::page_header;
        use shared::domain::format::SourceFormat;
        use shared::domain::limits::Limits;

        let limits = Limits {
            source_bytes_max: 1 << 20,
            width_pixels_max: 100,
            height_pixels_max: 100,
            area_pixels_max: 10_000,
            total_pixels_max: 10_000,
            pages_max: 1,
            nesting_max: 16,
            child_memory_bytes_max: 1 << 30,
            child_cpu_seconds_max: 10,
            child_seconds_max: 10,
            output_bytes_max: 1 << 20,
        };
        let header = page_header(avif, SourceFormat::Avif, 0, &limits).unwrap();
        assert_eq!(header.dimensions, Dimensions { width: 40, height: 30 });
        let order = crate::decode::Order {
            source: avif,
            page: 0,
            header: &header,
            least: header.dimensions,
            limits: &limits,
            memory: &crate::Kept,
        };
        let crate::decode::Decoded::Raster(decoded) = crate::decode::decode(SourceFormat::Avif, &order, false).unwrap()
        else {
            panic!("AVIF becomes a raster");
        };
        let rgba = crate::pixels::Pixels::rgba(&crate::colour::to_srgb(decoded.raster, None));
        rgba[15 * 40 + 20]
    }
}
