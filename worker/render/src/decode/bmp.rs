//! Windows and OS/2 bitmaps by the `image` crate.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order};
use crate::inspect::{bmp, corrupt, truncated, unsupported};
use crate::raster::Layout;
use crate::shrink::RowShrink;

/// Decodes the bitmap; one that is cut in its second half is completed with zeros.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let source = completed(order.source)?;
    let decoder = BmpDecoder::new(Cursor::new(source.as_ref())).map_err(|e| failed(&e))?;
    let stored = order.header.dimensions;
    if decoder.dimensions() != (stored.width, stored.height) {
        return Err(corrupt("the bitmap's dimensions contradict its header"));
    }
    let layout = match decoder.color_type() {
        ColorType::L8 => Layout::Gray,
        ColorType::Rgb8 => Layout::Rgb,
        ColorType::Rgba8 => Layout::Rgba,
        other => return Err(unsupported(format!("bitmap with {other:?} pixels"))),
    };
    let row_length = stored.width as usize * layout.channels();
    let mut pixels = vec![0; row_length * stored.height as usize];
    decoder.read_image(&mut pixels).map_err(|e| failed(&e))?;
    let mut shrink = RowShrink::<u8>::new(stored, layout, order.least);
    pixels.chunks_exact(row_length).for_each(|row| shrink.push(row));
    let (raster, covered) = shrink.finish(&[0; 4][..layout.channels()]);
    Ok(DecodedRaster { raster, covered, profile: None })
}

/// The source, with zeros for what is missing of uncompressed pixels.
fn completed(source: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    let Some((offset, length)) = bmp::plain_pixels(source) else { return Ok(source.into()) };
    let there = source.len().saturating_sub(offset);
    if there >= length {
        return Ok(source.into());
    }
    if there < length / 2 || there == 0 || !bmp::is_cut(source) {
        return Err(truncated(format!("only {there} of {length} bytes of the bitmap's pixels are there")));
    }
    let mut complete = source.to_vec();
    complete.resize(offset + length, 0);
    Ok(complete.into())
}

fn failed(problem: &ImageError) -> Failure {
    match problem {
        ImageError::Unsupported(_) => unsupported(format!("bitmap: {problem}")),
        ImageError::IoError(_) => truncated(format!("bitmap: {problem}")),
        _ => corrupt(format!("bitmap: {problem}")),
    }
}
