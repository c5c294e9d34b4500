//! Lossy WebP by libwebp.

use std::borrow::Cow;

use shared::domain::failure::Failure;
use shared::domain::preset::Preset;
use webp::{Encoder, PixelLayout};

use super::failed;
use crate::raster::{Layout, Raster};

/// The format's own limit, in pixels each way.
const SIDE_MAX: u32 = 16_383;

/// Writes pixels with or without transparency; grey is written as colour, because the format has no grey.
pub(super) fn encode(raster: &Raster, samples: &[u8], preset: &Preset) -> Result<Vec<u8>, Failure> {
    let (width, height) = (raster.dimensions.width, raster.dimensions.height);
    if width > SIDE_MAX || height > SIDE_MAX {
        return Err(failed("WebP", &format!("{width}x{height} is more than {SIDE_MAX} pixels on a side")));
    }
    let (samples, layout) = match raster.layout {
        Layout::Rgb => (Cow::Borrowed(samples), PixelLayout::Rgb),
        Layout::Rgba => (Cow::Borrowed(samples), PixelLayout::Rgba),
        Layout::Gray => (Cow::Owned(samples.iter().flat_map(|light| [*light; 3]).collect()), PixelLayout::Rgb),
        Layout::GrayAlpha => {
            let pixels = samples.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]);
            (Cow::Owned(pixels.collect::<Vec<u8>>()), PixelLayout::Rgba)
        }
        Layout::Cmyk => return Err(failed("WebP", &"the pixels are ink")),
    };
    let encoded = Encoder::new(&samples, layout, width, height)
        .encode_simple(false, f32::from(preset.quality))
        .map_err(|e| failed("WebP", &format!("{e:?}")))?;
    Ok(encoded.to_vec())
}
