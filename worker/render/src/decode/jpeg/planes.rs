//! JPEG to luma and chroma planes: nothing is converted to RGB, and chroma is not enlarged to the size of luma.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::planar::{self, Wanted};
use super::{check_scans, coarsest};
use crate::decode::{DecodedPlanes, Order};
use crate::geometry::Area;
use crate::inspect::jpeg::{self, Sampling};
use crate::jpeg::BLOCK_PIXELS;
use crate::planes::{Plane, Planes};

/// The planes, each at its coarsest sufficient scale; `None` for a JPEG that is something else than YCbCr, or is damaged.
pub(in crate::decode) fn planes(order: &Order<'_>) -> Result<Option<DecodedPlanes>, Failure> {
    let header = jpeg::header(order.source)?;
    let Some(sampling) = header.sampling else { return Ok(None) };
    check_scans(order.source, &header)?;
    let dimensions = order.header.dimensions;
    let scales = scales(dimensions, sampling, order.least);
    let factors = [(1, 1), (sampling.across, sampling.down), (sampling.across, sampling.down)];
    let wanted = [0, 1, 2].map(|index| {
        let (eighths, (across, down)) = (scales[index], factors[index]);
        let side = |length: u32, by: u32| (length * u32::from(eighths)).div_ceil(by * BLOCK_PIXELS);
        Wanted {
            eighths,
            size: Dimensions { width: side(dimensions.width, across), height: side(dimensions.height, down) },
        }
    });
    let Some(samples) = planar::planes(order.source, header.page.dimensions, &wanted) else { return Ok(None) };
    let mut samples = samples.into_iter();
    let planes = [0, 1, 2].map(|index| {
        let (Wanted { eighths, size }, (across, down)) = (wanted[index], factors[index]);
        let scale = f64::from(eighths) / f64::from(BLOCK_PIXELS);
        let covered = Area::whole(dimensions).scaled(scale / f64::from(across), scale / f64::from(down));
        Plane::new(size, samples.next().unwrap_or_default(), covered)
    });
    Ok(Some(DecodedPlanes { planes: Planes { dimensions, planes }, profile: header.profile }))
}

/// In eighths, of luma and both chromas. What is written has half as many samples of chroma each way, however many the source has.
fn scales(stored: Dimensions, sampling: Sampling, least: Dimensions) -> [u8; 3] {
    let by = |size: Dimensions, across: u32, down: u32| Dimensions {
        width: size.width.div_ceil(across),
        height: size.height.div_ceil(down),
    };
    let chroma = coarsest(by(stored, sampling.across, sampling.down), by(least, 2, 2));
    [coarsest(stored, least), chroma, chroma]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chroma_is_decoded_only_as_large_as_it_is_written() {
        let size = |width, height| Dimensions { width, height };
        let scales = |stored, across, down, least| scales(stored, Sampling { across, down }, least);
        assert_eq!(scales(size(1800, 1200), 2, 2, size(1024, 683)), [5, 5, 5]);
        assert_eq!(scales(size(1800, 1200), 1, 1, size(1024, 683)), [5, 3, 3]);
        assert_eq!(scales(size(1800, 1200), 2, 1, size(1024, 683)), [5, 5, 5]);
        assert_eq!(scales(size(4096, 4096), 4, 1, size(1024, 1024)), [2, 4, 4]);
        assert_eq!(scales(size(600, 900), 1, 1, size(600, 900)), [8, 4, 4]);
        assert_eq!(scales(size(601, 901), 2, 2, size(601, 901)), [8, 8, 8]);
    }
}
