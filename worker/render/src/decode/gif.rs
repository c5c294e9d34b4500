//! The first frame of a GIF on its canvas; what comes later, and how frames are disposed of, does not matter for it.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, Decoder, Frame, MemoryLimit};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order, enough_rows};
use crate::inspect::{corrupt, truncated, within};
use crate::raster::Layout;
use crate::shrink::RowShrink;

/// Where the four passes of an interlaced frame begin, and their steps.
const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];

type Source<'a> = Decoder<Cursor<&'a [u8]>>;

/// Decodes the first frame.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Unlimited); // We allocate the one frame ourselves, within our limits.
    options.allow_unknown_blocks(true);
    let mut decoder = options.read_info(Cursor::new(order.source)).map_err(|e| failed(&e))?;
    let frame = decoder.next_frame_info().map_err(|e| failed(&e))?.cloned();
    let frame = frame.ok_or_else(|| truncated("the GIF has no frame"))?;
    let size = Dimensions::new(frame.width.into(), frame.height.into())
        .ok_or_else(|| corrupt("the GIF's first frame has no pixels"))?;
    within(size, order.limits)?;
    let palette = decoder.palette().map_err(|e| failed(&e))?.to_vec();
    let indices = indices(&mut decoder, &frame)?;

    let canvas = order.header.dimensions;
    let mut shrink = RowShrink::<u8>::new(canvas, Layout::Rgba, order.least);
    let mut row = vec![0; canvas.width as usize * 4];
    for y in 0..canvas.height {
        row.fill(0);
        let line = y
            .checked_sub(frame.top.into())
            .and_then(|line| indices.chunks_exact(frame.width.into()).nth(line as usize));
        if let Some(line) = line {
            draw(&mut row, line, &frame, &palette);
        }
        shrink.push(&row);
    }
    let (raster, covered) = shrink.finish(&[0; 4]);
    Ok(DecodedRaster { raster, covered, profile: None })
}

/// One line of the frame on its row of the canvas; what lies outside is cut off.
fn draw(row: &mut [u8], line: &[u8], frame: &Frame<'_>, palette: &[u8]) {
    let place = usize::from(frame.left) * 4;
    let pixels = row.get_mut(place..).unwrap_or_default().chunks_exact_mut(4);
    for (pixel, index) in pixels.zip(line) {
        let at = usize::from(*index) * 3;
        if frame.transparent == Some(*index) {
            continue;
        }
        // An index beyond the palette is black, as in browsers.
        let colour = palette.get(at..at + 3).unwrap_or(&[0, 0, 0]);
        pixel[..3].copy_from_slice(colour);
        pixel[3] = u8::MAX;
    }
}

/// The frame's palette indices from the top; lines that never came are transparent where the frame has a transparent
/// index, else the first colour.
fn indices(decoder: &mut Source<'_>, frame: &Frame<'_>) -> Result<Vec<u8>, Failure> {
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let mut indices = vec![frame.transparent.unwrap_or(0); width * height];
    let order: Vec<usize> = if frame.interlaced {
        PASSES.iter().flat_map(|(first, step)| (*first..height).step_by(*step)).collect()
    } else {
        (0..height).collect()
    };
    let mut line = vec![0; width];
    let mut problem = None;
    let mut lines = 0;
    for y in order {
        match decoder.fill_buffer(&mut line) {
            Ok(true) => indices[y * width..][..width].copy_from_slice(&line),
            Ok(false) => break,
            Err(e) => {
                problem = Some(failed(&e));
                break;
            }
        }
        lines += 1;
    }
    enough_rows(lines, frame.height.into(), problem)?;
    Ok(indices)
}

fn failed(problem: &gif::DecodingError) -> Failure {
    match problem {
        gif::DecodingError::Io(_) | gif::DecodingError::UnexpectedEof => truncated(format!("GIF: {problem}")),
        _ => corrupt(format!("GIF: {problem}")),
    }
}
