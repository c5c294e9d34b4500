//! JPEG to luma and chroma planes: nothing is converted to RGB, and chroma is not enlarged to the size of luma.

use std::cell::Cell;

use mozjpeg::ColorSpace;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::rows::{failed, opened, rows};
use super::{check_scans, eighths};
use crate::colour::is_converted;
use crate::decode::Order;
use crate::geometry::Area;
use crate::inspect::jpeg::{self, JpegHeader, Sampling};
use crate::planes::{Plane, Planes};
use crate::raster::Layout;

/// Samples each way of a block.
const BLOCK: u32 = 8;

/// The planes at the coarsest sufficient scale; `None` for a JPEG that must become RGB first, because it is something else
/// than YCbCr in sRGB's meaning, or is cut.
pub(in crate::decode) fn planes(order: &Order<'_>) -> Result<Option<Planes>, Failure> {
    let header = jpeg::header(order.source)?;
    let Some(sampling) = header.sampling else { return Ok(None) };
    if header.profile.as_deref().is_some_and(|profile| is_converted(profile, Layout::Rgb)) {
        return Ok(None);
    }
    check_scans(order.source, &header)?;
    match eighths(order.header.dimensions, order.least) {
        8 => whole(order.source, &header, sampling),
        eighths => scaled(order.source, &header, eighths).map(Some),
    }
}

/// Every sample as it is in the file.
fn whole(source: &[u8], header: &JpegHeader, sampling: Sampling) -> Result<Option<Planes>, Failure> {
    let ended = Cell::new(false);
    let decompress = opened(source, header, &ended)?;
    if decompress.color_space() != ColorSpace::JCS_YCbCr {
        return Ok(None);
    }
    let dimensions = header.page.dimensions;
    let (across, down) = (sampling.across, sampling.down);
    let parts = [(1, 1), (across, down), (across, down)];
    let blocks = |side: u32, by: u32| side.div_ceil(by * BLOCK) * BLOCK;
    let sizes = parts.map(|(across, down)| (blocks(dimensions.width, across), blocks(dimensions.height, down)));
    // The decoder appends whole rows of blocks, of which the last may be more than the plane needs.
    let mut samples = sizes.map(|(width, height)| Vec::with_capacity((width * (height + BLOCK)) as usize));
    let [luma, blue, red] = &mut samples;
    decompress.raw().map_err(failed)?.read_raw_data(&mut [luma, blue, red]);
    if ended.get() {
        return Ok(None);
    }
    let plane = |samples: Vec<u8>, index: usize| {
        let (across, down) = parts[index];
        let size = Dimensions { width: dimensions.width.div_ceil(across), height: dimensions.height.div_ceil(down) };
        let covered = Area::whole(dimensions).scaled(1.0 / f64::from(across), 1.0 / f64::from(down));
        Plane::new(size, trimmed(samples, sizes[index].0 as usize, size), covered)
    };
    let [luma, blue, red] = samples;
    Ok(Some(Planes { dimensions, planes: [plane(luma, 0), plane(blue, 1), plane(red, 2)] }))
}

/// The samples without what fills blocks up: the filter would look at it.
fn trimmed(mut samples: Vec<u8>, stride: usize, size: Dimensions) -> Vec<u8> {
    let (width, height) = (size.width as usize, size.height as usize);
    if stride == width {
        samples.truncate(width * height);
        return samples;
    }
    let mut trimmed = Vec::with_capacity(width * height);
    samples.chunks_exact(stride).take(height).for_each(|row| trimmed.extend_from_slice(&row[..width]));
    trimmed
}

/// Shrunk inside the inverse transform, which gives all three planes the same size.
fn scaled(source: &[u8], header: &JpegHeader, eighths: u8) -> Result<Planes, Failure> {
    let dimensions = header.page.dimensions;
    let area = dimensions.area_pixels() as usize * usize::from(eighths) * usize::from(eighths) / 64;
    let mut samples =
        [(); 3].map(|()| Vec::with_capacity(area + dimensions.width as usize + dimensions.height as usize));
    let size = rows(source, header, eighths, ColorSpace::JCS_YCbCr, &mut |row| {
        let start = samples[0].len();
        samples.iter_mut().for_each(|plane| plane.resize(start + row.len() / 3, 0));
        let [luma, blue, red] = &mut samples;
        split(row, [&mut luma[start..], &mut blue[start..], &mut red[start..]]);
    })?;
    let scale = f64::from(eighths) / 8.0;
    let covered = Area::whole(dimensions).scaled(scale, scale);
    Ok(Planes { dimensions, planes: samples.map(|samples| Plane::new(size, samples, covered)) })
}

/// Takes the three samples of every pixel apart: of four pixels at once by shifts, because byte by byte costs seven times
/// as much.
fn split(row: &[u8], [luma, blue, red]: [&mut [u8]; 3]) {
    let (groups, rest) = row.as_chunks::<12>();
    let word =
        |group: &[u8; 12], at: usize| u32::from_le_bytes([group[at], group[at + 1], group[at + 2], group[at + 3]]);
    let (luma, last_luma) = luma.as_chunks_mut::<4>();
    let (blue, last_blue) = blue.as_chunks_mut::<4>();
    let (red, last_red) = red.as_chunks_mut::<4>();
    let fours = luma.iter_mut().zip(blue).zip(red);
    for (((luma, blue), red), group) in fours.zip(groups) {
        let (a, b, c) = (word(group, 0), word(group, 4), word(group, 8));
        *luma = (a & 0xff | a >> 24 << 8 | b & 0xff_0000 | (c & 0xff00) << 16).to_le_bytes();
        *blue = (a >> 8 & 0xff | (b & 0xff) << 8 | b >> 24 << 16 | (c & 0xff_0000) << 8).to_le_bytes();
        *red = (a >> 16 & 0xff | b & 0xff00 | (c & 0xff) << 16 | c & 0xff00_0000).to_le_bytes();
    }
    let last = last_luma.iter_mut().zip(last_blue).zip(last_red);
    for (((luma, blue), red), pixel) in last.zip(rest.as_chunks::<3>().0) {
        [*luma, *blue, *red] = *pixel;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_taken_apart_whatever_the_width() {
        for width in 1..=13 {
            let row: Vec<u8> = (0..width * 3).map(|n| n as u8 * 5).collect();
            let mut planes = [(); 3].map(|()| vec![0; width]);
            let [luma, blue, red] = &mut planes;
            split(&row, [luma, blue, red]);
            for (index, plane) in planes.iter().enumerate() {
                let expected: Vec<u8> = row.iter().skip(index).step_by(3).copied().collect();
                assert_eq!(*plane, expected, "plane {index} of {width} columns");
            }
        }
    }
}
