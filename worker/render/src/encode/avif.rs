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
