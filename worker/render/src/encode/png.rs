//! PNG with fast compression: page images are read once or twice, so time counts more than the last percent.

use png::{BitDepth, ColorType, Compression, Encoder};
use shared::domain::failure::Failure;

use super::failed;
use crate::raster::{Layout, Raster};

/// Writes pixels with or without transparency.
pub(super) fn encode(raster: &Raster, samples: &[u8]) -> Result<Vec<u8>, Failure> {
    let colour = match raster.layout {
        Layout::Gray => ColorType::Grayscale,
        Layout::GrayAlpha => ColorType::GrayscaleAlpha,
        Layout::Rgb => ColorType::Rgb,
        Layout::Rgba => ColorType::Rgba,
        Layout::Cmyk => return Err(failed("PNG", &"the pixels are ink")),
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, raster.dimensions.width, raster.dimensions.height);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().map_err(|e| failed("PNG", &e))?;
    writer.write_image_data(samples).map_err(|e| failed("PNG", &e))?;
    writer.finish().map_err(|e| failed("PNG", &e))?;
    Ok(bytes)
}
