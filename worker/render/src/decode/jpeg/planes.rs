//! JPEG to luma and chroma planes: nothing is converted to RGB, and chroma is not enlarged to the size of luma.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::raw::{Blocks, components};
use super::{check_scans, eighths};
use crate::decode::{DecodedPlanes, Order};
use crate::geometry::Area;
use crate::inspect::jpeg;
use crate::planes::{Plane, Planes};

/// Samples each way of a block.
const BLOCK: u32 = 8;

/// The planes at the coarsest sufficient scale; `None` for a JPEG that is something else than YCbCr, or is cut.
pub(in crate::decode) fn planes(order: &Order<'_>) -> Result<Option<DecodedPlanes>, Failure> {
    let header = jpeg::header(order.source)?;
    let Some(sampling) = header.sampling else { return Ok(None) };
    check_scans(order.source, &header)?;
    let (dimensions, eighths) = (order.header.dimensions, eighths(order.header.dimensions, order.least));
    let Some(components) = components(order.source, &header, sampling, eighths)? else { return Ok(None) };
    let scale = f64::from(eighths) / 8.0;
    let plane = |blocks: Blocks, across: u32, down: u32| {
        let covered = Area::whole(dimensions).scaled(scale / f64::from(across), scale / f64::from(down));
        let side = |length: u32, by: u32| (length * u32::from(eighths)).div_ceil(by * BLOCK);
        let size = Dimensions { width: side(dimensions.width, across), height: side(dimensions.height, down) };
        Plane::new(size, trimmed(blocks, size), covered)
    };
    let [luma, blue, red] = components;
    let (across, down) = (sampling.across, sampling.down);
    let planes = [plane(luma, 1, 1), plane(blue, across, down), plane(red, across, down)];
    Ok(Some(DecodedPlanes { planes: Planes { dimensions, planes }, profile: header.profile }))
}

/// The samples without what fills blocks up: the filter would look at it.
fn trimmed(Blocks { mut samples, stride }: Blocks, size: Dimensions) -> Vec<u8> {
    let (width, height) = (size.width as usize, size.height as usize);
    if stride == width {
        samples.truncate(width * height);
        return samples;
    }
    let mut trimmed = Vec::with_capacity(width * height);
    samples.chunks_exact(stride).take(height).for_each(|row| trimmed.extend_from_slice(&row[..width]));
    trimmed
}
