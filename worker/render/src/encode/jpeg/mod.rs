//! JPEG: planes by an encoder of our own, and everything else by libjpeg-turbo's code in `mozjpeg`, with its fast settings: no trellis.
//! Either way, Huffman tables are made for the picture only when it is small.

mod planar;

use std::borrow::Cow;

use mozjpeg::{ColorSpace, Compress};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::preset::{Preset, Subsampling};

use super::failed;
use crate::fence::fenced;
use crate::jpeg::{BLOCK_PIXELS, SIDE_MAX};
use crate::planes::{Plane, Planes};
use crate::raster::{Layout, Raster};

/// Up to this many pixels, Huffman tables made for the picture save 6 to 30 % of the file. Beyond, they save 1 % and
/// nearly trebled the time of libjpeg's encoder (1.6 ms to 4.2 ms for 1024x683).
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
        let mut compress = set_up(space, raster.dimensions, preset);
        if raster.layout == Layout::Rgb && preset.subsampling == Subsampling::Full {
            compress.set_chroma_sampling_pixel_sizes((1, 1), (1, 1));
        }
        let mut started = compress.start_compress(Vec::new()).map_err(|e| failed("JPEG", &e))?;
        started.write_scanlines(samples).map_err(|e| failed("JPEG", &e))?;
        started.finish().map_err(|e| failed("JPEG", &e))
    })
}

/// Writes planes in 4:2:0 as they are.
pub(super) fn encode_planes(planes: &Planes, preset: &Preset) -> Result<Vec<u8>, Failure> {
    if preset.progressive {
        return encode_planes_by_libjpeg(planes, preset);
    }
    let Dimensions { width, height } = planes.dimensions;
    if width.max(height) > SIDE_MAX.into() {
        return Err(failed("JPEG", &format!("{width}x{height} pixels, a side has at most {SIDE_MAX}")));
    }
    fenced(FailureCode::EncodeFailed, "JPEG encoder", || {
        Ok(planar::encode(planes, preset.quality, has_own_tables(planes.dimensions, preset)))
    })
}

/// The same by libjpeg, which also writes progressive files.
fn encode_planes_by_libjpeg(planes: &Planes, preset: &Preset) -> Result<Vec<u8>, Failure> {
    let Dimensions { width, height } = planes.dimensions;
    // What libjpeg calls the width and height in blocks, in samples.
    let blocks = |side: u32, by: u32| (side.div_ceil(by * BLOCK_PIXELS) * BLOCK_PIXELS) as usize;
    let [luma, blue, red] = [1, 2, 2].map(|by| (blocks(width, by), blocks(height, by)));
    let [y, cb, cr] = &planes.planes;
    let padded = [padded(y, luma), padded(cb, blue), padded(cr, red)];
    fenced(FailureCode::EncodeFailed, "JPEG encoder", || {
        let mut compress = set_up(ColorSpace::JCS_YCbCr, planes.dimensions, preset);
        compress.set_raw_data_in(true);
        let mut started = compress.start_compress(Vec::new()).map_err(|e| failed("JPEG", &e))?;
        if !started.write_raw_data(&[&padded[0], &padded[1], &padded[2]]) {
            return Err(failed("JPEG", &"the planes were not taken"));
        }
        started.finish().map_err(|e| failed("JPEG", &e))
    })
}

/// The encoder with everything that does not depend on how the pixels come; colour in 4:2:0.
fn set_up(space: ColorSpace, dimensions: Dimensions, preset: &Preset) -> Compress {
    let mut compress = Compress::new(space);
    compress.set_fastest_defaults();
    compress.set_size(dimensions.width as usize, dimensions.height as usize);
    compress.set_quality(f32::from(preset.quality));
    compress.set_optimize_coding(has_own_tables(dimensions, preset));
    if space != ColorSpace::JCS_GRAYSCALE {
        compress.set_chroma_sampling_pixel_sizes((2, 2), (2, 2));
    }
    if preset.progressive {
        compress.set_progressive_mode();
    }
    compress
}

/// Whether Huffman tables are made for the picture.
fn has_own_tables(dimensions: Dimensions, preset: &Preset) -> bool {
    preset.progressive || dimensions.area_pixels() <= OWN_TABLES_PIXELS_MAX
}

/// The samples with the last of each row and the last row repeated up to these many columns and rows.
fn padded(plane: &Plane, (columns, rows): (usize, usize)) -> Cow<'_, [u8]> {
    let size = plane.raster.dimensions;
    let (width, height) = (size.width as usize, size.height as usize);
    if (width, height) == (columns, rows) {
        return Cow::Borrowed(plane.samples());
    }
    let mut padded = Vec::with_capacity(columns * rows);
    for row in plane.samples().chunks_exact(width) {
        padded.extend_from_slice(row);
        padded.resize(padded.len() + columns - width, row[width - 1]);
    }
    let last = padded.len() - columns;
    (height..rows).for_each(|_| padded.extend_from_within(last..));
    Cow::Owned(padded)
}
