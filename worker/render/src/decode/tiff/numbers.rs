//! From the bytes of a strip or tile to samples of 8 or 16 bits, whatever numbers they were.

use crate::inspect::tiff::{Compression, Numbers, Photometric, TiffPage};
use crate::shrink::Sample;

/// A sample in one of the two depths that the engine works in.
pub(super) trait Number: Sample {
    /// From a part of the whole range.
    fn of_part(part: f64) -> Self;
    /// From 8 bits.
    fn of_byte(byte: u8) -> Self;
    /// From the lowest `bits` bits, scaled to the full range.
    fn of_bits(value: u64, bits: u32) -> Self;
}

impl Number for u8 {
    fn of_part(part: f64) -> Self {
        (part.clamp(0.0, 1.0) * 255.0).round() as Self
    }
    fn of_byte(byte: u8) -> Self {
        byte
    }
    fn of_bits(value: u64, bits: u32) -> Self {
        scaled(value, bits, Self::MOST) as Self
    }
}

impl Number for u16 {
    fn of_part(part: f64) -> Self {
        (part.clamp(0.0, 1.0) * 65_535.0).round() as Self
    }
    fn of_byte(byte: u8) -> Self {
        Self::from(byte) * 257
    }
    fn of_bits(value: u64, bits: u32) -> Self {
        scaled(value, bits, Self::MOST) as Self
    }
}

/// `value` of at most `bits` bits as a part of `most`.
fn scaled(value: u64, bits: u32, most: u64) -> u64 {
    if bits > 32 {
        return scaled(value >> (bits - 32), 32, most);
    }
    let range = (1_u64 << bits) - 1;
    (value.min(range) * most + range / 2) / range
}

/// Whether brightness and its differences are packed in blocks.
fn in_blocks(page: &TiffPage<'_>) -> bool {
    page.photometric == Photometric::YCbCr
        && page.compression != Compression::Jpeg
        && !page.planar
        && page.subsampling != (1, 1)
}

/// Bytes of a row as stored; of a row of blocks, where brightness and differences are packed.
pub(super) fn row_bytes(page: &TiffPage<'_>) -> usize {
    let width = page.chunk.width as usize;
    if in_blocks(page) {
        let (across, down) = (page.subsampling.0 as usize, page.subsampling.1 as usize);
        return width.div_ceil(across) * (across * down + 2);
    }
    let samples = if page.planar { 1 } else { page.samples };
    (width * samples * page.bits as usize).div_ceil(8)
}

/// Rows of a strip or tile as stored.
pub(super) fn stored_rows(page: &TiffPage<'_>) -> usize {
    let rows = if in_blocks(page) { page.chunk.height.div_ceil(page.subsampling.1) } else { page.chunk.height };
    rows as usize
}

/// All samples, interleaved.
pub(super) fn samples<T: Number>(page: &TiffPage<'_>, bytes: &[u8]) -> Vec<T> {
    if in_blocks(page) {
        return blocks(page, bytes).into_iter().map(T::of_byte).collect();
    }
    // By far the most files: nothing to unpack or to scale.
    let plain = page.numbers == Numbers::Unsigned && page.photometric != Photometric::Palette;
    if plain && page.bits == 8 {
        return bytes.iter().copied().map(T::of_byte).collect();
    }
    let per_row = page.chunk.width as usize * if page.planar { 1 } else { page.samples };
    // An index into a palette is not an amount, so it is not scaled.
    let scale = page.photometric != Photometric::Palette;
    let mut samples = Vec::with_capacity(per_row * page.chunk.height as usize);
    for row in bytes.chunks_exact(row_bytes(page)) {
        let values = Values { page, row, at: 0 }.take(per_row);
        match page.numbers {
            Numbers::Float => samples.extend(values.map(|value| T::of_part(float(value, page.bits)))),
            Numbers::Signed => {
                let middle = 1_u64 << (page.bits - 1);
                samples.extend(values.map(|value| T::of_bits(value ^ middle, page.bits)));
            }
            Numbers::Unsigned if scale => samples.extend(values.map(|value| T::of_bits(value, page.bits))),
            Numbers::Unsigned => samples.extend(values.map(|value| T::from_sum(value))),
        }
    }
    samples
}

/// The numbers of a row as they are written.
struct Values<'a> {
    page: &'a TiffPage<'a>,
    row: &'a [u8],
    /// In bits.
    at: usize,
}

impl Iterator for Values<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let bits = self.page.bits as usize;
        let begin = self.at;
        self.at += bits;
        if bits.is_multiple_of(8) {
            let bytes = self.row.get(begin / 8..begin / 8 + bits / 8)?;
            let join = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
            let little = self.page.bytes.is_little();
            return Some(if little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) });
        }
        // Numbers that are not whole bytes are written from the highest bit on, in any byte order.
        (begin..begin + bits).try_fold(0, |sum, at| {
            let bit = (self.row.get(at / 8)? >> (7 - at % 8)) & 1;
            Some((sum << 1) | u64::from(bit))
        })
    }
}

fn float(value: u64, bits: u32) -> f64 {
    match bits {
        16 => half(value as u16),
        32 => f64::from(f32::from_bits(value as u32)),
        64 => f64::from_bits(value),
        _ => 0.0,
    }
}

/// IEEE 754's number of 16 bits.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * 2.0_f64.powi(-14),
        31 => sign * f64::INFINITY,
        _ => sign * (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
    }
}

/// Blocks of brightness that share one pair of differences, as pixels of three samples.
fn blocks(page: &TiffPage<'_>, bytes: &[u8]) -> Vec<u8> {
    let (across, down) = (page.subsampling.0 as usize, page.subsampling.1 as usize);
    let (width, height) = (page.chunk.width as usize, page.chunk.height as usize);
    let mut pixels = vec![0; width * height * 3];
    let unit = across * down + 2;
    for (block_row, row) in bytes.chunks_exact(row_bytes(page)).enumerate() {
        for (block_column, block) in row.chunks_exact(unit).enumerate() {
            for (index, brightness) in block[..across * down].iter().enumerate() {
                let (x, y) = (block_column * across + index % across, block_row * down + index / across);
                if x < width && y < height {
                    let at = (y * width + x) * 3;
                    pixels[at..at + 3].copy_from_slice(&[*brightness, block[unit - 2], block[unit - 1]]);
                }
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_depth_fills_the_whole_range() {
        assert_eq!([u8::of_bits(0, 1), u8::of_bits(1, 1), u8::of_bits(3, 2), u8::of_bits(8, 4)], [0, 255, 255, 136]);
        assert_eq!([u16::of_bits(4095, 12), u16::of_bits(u64::MAX, 64), u16::of_byte(128)], [65_535, 65_535, 32_896]);
    }

    #[test]
    fn halves_are_read_by_the_standard() {
        assert_eq!([half(0x3c00), half(0x3800), half(0xc000), half(0x0001)], [1.0, 0.5, -2.0, 2.0_f64.powi(-24)]);
    }
}
