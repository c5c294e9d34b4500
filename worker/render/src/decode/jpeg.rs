//! JPEG by libjpeg-turbo's decoder, which shrinks by eighths inside the inverse cosine transform.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use mozjpeg::{ColorSpace, Decompress};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};

use super::{Decoded, Order, enough_rows};
use crate::geometry::Area;
use crate::inspect::{corrupt, jpeg, truncated};
use crate::raster::{Layout, Raster, Samples};

/// The scales that are worth it, in eighths: from 5 on, the transform has no fast code and costs more than all 8.
const SCALES: [u8; 4] = [1, 2, 3, 4];

/// Rows of the largest block that is decoded at once.
const BLOCK_ROWS: u32 = 16;

/// Refining the same picture over more passes than this, times its megapixels, is an attack on our time: encoders use
/// about ten passes.
const SCANS_MAX: usize = 120;

/// Decodes at the coarsest scale that is still sharp enough.
pub(super) fn decode(order: &Order<'_>) -> Result<Decoded, Failure> {
    let header = jpeg::header(order.source)?;
    if header.progressive {
        let scans = jpeg::scans(order.source);
        if scans > SCANS_MAX {
            let reason = format!("progressive JPEG with {scans} scans, the limit is {SCANS_MAX}");
            return Err(Failure::new(FailureCode::TooManyPixels, reason));
        }
    }
    let stored = order.header.dimensions;
    let eighths = eighths(stored, order.least);
    let (layout, space) = match header.components {
        1 => (Layout::Gray, ColorSpace::JCS_GRAYSCALE),
        4 => (Layout::Cmyk, ColorSpace::JCS_CMYK),
        _ => (Layout::Rgb, ColorSpace::JCS_RGB),
    };
    let (dimensions, mut samples) = pixels(order.source, stored, eighths, space, header.progressive)?;
    if layout == Layout::Cmyk && header.adobe {
        samples.iter_mut().for_each(|ink| *ink = u8::MAX - *ink);
    }
    let scale = f64::from(eighths) / 8.0;
    let raster = Raster { dimensions, layout, samples: Samples::Eight(samples) };
    Ok(Decoded { raster, covered: Area::whole(stored).scaled(scale, scale), profile: header.profile })
}

/// The coarsest scale, in eighths, that leaves at least as many pixels as needed.
pub(crate) fn eighths(stored: Dimensions, least: Dimensions) -> u8 {
    let enough = |side: u32, least: u32, eighths: u8| u64::from(side) * u64::from(eighths) >= u64::from(least) * 8;
    let sufficient =
        |eighths: &u8| enough(stored.width, least.width, *eighths) && enough(stored.height, least.height, *eighths);
    SCALES.into_iter().find(sufficient).unwrap_or(8)
}

/// Decodes all rows. What a cut file does not have is grey, as libjpeg leaves it, when at least half is there.
fn pixels(
    source: &[u8],
    stored: Dimensions,
    eighths: u8,
    space: ColorSpace,
    progressive: bool,
) -> Result<(Dimensions, Vec<u8>), Failure> {
    let ended = Cell::new(false);
    let failed = |e: io::Error| corrupt(format!("JPEG: {e}"));
    let mut decompress = Decompress::new_reader(Watched { source, ended: &ended }).map_err(failed)?;
    if decompress.size() != (stored.width as usize, stored.height as usize) {
        return Err(corrupt("the JPEG has two frame headers"));
    }
    decompress.scale(eighths);
    let mut started = decompress.to_colorspace(space).map_err(failed)?;
    if ended.get() && jpeg::scans(source) < 2 {
        return Err(truncated(if progressive {
            "the JPEG ends in its first, coarsest pass"
        } else {
            "the JPEG ends before its pixels"
        }));
    }
    let whole_file_was_read = ended.get();
    let dimensions = Dimensions::new(started.width() as u32, started.height() as u32)
        .ok_or_else(|| corrupt("the JPEG has no pixels"))?;
    let mut samples = vec![0; started.min_flat_buffer_size()];
    let row_length = samples.len() / dimensions.height as usize;
    let mut good = dimensions.height;
    for (row, target) in samples.chunks_exact_mut(row_length).enumerate() {
        started.read_scanlines_into(target).map_err(failed)?;
        if ended.get() && !whole_file_was_read && good == dimensions.height {
            good = (row as u32 + BLOCK_ROWS * u32::from(eighths) / 8).min(dimensions.height);
        }
    }
    enough_rows(good, dimensions.height, None)?;
    Ok((dimensions, samples))
}

/// The source as a reader that notes when more was asked for than there is: libjpeg only invents an end and goes on.
struct Watched<'a> {
    source: &'a [u8],
    ended: &'a Cell<bool>,
}

impl Read for Watched<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.source.read(target)
    }
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.source.is_empty() {
            self.ended.set(true);
        }
        Ok(self.source)
    }

    fn consume(&mut self, amount: usize) {
        self.source = self.source.get(amount..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_the_coarsest_sufficient_one() {
        let size = |width, height| Dimensions { width, height };
        assert_eq!(eighths(size(4096, 3072), size(1024, 768)), 2);
        assert_eq!(eighths(size(4000, 3000), size(1024, 768)), 3);
        assert_eq!(eighths(size(1600, 1200), size(1600, 1200)), 8);
        assert_eq!(eighths(size(9000, 6000), size(32, 21)), 1);
        assert_eq!(eighths(size(1, 65_500), size(1, 320)), 8);
    }
}
