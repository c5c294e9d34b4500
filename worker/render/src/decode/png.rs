//! PNG row by row, so that a large one is never in memory at full size; interlaced ones have to be.

use png::{BitDepth, ColorType, Decoder, DecodingError, InterlaceInfo, Limits, Reader, Transformations};
use shared::domain::failure::Failure;

use super::forward::Forward;
use super::{DecodedRaster, Order, enough_rows};
use crate::geometry::Area;
use crate::inspect::{corrupt, truncated};
use crate::raster::{Layout, Raster};
use crate::shrink::{RowShrink, Sample};

/// For chunks that the decoder keeps (profile, palette) and its window; the rows are bounded by the picture's limits.
const CHUNK_BYTES_MAX: usize = 32 << 20;

type Source<'a> = Reader<Forward<'a>>;

/// Decodes the default image; palettes and small depths are expanded.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let row_bytes = order.header.dimensions.width as usize * 8;
    let limits = Limits { bytes: CHUNK_BYTES_MAX + row_bytes * 4 };
    let mut decoder = Decoder::new_with_limits(Forward::new(order.source, order.memory), limits);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(|e| failed(&e))?;
    let size = (reader.info().width, reader.info().height);
    if size != (order.header.dimensions.width, order.header.dimensions.height) {
        return Err(corrupt("the PNG has two header chunks"));
    }
    let (colour, depth) = reader.output_color_type();
    let layout = match colour {
        ColorType::Grayscale => Layout::Gray,
        ColorType::GrayscaleAlpha => Layout::GrayAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
        ColorType::Indexed => return Err(corrupt("the PNG has no palette")),
    };
    let profile = reader.info().icc_profile.as_ref().map(|profile| profile.to_vec());
    let (raster, covered) = match depth {
        BitDepth::Sixteen => rows::<u16>(&mut reader, order, layout)?,
        BitDepth::One | BitDepth::Two | BitDepth::Four | BitDepth::Eight => rows::<u8>(&mut reader, order, layout)?,
    };
    Ok(DecodedRaster { raster, covered, profile })
}

fn rows<T: Sample>(reader: &mut Source<'_>, order: &Order<'_>, layout: Layout) -> Result<(Raster, Area), Failure> {
    let mut shrink = RowShrink::<T>::new(order.header.dimensions, layout, order.least);
    if reader.info().interlaced {
        interlaced(reader, layout, &mut shrink)?
    } else {
        plain(reader, &mut shrink)?
    }
    Ok(shrink.finish(&vec![T::default(); layout.channels()]))
}

/// Rows from the top, until the end or until the file is cut or damaged.
fn plain<T: Sample>(reader: &mut Source<'_>, shrink: &mut RowShrink<T>) -> Result<(), Failure> {
    let mut scratch = Vec::new();
    loop {
        match reader.next_row() {
            Ok(Some(row)) => shrink.push(T::of_big_endian(row.data(), &mut scratch)),
            Ok(None) => return enough_rows(shrink.rows(), reader.info().height, None),
            Err(problem) => return enough_rows(shrink.rows(), reader.info().height, Some(failed(&problem))),
        }
    }
}

/// Pass by pass onto the whole picture; every pass fills squares, so that a cut file shows coarse pixels, not holes.
fn interlaced<T: Sample>(reader: &mut Source<'_>, layout: Layout, shrink: &mut RowShrink<T>) -> Result<(), Failure> {
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let pixel_bytes = layout.channels() * size_of::<T>();
    let stride = width * pixel_bytes;
    let mut picture = vec![0_u8; stride * height];
    // Only the last of the seven passes has whole rows, and brings the second half of them.
    let mut last_pass = false;
    let stopped = loop {
        match reader.next_interlaced_row() {
            Ok(Some(row)) => {
                if let InterlaceInfo::Adam7(info) = row.interlace() {
                    last_pass |= row.data().len() == stride;
                    // At most 4 channels of 16 bits.
                    png::splat_interlaced_row(&mut picture, stride, row.data(), info, (pixel_bytes * 8) as u8);
                }
            }
            Ok(None) => break None,
            Err(problem) => break Some(failed(&problem)),
        }
    };
    if let Some(failure) = stopped.filter(|_| !last_pass) {
        return Err(failure);
    }
    let mut scratch = Vec::new();
    picture.chunks_exact(stride).for_each(|row| shrink.push(T::of_big_endian(row, &mut scratch)));
    Ok(())
}

fn failed(problem: &DecodingError) -> Failure {
    match problem {
        DecodingError::IoError(_) => truncated(format!("PNG: {problem}")),
        _ => corrupt(format!("PNG: {problem}")),
    }
}
