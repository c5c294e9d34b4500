//! Undoes the differences between neighbours that TIFF writers take to compress better.

use shared::domain::failure::Failure;

use crate::inspect::tiff::TiffPage;
use crate::inspect::unsupported;

/// Restores one row in place. `scratch` is reused between rows.
pub(super) fn undo(page: &TiffPage<'_>, row: &mut [u8], scratch: &mut Vec<u8>) -> Result<(), Failure> {
    let step = if page.planar { 1 } else { page.samples };
    match (page.predictor, page.bits) {
        (1, _) => {}
        (2, 8) => sum_bytes(row, step),
        (2, 16) => sum_words::<2>(row, step, page.bytes.is_little()),
        (2, 32) => sum_words::<4>(row, step, page.bytes.is_little()),
        (2, 64) => sum_words::<8>(row, step, page.bytes.is_little()),
        (3, 16 | 24 | 32 | 64) => floats(row, step, page, scratch),
        (predictor, bits) => return Err(unsupported(format!("TIFF predictor {predictor} with {bits} bits a sample"))),
    }
    Ok(())
}

fn sum_bytes(row: &mut [u8], step: usize) {
    for at in step..row.len() {
        row[at] = row[at].wrapping_add(row[at - step]);
    }
}

/// Sums numbers of `SIZE` bytes, modulo their range.
fn sum_words<const SIZE: usize>(row: &mut [u8], step: usize, little: bool) {
    let words = row.as_chunks_mut::<SIZE>().0;
    let value = |word: &[u8; SIZE]| {
        let join = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        if little { word.iter().rev().fold(0, join) } else { word.iter().fold(0, join) }
    };
    for at in step..words.len() {
        let sum = value(&words[at]).wrapping_add(value(&words[at - step]));
        let bytes = sum.to_le_bytes();
        words[at].copy_from_slice(&bytes[..SIZE]);
        if !little {
            words[at].reverse();
        }
    }
}

/// Adobe's technical note 3: the bytes of a row are sorted by their significance, and are differences.
fn floats(row: &mut [u8], step: usize, page: &TiffPage<'_>, scratch: &mut Vec<u8>) {
    sum_bytes(row, step);
    let size = page.bits as usize / 8;
    let count = row.len() / size;
    scratch.clear();
    scratch.extend_from_slice(row);
    for (index, target) in row.chunks_exact_mut(size).enumerate() {
        for (significance, byte) in target.iter_mut().enumerate() {
            *byte = scratch[significance * count + index];
        }
        if page.bytes.is_little() {
            target.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_over_byte_borders_in_both_orders() {
        let mut little = [0xff, 0x00, 0x01, 0x00];
        sum_words::<2>(&mut little, 1, true);
        assert_eq!(little, [0xff, 0x00, 0x00, 0x01]);
        let mut big = [0x00, 0xff, 0x00, 0x01];
        sum_words::<2>(&mut big, 1, false);
        assert_eq!(big, [0x00, 0xff, 0x01, 0x00]);
    }

    #[test]
    fn samples_of_one_kind_are_summed() {
        let mut row = [10, 20, 1, 2, 1, 2];
        sum_bytes(&mut row, 2);
        assert_eq!(row, [10, 20, 11, 22, 12, 24]);
    }
}
