//! JPEG by libjpeg-turbo's code in `mozjpeg`, with its fast settings: no trellis, and Huffman tables of their own only for
//! small pictures.

use mozjpeg::{ColorSpace, Compress};
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::preset::{Preset, Subsampling};

use super::failed;
use crate::fence::fenced;
use crate::raster::{Layout, Raster};

/// Up to this many pixels, Huffman tables made for the picture save 6 to 30 % of the file. Beyond, they save 1 % and
/// nearly treble the time (1.6 ms to 4.2 ms for 1024x683).
const OWN_TABLES_PIXELS_MAX: u64 = 256 << 10;

/// Writes opaque pixels.
pub(super) fn encode(raster: &Raster, samples: &[u8], preset: &Preset) -> Result<Vec<u8>, Failure> {
    let space = match raster.layout {
        Layout::Gray => ColorSpace::JCS_GRAYSCALE,
        Layout::Rgb => ColorSpace::JCS_RGB,
        Layout::GrayAlpha | Layout::Rgba | Layout::Cmyk => {
            return Err(failed("JPEG", &"the pixels are not opaque RGB"));
        }
    };
    fenced(FailureCode::EncodeFailed, "JPEG encoder", || {
        let mut compress = Compress::new(space);
        compress.set_fastest_defaults();
        compress.set_size(raster.dimensions.width as usize, raster.dimensions.height as usize);
        compress.set_quality(f32::from(preset.quality));
        compress.set_optimize_coding(preset.progressive || raster.dimensions.area_pixels() <= OWN_TABLES_PIXELS_MAX);
        if raster.layout == Layout::Rgb {
            let side = match preset.subsampling {
                Subsampling::Quarter => 2,
                Subsampling::Full => 1,
            };
            compress.set_chroma_sampling_pixel_sizes((side, side), (side, side));
        }
        if preset.progressive {
            compress.set_progressive_mode();
        }
        let mut started = compress.start_compress(Vec::new()).map_err(|e| failed("JPEG", &e))?;
        started.write_scanlines(samples).map_err(|e| failed("JPEG", &e))?;
        started.finish().map_err(|e| failed("JPEG", &e))
    })
}
