//! JPEG, shrunk by eighths inside the inverse cosine transform: whole photos in planes by a decoder of our own, everything else by
//! libjpeg-turbo's.

mod planar;
mod planes;
mod rows;

use mozjpeg::ColorSpace;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};

pub(super) use self::planes::planes;
use self::rows::rows;
use super::{DecodedRaster, Order};
use crate::geometry::Area;
use crate::inspect::jpeg::{self, JpegHeader};
use crate::raster::{Layout, Raster, Samples};

/// The scales that are worth it in libjpeg, in eighths: from 5 on, the transform has no fast code and costs more than all 8.
const SCALES: [u8; 4] = [1, 2, 3, 4];

/// Refining the same picture over more passes than this, times its megapixels, is an attack on our time: encoders use
/// about ten passes.
const SCANS_MAX: usize = 120;

/// Decodes at the coarsest scale that is still sharp enough.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let header = jpeg::header(order.source)?;
    check_scans(order.source, &header)?;
    let stored = order.header.dimensions;
    let eighths = eighths(stored, order.least);
    let (layout, space) = match header.components {
        1 => (Layout::Gray, ColorSpace::JCS_GRAYSCALE),
        4 => (Layout::Cmyk, ColorSpace::JCS_CMYK),
        _ => (Layout::Rgb, ColorSpace::JCS_RGB),
    };
    let mut samples = Vec::new();
    let dimensions = rows(order.source, &header, eighths, space, &mut |row| samples.extend_from_slice(row))?;
    if layout == Layout::Cmyk && header.adobe {
        samples.iter_mut().for_each(|ink| *ink = u8::MAX - *ink);
    }
    let scale = f64::from(eighths) / 8.0;
    let raster = Raster { dimensions, layout, samples: Samples::Eight(samples) };
    Ok(DecodedRaster { raster, covered: Area::whole(stored).scaled(scale, scale), profile: header.profile })
}

/// Refuses what would keep us busy.
fn check_scans(source: &[u8], header: &JpegHeader) -> Result<(), Failure> {
    if !header.progressive {
        return Ok(());
    }
    let scans = jpeg::scans(source);
    if scans > SCANS_MAX {
        let reason = format!("progressive JPEG with {scans} scans, the limit is {SCANS_MAX}");
        return Err(Failure::new(FailureCode::TooManyPixels, reason));
    }
    Ok(())
}

/// The coarsest scale of libjpeg, in eighths, that leaves at least as many pixels as needed.
pub(crate) fn eighths(stored: Dimensions, least: Dimensions) -> u8 {
    let scale = coarsest(stored, least);
    if SCALES.contains(&scale) { scale } else { 8 }
}

/// The coarsest scale of all, in eighths; all 8 where none leaves enough.
fn coarsest(stored: Dimensions, least: Dimensions) -> u8 {
    let enough = |side: u32, least: u32, eighths: u8| u64::from(side) * u64::from(eighths) >= u64::from(least) * 8;
    let sufficient =
        |eighths: &u8| enough(stored.width, least.width, *eighths) && enough(stored.height, least.height, *eighths);
    (1..8).find(sufficient).unwrap_or(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_the_coarsest_sufficient_one() {
        let size = |width, height| Dimensions { width, height };
        assert_eq!(eighths(size(4096, 3072), size(1024, 768)), 2);
        assert_eq!(eighths(size(4000, 3000), size(1024, 768)), 3);
        assert_eq!(coarsest(size(1600, 1200), size(1000, 750)), 5);
        assert_eq!(eighths(size(1600, 1200), size(1000, 750)), 8);
        assert_eq!(eighths(size(1600, 1200), size(1600, 1200)), 8);
        assert_eq!(eighths(size(9000, 6000), size(32, 21)), 1);
        assert_eq!(eighths(size(1, 65_500), size(1, 320)), 8);
    }
}
