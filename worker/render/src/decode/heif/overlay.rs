//! Pictures of a HEIF file before one another on a canvas.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::picture;
use crate::geometry::Area;
use crate::inspect::heif::{Heif, Overlay, coded, overlay, shown};
use crate::inspect::{corrupt, unsupported};
use crate::orient::Orientation;
use crate::pixels::Pixels as _;
use crate::raster::{Layout, Raster, Samples, narrowed};

/// Layers beyond this many are an attack.
const LAYERS_MAX: usize = 16;

/// The whole canvas with all layers, in 8 bits.
pub(super) fn picture_of(heif: &Heif<'_>, id: u32, size: Dimensions) -> Result<(Raster, Area), Failure> {
    let parts = heif.parts(id);
    if parts.len() > LAYERS_MAX {
        return Err(unsupported(format!("a HEIF overlay of {} layers, the limit is {LAYERS_MAX}", parts.len())));
    }
    let Overlay { size: canvas, fill, places } = overlay(&heif.bytes(heif.item(id)?)?.0, parts.len())?;
    if canvas != size {
        return Err(corrupt("a HEIF overlay contradicts its size"));
    }
    let mut pixels = vec![fill; canvas.area_pixels() as usize];
    for (part, place) in parts.iter().zip(places) {
        let layer = layer(heif, *part, canvas)?;
        lay(&mut pixels, canvas, &layer, place);
    }
    let raster = Raster { dimensions: canvas, layout: Layout::Rgba, samples: Samples::Eight(pixels.into_flattened()) };
    Ok((raster, Area::whole(canvas)))
}

/// One layer, which is not larger than what it is laid on.
fn layer(heif: &Heif<'_>, id: u32, canvas: Dimensions) -> Result<Raster, Failure> {
    let item = heif.item(id)?;
    let size = coded(item)?;
    if item.kind == *b"iovl" || shown(item)?.page.orientation != Orientation::NORMAL {
        return Err(unsupported("a HEIF overlay of something else than plain pictures"));
    }
    if size.area_pixels() > canvas.area_pixels().saturating_mul(4) {
        return Err(corrupt("a layer of a HEIF overlay is much larger than its canvas"));
    }
    let (Raster { dimensions, layout, samples }, _) = picture(heif, id, size, size)?;
    let samples = match samples {
        Samples::Sixteen(samples) => samples.into_iter().map(narrowed).collect(),
        Samples::Eight(samples) => samples,
    };
    Ok(Raster { dimensions, layout, samples: Samples::Eight(samples) })
}

fn lay(pixels: &mut [[u8; 4]], canvas: Dimensions, layer: &Raster, (left, top): (i64, i64)) {
    let width = layer.dimensions.width as usize;
    for (y, row) in layer.rgba().chunks_exact(width).enumerate() {
        let Ok(below) = u32::try_from(top + y as i64) else { continue };
        if below >= canvas.height {
            return;
        }
        for (x, pixel) in row.iter().enumerate() {
            let across = u32::try_from(left + x as i64).ok().filter(|across| *across < canvas.width);
            let Some(across) = across else { continue };
            let at = u64::from(below) * u64::from(canvas.width) + u64::from(across);
            let under = &mut pixels[at as usize];
            *under = over(*pixel, *under);
        }
    }
}

/// By the usual rule for colours that are not premultiplied.
fn over(above: [u8; 4], under: [u8; 4]) -> [u8; 4] {
    let (cover, rest) = (u32::from(above[3]) * 255, u32::from(under[3]) * (255 - u32::from(above[3])));
    let opacity = cover + rest;
    if opacity == 0 {
        return [0; 4];
    }
    let mix = |index: usize| {
        // A weighted mean of bytes is a byte.
        ((u32::from(above[index]) * cover + u32::from(under[index]) * rest + opacity / 2) / opacity) as u8
    };
    [mix(0), mix(1), mix(2), ((opacity + 127) / 255) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_hides_what_is_under_as_much_as_it_is_opaque() {
        assert_eq!(over([9, 8, 7, 255], [1, 2, 3, 255]), [9, 8, 7, 255]);
        assert_eq!(over([9, 8, 7, 0], [1, 2, 3, 40]), [1, 2, 3, 40]);
        assert_eq!(over([200, 0, 0, 128], [0, 0, 0, 255]), [100, 0, 0, 255]);
        assert_eq!(over([9, 8, 7, 0], [1, 2, 3, 0]), [0; 4]);
    }
}
