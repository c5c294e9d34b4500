//! TGA row by row in the order of the file; the orientation step does the rest for files that begin at the bottom.

use shared::domain::failure::Failure;

use super::{DecodedRaster, Order, enough_rows};
use crate::inspect::tga::{self, TgaHeader, TgaPixel};
use crate::raster::Layout;
use crate::shrink::RowShrink;

/// Decodes the picture; what a cut file does not have is black, or clear where there is opacity.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let header = tga::header(order.source)?;
    let stored = order.header.dimensions;
    let layout = layout(&header);
    let mut shrink = RowShrink::<u8>::new(stored, layout, order.least);
    let mut stored_pixels = Pixels::new(&header);
    let mut row = Vec::with_capacity(stored.width as usize * layout.channels());
    'rows: for _ in 0..stored.height {
        row.clear();
        for _ in 0..stored.width {
            let Some(pixel) = stored_pixels.next() else { break 'rows };
            push_pixel(&mut row, &header, pixel);
        }
        shrink.push(&row);
    }
    enough_rows(shrink.rows(), stored.height, None)?;
    let (raster, covered) = shrink.finish(&[0; 4][..layout.channels()]);
    Ok(DecodedRaster { raster, covered, profile: None })
}

fn layout(header: &TgaHeader<'_>) -> Layout {
    match header.pixel {
        TgaPixel::Gray => Layout::Gray,
        TgaPixel::GrayAlpha => Layout::GrayAlpha,
        TgaPixel::Bgra if header.alpha => Layout::Rgba,
        TgaPixel::Fifteen | TgaPixel::Bgr | TgaPixel::Bgra => Layout::Rgb,
    }
}

/// One pixel's samples; an index beyond the palette is black.
fn push_pixel(row: &mut Vec<u8>, header: &TgaHeader<'_>, stored: &[u8]) {
    let colour = match header.palette {
        Some(palette) => {
            let length = header.pixel.bytes();
            let index = usize::from(stored[0]).checked_sub(palette.first);
            index
                .and_then(|index| palette.entries.get(index * length..(index + 1) * length))
                .unwrap_or(&[0; 4][..length])
        }
        None => stored,
    };
    match (header.pixel, colour) {
        (TgaPixel::Fifteen, [low, high]) => {
            let packed = u16::from_le_bytes([*low, *high]);
            row.extend([packed >> 10, packed >> 5, packed].map(|five| widened(five & 31)));
        }
        (TgaPixel::Bgra, [blue, green, red, alpha]) if header.alpha => row.extend([*red, *green, *blue, *alpha]),
        (TgaPixel::Bgr | TgaPixel::Bgra, [blue, green, red, ..]) => row.extend([*red, *green, *blue]),
        _ => row.extend(colour),
    }
}

/// 5 bits to 8, rounded.
fn widened(five: u16) -> u8 {
    // At most 31 * 255 / 31.
    ((five * 255 + 15) / 31) as u8
}

/// The pixels as they are written, packets opened.
struct Pixels<'a> {
    rest: &'a [u8],
    length: usize,
    packets: bool,
    /// Pixels left of the packet.
    left: u8,
    /// The pixel that the packet repeats.
    repeated: Option<&'a [u8]>,
}

impl<'a> Pixels<'a> {
    fn new(header: &TgaHeader<'a>) -> Self {
        let length = if header.palette.is_some() { 1 } else { header.pixel.bytes() };
        Self { rest: header.pixels, length, packets: header.run_lengths, left: 0, repeated: None }
    }

    fn take(&mut self) -> Option<&'a [u8]> {
        let (pixel, rest) = self.rest.split_at_checked(self.length)?;
        self.rest = rest;
        Some(pixel)
    }
}

impl<'a> Iterator for Pixels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if !self.packets {
            return self.take();
        }
        if self.left == 0 {
            let (head, rest) = self.rest.split_first()?;
            self.rest = rest;
            self.left = (head & 0x7f) + 1;
            self.repeated = if head & 0x80 == 0 { None } else { Some(self.take()?) };
        }
        self.left -= 1;
        self.repeated.or_else(|| self.take())
    }
}
