//! Step: how much memory decoding will need at its peak, from the header alone, before a pixel is decoded.
//!
//! The prediction is `source + decoder + 4 × the smallest sufficient picture (8 bytes a pixel) + 16 MiB`, where the
//! decoder holds, for a page of `n` pixels:
//!
//! | format | bytes |
//! |---|---|
//! | JPEG, camera raw | 4 for each pixel of the scale that it decodes at; progressive: 7 `n` more, for the coefficients |
//! | PNG, TGA, PNM, QOI, PSD, ICO | 8 for each pixel that is left after shrinking by rows; interlaced PNG: 8 `n` more |
//! | GIF | `n`, and the shrunk rows |
//! | BMP | 4 `n`, and the shrunk rows |
//! | TIFF | three times a strip or row of tiles, and the shrunk rows |
//! | WebP | 12 `n` |
//! | JPEG XL | 36 `n` |
//! | AVIF, HEIC | 16 `n`: samples of 16 bits, twice, the decoder's own, opacity |
//! | SVG | 24 layers of the smallest sufficient picture |
//!
//! The source counts in full, though it lies in a window or a file that the child only maps: they take memory, too. Of what PNG
//! and TIFF decoders have passed, the child keeps no page resident.
//!
//! These are upper bounds of what each decoder allocates; `thumbline bench render --json` puts them beside the peak.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;
use shared::domain::format::SourceFormat;
use shared::domain::limits::Limits;
use shared::domain::preset::Preset;

use crate::decode::jpeg::eighths;
use crate::geometry::{Target, least_whole};
use crate::inspect::{jpeg, page_header, raw, tiff};
use crate::request::Picture;
use crate::shrink::factor;

/// Tables, profiles, encoders and their outputs.
const FIXED_BYTES: u64 = 16 << 20;
/// Four channels of 16 bits.
const PIXEL_BYTES_MAX: u64 = 8;
/// Copies of the smallest sufficient picture: decoded, reduced, in its colours, upright.
const COPIES: u64 = 4;
/// Three coefficients of 16 bits for each pixel where chroma is as fine as luma, and a bit for each that is not zero.
const COEFFICIENT_BYTES_MAX: u64 = 7;
/// Pictures that a drawing may hold within one another.
const SVG_LAYERS: u64 = 24;
/// Where the interlace method of a PNG stands.
const PNG_INTERLACE: usize = 28;

/// What decoding the first page for these presets needs at its peak, in bytes.
pub(crate) fn predicted_bytes(
    source: &[u8],
    picture: &Picture,
    presets: &[Preset],
    limits: &Limits,
) -> Result<u64, Failure> {
    let header = page_header(source, picture.format, 0, limits)?;
    let targets: Vec<Target> = presets.iter().map(|preset| Target::of(preset, picture.dimensions)).collect();
    let least = least_whole(picture.dimensions, targets.iter());
    let stored = header.dimensions;
    let decoder = decoder_bytes(source, picture.format, stored, header.orientation.applied(least), limits)?;
    let working = least.area_pixels().saturating_mul(PIXEL_BYTES_MAX * COPIES);
    Ok(FIXED_BYTES.saturating_add(source.len() as u64).saturating_add(decoder).saturating_add(working))
}

fn decoder_bytes(
    source: &[u8],
    format: SourceFormat,
    stored: Dimensions,
    least: Dimensions,
    limits: &Limits,
) -> Result<u64, Failure> {
    let pixels = stored.area_pixels();
    let shrunk = shrunk_pixels(stored, least) * PIXEL_BYTES_MAX;
    Ok(match format {
        SourceFormat::Jpeg => jpeg_bytes(source, stored, least)?,
        SourceFormat::Raw => jpeg_bytes(raw::preview(source, limits.nesting_max)?.jpeg, stored, least)?,
        SourceFormat::Png if source.get(PNG_INTERLACE) == Some(&1) => pixels * PIXEL_BYTES_MAX + shrunk,
        SourceFormat::Png
        | SourceFormat::Tga
        | SourceFormat::Pnm
        | SourceFormat::Qoi
        | SourceFormat::Psd
        | SourceFormat::Ico => shrunk,
        SourceFormat::Gif => pixels + shrunk,
        SourceFormat::Bmp => pixels * 4 + shrunk,
        SourceFormat::Tiff => 3 * tiff_band_bytes(source)? + shrunk,
        SourceFormat::Webp => pixels * 12,
        SourceFormat::Jxl => pixels * 36,
        SourceFormat::Avif | SourceFormat::Heic => pixels * 16,
        // Layers, each as large as the drawing.
        SourceFormat::Svg => least.area_pixels() * 4 * SVG_LAYERS,
    })
}

fn shrunk_pixels(stored: Dimensions, least: Dimensions) -> u64 {
    let factor = factor(stored, least);
    u64::from(stored.width.div_ceil(factor)) * u64::from(stored.height.div_ceil(factor))
}

fn jpeg_bytes(source: &[u8], stored: Dimensions, least: Dimensions) -> Result<u64, Failure> {
    let scale = u64::from(eighths(stored, least));
    let scaled = (u64::from(stored.width) * scale).div_ceil(8) * (u64::from(stored.height) * scale).div_ceil(8);
    let coefficients = if jpeg::header(source)?.progressive { stored.area_pixels() * COEFFICIENT_BYTES_MAX } else { 0 };
    Ok(scaled * 4 + coefficients)
}

/// One row of strips or tiles, over the whole width.
fn tiff_band_bytes(source: &[u8]) -> Result<u64, Failure> {
    let page = tiff::page(source, 0)?;
    let rows = u64::from(page.chunk.height.min(page.dimensions.height));
    let samples = u64::from(page.dimensions.width.max(page.chunk.width)).saturating_mul(page.samples as u64);
    Ok(rows.saturating_mul(samples).saturating_mul(if page.bits <= 8 { 1 } else { 4 }))
}

#[cfg(test)]
mod tests {
    use shared::domain::preset::PresetTable;

    use super::*;

    #[test]
    fn rows_cost_what_is_left_of_them() {
        let table = PresetTable::built_in();
        let preset = table.get("jpg_320x320").unwrap();
        let stored = Dimensions { width: 6400, height: 6400 };
        let least = Target::of(preset, stored).dimensions;
        let limits = Limits {
            source_bytes_max: 1,
            width_pixels_max: 1,
            height_pixels_max: 1,
            area_pixels_max: 1,
            total_pixels_max: 1,
            pages_max: 1,
            nesting_max: 1,
            child_memory_bytes_max: 1,
            child_cpu_seconds_max: 1,
            child_seconds_max: 1,
            output_bytes_max: 1,
        };
        let bytes = |format| decoder_bytes(&[], format, stored, least, &limits).unwrap();
        assert_eq!(bytes(SourceFormat::Qoi), 640 * 640 * 8);
        assert_eq!(bytes(SourceFormat::Webp), 6400 * 6400 * 12);
        let interlaced: Vec<u8> = (0..29).map(|at| u8::from(at == 28)).collect();
        let png = |source: &[u8]| decoder_bytes(source, SourceFormat::Png, stored, least, &limits).unwrap();
        assert_eq!(png(&interlaced) - png(&[]), 6400 * 6400 * 8);
    }
}
