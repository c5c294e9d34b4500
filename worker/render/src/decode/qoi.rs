//! QOI row by row, after the specification of version 1.0.

use shared::domain::failure::Failure;

use super::{DecodedRaster, Order, enough_rows};
use crate::inspect::qoi;
use crate::shrink::RowShrink;

/// Decodes the picture; what a cut file does not have is black, or clear where there is opacity.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let stored = order.header.dimensions;
    let layout = qoi::layout(order.source)?;
    let mut shrink = RowShrink::<u8>::new(stored, layout, order.least);
    let mut pixels = Pixels::new(order.source.get(qoi::HEADER_BYTES..).unwrap_or_default());
    let mut row = Vec::with_capacity(stored.width as usize * layout.channels());
    'rows: for _ in 0..stored.height {
        row.clear();
        for _ in 0..stored.width {
            let Some(pixel) = pixels.next() else { break 'rows };
            row.extend_from_slice(&pixel[..layout.channels()]);
        }
        shrink.push(&row);
    }
    enough_rows(shrink.rows(), stored.height, None)?;
    let (raster, covered) = shrink.finish(&[0; 4][..layout.channels()]);
    Ok(DecodedRaster { raster, covered, profile: None })
}

type Pixel = [u8; 4];

/// The pixels, every chunk made into as many as it stands for.
struct Pixels<'a> {
    rest: &'a [u8],
    last: Pixel,
    seen: [Pixel; 64],
    /// Repetitions of the last one that are left.
    run: u8,
}

impl<'a> Pixels<'a> {
    fn new(chunks: &'a [u8]) -> Self {
        // The specification's end mark is no pixels; a file without it was cut.
        let rest = chunks.strip_suffix(&[0, 0, 0, 0, 0, 0, 0, 1]).unwrap_or(chunks);
        Self { rest, last: [0, 0, 0, u8::MAX], seen: [[0; 4]; 64], run: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The pixel that differs from the last one by this much.
    fn moved(&self, by: [u8; 3]) -> Pixel {
        let [red, green, blue, alpha] = self.last;
        [red.wrapping_add(by[0]), green.wrapping_add(by[1]), blue.wrapping_add(by[2]), alpha]
    }
}

impl Iterator for Pixels<'_> {
    type Item = Pixel;

    fn next(&mut self) -> Option<Pixel> {
        if self.run > 0 {
            self.run -= 1;
            return Some(self.last);
        }
        let chunk = self.byte()?;
        let low = chunk & 0x3f;
        self.last = match chunk {
            0xfe => [self.byte()?, self.byte()?, self.byte()?, self.last[3]],
            0xff => [self.byte()?, self.byte()?, self.byte()?, self.byte()?],
            0x00..=0x3f => self.seen[usize::from(low)],
            0x40..=0x7f => self.moved([low >> 4, low >> 2 & 3, low & 3].map(|two| two.wrapping_sub(2))),
            0x80..=0xbf => {
                let (green, others) = (low.wrapping_sub(32), self.byte()?);
                let differs = |four: u8| green.wrapping_add(four).wrapping_sub(8);
                self.moved([differs(others >> 4), green, differs(others & 0x0f)])
            }
            0xc0..=0xfd => {
                self.run = low;
                self.last
            }
        };
        self.seen[place(self.last)] = self.last;
        Some(self.last)
    }
}

/// Where a pixel is remembered.
fn place(pixel: Pixel) -> usize {
    let sum: usize = pixel.iter().zip([3, 5, 7, 11]).map(|(sample, weight)| usize::from(*sample) * weight).sum();
    sum % 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_chunk() {
        let chunks = [0xfe, 10, 20, 30, 0b0111_0110, 0b1010_0001, 0b1001_0111, 0xc1, 0xff, 1, 2, 3, 4, 9];
        let pixels: Vec<Pixel> = Pixels::new(&chunks).collect();
        let moved = [11, 19, 30, 255];
        let far = [11 + 1 + 1, 20, 30 + 1 - 1, 255];
        let remembered = [10, 20, 30, 255];
        assert_eq!(pixels, [[10, 20, 30, 255], moved, far, far, far, [1, 2, 3, 4], remembered]);
    }
}
