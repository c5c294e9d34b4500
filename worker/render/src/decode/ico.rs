//! The largest picture of an icon: a PNG, or a bitmap with a mask.

use shared::domain::failure::Failure;

use super::{DecodedRaster, Order, enough_rows, png};
use crate::inspect::ico::{self, IcoBitmap, IcoContent};
use crate::raster::Layout;
use crate::shrink::RowShrink;

/// Decodes the largest picture.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    match ico::largest(order.source)?.content {
        IcoContent::Png(source) => png::decode(&Order { source, ..*order }),
        IcoContent::Bitmap(bitmap) => decode_bitmap(&bitmap, order),
    }
}

/// Rows in the order of the file; the mask follows all of them, and may be cut.
fn decode_bitmap(bitmap: &IcoBitmap<'_>, order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let stored = order.header.dimensions;
    let width = stored.width as usize;
    let (stride, mask_stride) = ((width * bitmap.bits).div_ceil(32) * 4, width.div_ceil(32) * 4);
    let (colours, masks) =
        bitmap.pixels.split_at_checked(stride * stored.height as usize).unwrap_or((bitmap.pixels, &[]));
    // With 32 bits, the fourth byte is opacity, unless it says that nothing at all can be seen.
    let alpha = bitmap.bits == 32 && colours.as_chunks::<4>().0.iter().any(|pixel| pixel[3] > 0);
    let mut shrink = RowShrink::<u8>::new(stored, Layout::Rgba, order.least);
    let mut row = Vec::with_capacity(width * 4);
    for (y, line) in colours.chunks_exact(stride).enumerate() {
        let mask = masks.get(y * mask_stride..(y + 1) * mask_stride).filter(|_| !alpha);
        row.clear();
        row.extend((0..width).flat_map(|x| {
            let [red, green, blue, opacity] = pixel(bitmap, line, x);
            let hidden = mask.is_some_and(|mask| mask[x / 8] >> (7 - x % 8) & 1 == 1);
            [
                red,
                green,
                blue,
                if hidden {
                    0
                } else if alpha {
                    opacity
                } else {
                    u8::MAX
                },
            ]
        }));
        shrink.push(&row);
    }
    enough_rows(shrink.rows(), stored.height, None)?;
    let (raster, covered) = shrink.finish(&[0; 4]);
    Ok(DecodedRaster { raster, covered, profile: bitmap.profile.map(<[u8]>::to_vec) })
}

/// Red, green, blue and the fourth byte of one pixel; an index beyond the palette is black.
fn pixel(bitmap: &IcoBitmap<'_>, line: &[u8], x: usize) -> [u8; 4] {
    let bits = bitmap.bits;
    let turned = |[blue, green, red, fourth]: [u8; 4]| [red, green, blue, fourth];
    match bits {
        16 => {
            let packed = u16::from_le_bytes([line[x * 2], line[x * 2 + 1]]);
            let [red, green, blue] = [packed >> 10, packed >> 5, packed].map(|five| ((five & 31) * 255 / 31) as u8);
            [red, green, blue, 0]
        }
        24 => turned([line[x * 3], line[x * 3 + 1], line[x * 3 + 2], 0]),
        32 => turned([line[x * 4], line[x * 4 + 1], line[x * 4 + 2], line[x * 4 + 3]]),
        _ => {
            let index = line[x * bits / 8] >> (8 - bits - x * bits % 8) & (u8::MAX >> (8 - bits));
            turned(bitmap.palette.get(usize::from(index)).copied().unwrap_or_default())
        }
    }
}
