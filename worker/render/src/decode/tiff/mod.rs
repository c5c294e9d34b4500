//! TIFF, page by page: strips and tiles, in every coding and depth that is in use.
//!
//! | file | what it does |
//! |---|---|
//! | `unpack.rs` | a strip's or tile's bytes, decompressed, never more than it should have |
//! | `predict.rs` | undoes the differences that compress better |
//! | `numbers.rs` | bytes to samples of 8 or 16 bits |
//! | `light.rs` | samples to grey, RGB or ink |

mod light;
mod numbers;
mod predict;
mod unpack;

use shared::domain::failure::{Failure, FailureCode};

use self::light::Light;
use self::numbers::Number;
use super::{DecodedRaster, Order, enough_rows};
use crate::geometry::Area;
use crate::inspect::tiff::{self, TiffPage};
use crate::raster::Raster;
use crate::request::SourceMemory;
use crate::shrink::RowShrink;

/// Decodes one page.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let page = tiff::page(order.source, order.page)?;
    let (raster, covered) = if page.bits <= 8 { bands::<u8>(&page, order)? } else { bands::<u16>(&page, order)? };
    Ok(DecodedRaster { raster, covered, profile: page.profile.map(<[u8]>::to_vec) })
}

/// From the top, one row of strips or tiles after the other.
fn bands<T: Number>(page: &TiffPage<'_>, order: &Order<'_>) -> Result<(Raster, Area), Failure> {
    let light = Light::of(page);
    let missing = light.missing::<T>();
    let row_length = page.dimensions.width as usize * page.samples;
    let mut shrink = RowShrink::<T>::new(page.dimensions, light.layout(), order.least);
    let mut band = vec![T::default(); row_length * page.chunk.height.min(page.dimensions.height) as usize];
    let mut converted = Vec::new();
    let (mut good, mut first_problem) = (0, None);
    for index in 0..page.grid().1 {
        let rows = page.chunk.height.min(page.dimensions.height - index * page.chunk.height) as usize;
        let complete = match read_band(page, order.memory, index, &mut band, row_length) {
            Ok(complete) => complete.min(rows),
            Err(failure) if failure.code == FailureCode::UnsupportedFeature => return Err(failure),
            Err(failure) => {
                first_problem.get_or_insert(failure);
                0
            }
        };
        good += complete as u32;
        for row in band.chunks_exact(row_length).take(complete) {
            light.convert(row, &mut converted);
            shrink.push(&converted);
        }
        let empty = missing.repeat(page.dimensions.width as usize);
        (complete..rows).for_each(|_| shrink.push(&empty));
    }
    enough_rows(good, page.dimensions.height, first_problem)?;
    Ok(shrink.finish(&missing))
}

/// Fills one band with the samples of its strips or tiles; how many of its rows are complete.
fn read_band<T: Number>(
    page: &TiffPage<'_>,
    memory: &dyn SourceMemory,
    band_index: u32,
    band: &mut [T],
    row_length: usize,
) -> Result<usize, Failure> {
    let (across, down) = page.grid();
    let planes = if page.planar { page.samples } else { 1 };
    let mut complete = usize::MAX;
    for plane in 0..planes {
        for column in 0..across {
            let index = (plane * down as usize + band_index as usize) * across as usize + column as usize;
            let (samples, rows) = unpack::chunk::<T>(page, index)?;
            page.chunk_bytes(index).into_iter().for_each(|packed| memory.passed(packed));
            complete = complete.min(rows);
            let place = Place { plane, left: (column * page.chunk.width) as usize, row_length };
            place.copy(page, &samples, band);
        }
    }
    Ok(complete)
}

/// Where in a band the samples of a strip or tile belong.
struct Place {
    plane: usize,
    left: usize,
    row_length: usize,
}

impl Place {
    fn copy<T: Number>(&self, page: &TiffPage<'_>, samples: &[T], band: &mut [T]) {
        let width = (page.chunk.width as usize).min(page.dimensions.width as usize - self.left);
        let in_chunk = if page.planar { 1 } else { page.samples };
        let lines = samples.chunks_exact(page.chunk.width as usize * in_chunk);
        for (row, line) in band.chunks_exact_mut(self.row_length).zip(lines) {
            let row = &mut row[self.left * page.samples..];
            if page.planar {
                let targets = row.chunks_exact_mut(page.samples).take(width);
                targets.zip(line).for_each(|(pixel, sample)| pixel[self.plane] = *sample);
            } else {
                row[..width * in_chunk].copy_from_slice(&line[..width * in_chunk]);
            }
        }
    }
}
