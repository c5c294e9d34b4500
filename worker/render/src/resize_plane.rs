//! Resizes one channel of bytes: rows into fewer rows, the picture on its side, rows into fewer rows again, and upright.
//! Beside one another, pixels are filtered many at a time; above one another, they would have to be picked out one by one.

use fast_image_resize::Resizer;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use crate::geometry::Area;
use crate::orient::transposed_bytes;
use crate::raster::{Layout, Raster, Samples};
use crate::resize::filtered;
use crate::weights::Weights;

#[cfg_attr(not(target_arch = "x86_64"), path = "resize_plane/anywhere.rs")]
#[cfg_attr(target_arch = "x86_64", path = "resize_plane/x86_64.rs")]
mod wide;

/// Up to so many pixels in the place of one, sums of 16 bits are right to a tenth of a step.
const TAPS_MAX: usize = 64;

/// Bits behind the point of a sum, of which 8 are before it, with its sign: sums are of distances from the middle of the
/// range. The bit that is left is for what overshoots at edges.
const FRACTION: u32 = 7;
/// Added before those bits are cut off.
const HALF: i16 = 1 << (FRACTION - 1);
/// Takes a byte to its distance from the middle of the range, and back.
const MIDDLE: u8 = 0x80;

/// How planes of the same size and part become smaller; made once for all of them.
#[derive(Debug, PartialEq)]
pub(crate) struct PlaneFilter {
    source: Dimensions,
    area: Area,
    dimensions: Dimensions,
    down: Weights,
    across: Weights,
}

impl PlaneFilter {
    /// From this part of planes of the dimensions of `source` to `dimensions`.
    pub(crate) fn new(source: Dimensions, area: Area, dimensions: Dimensions) -> Self {
        let down = Weights::new(source.height, area.top, area.height, dimensions.height);
        let across = Weights::new(source.width, area.left, area.width, dimensions.width);
        Self { source, area, dimensions, down, across }
    }

    /// The smaller plane.
    pub(crate) fn apply(&self, resizer: &mut Resizer, plane: &Raster) -> Result<Raster, Failure> {
        let (source, dimensions) = (self.source, self.dimensions);
        if source == dimensions && self.area == Area::whole(source) {
            return Ok(plane.clone());
        }
        if self.down.taps().max(self.across.taps()) > TAPS_MAX {
            return filtered(resizer, plane, self.area, dimensions);
        }
        let lower = fewer_rows(bytes(plane), source.width as usize, &self.down);
        let aside = transposed_bytes(&lower, Dimensions { width: source.width, height: dimensions.height });
        let narrow = fewer_rows(&aside, dimensions.height as usize, &self.across);
        let upright = transposed_bytes(&narrow, dimensions.turned());
        Ok(Raster { dimensions, layout: Layout::Gray, samples: Samples::Eight(upright) })
    }
}

fn bytes(raster: &Raster) -> &[u8] {
    match &raster.samples {
        Samples::Eight(samples) => samples,
        // Planes have 8 bits.
        Samples::Sixteen(_) => &[],
    }
}

/// Every row of the result from some rows of the source, by the weights.
fn fewer_rows(samples: &[u8], width: usize, weights: &Weights) -> Vec<u8> {
    let mut result = Vec::with_capacity(width * weights.count());
    for (start, values) in weights.each() {
        let rows = &samples[start * width..(start + values.len()) * width];
        let done = wide::push_row(rows, width, values, &mut result);
        (done..width).for_each(|at| result.push(summed(rows, width, at, values)));
    }
    result
}

/// A pixel from those above one another in as many rows as there are weights.
fn summed(rows: &[u8], width: usize, at: usize, weights: &[i16]) -> u8 {
    let column = rows.iter().skip(at).step_by(width);
    let sum = column.zip(weights).fold(HALF, |sum, (pixel, weight)| sum.saturating_add(product(*pixel, *weight)));
    byte(sum)
}

/// What a pixel adds to a sum: half of the upper half of a product, rounded, for which there is one instruction where there are
/// instructions for many pixels at a time.
fn product(pixel: u8, weight: i16) -> i16 {
    let distance = i32::from((pixel ^ MIDDLE).cast_signed()) << 8;
    ((((distance * i32::from(weight)) >> 14) + 1) >> 1) as i16
}

/// What a sum comes to.
fn byte(sum: i16) -> u8 {
    let distance = (sum >> FRACTION).clamp(i8::MIN.into(), i8::MAX.into()) as i8;
    distance.cast_unsigned() ^ MIDDLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_the_straight_way_whatever_the_size() {
        let size = |width, height| Dimensions { width, height };
        for source in [size(61, 47), size(150, 203)] {
            let light = |n: u32| ((n % source.width) * 3 + (n / source.width) * 2 + n % 7 * 8) as u8;
            let samples = Samples::Eight((0..source.width * source.height).map(light).collect());
            let plane = Raster { dimensions: source, layout: Layout::Gray, samples };
            let area = Area { left: 3.25, top: 1.5, width: 50.5, height: 44.25 };
            for height in [1, 2, 3, 4, 5, 9, 23, 44] {
                for area in [area, Area::whole(source)] {
                    let straight = filtered(&mut Resizer::new(), &plane, area, size(17, height)).unwrap();
                    let filter = PlaneFilter::new(source, area, size(17, height));
                    let ours = filter.apply(&mut Resizer::new(), &plane).unwrap();
                    assert_eq!(ours.dimensions, straight.dimensions);
                    let differences = bytes(&ours).iter().zip(bytes(&straight)).map(|(a, b)| a.abs_diff(*b));
                    assert!(differences.max() <= Some(1), "{height} rows");
                }
            }
        }
    }

    #[test]
    fn one_colour_stays_what_it_is() {
        let (source, dimensions) = (Dimensions { width: 300, height: 200 }, Dimensions { width: 97, height: 21 });
        for colour in 0..=u8::MAX {
            let samples = Samples::Eight(vec![colour; 300 * 200]);
            let plane = Raster { dimensions: source, layout: Layout::Gray, samples };
            let filter = PlaneFilter::new(source, Area::whole(source), dimensions);
            let small = filter.apply(&mut Resizer::new(), &plane).unwrap();
            assert!(bytes(&small).iter().all(|sample| *sample == colour), "{colour}");
        }
    }
}
