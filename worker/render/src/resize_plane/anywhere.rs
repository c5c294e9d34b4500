//! Sums of 16 pixels at a time, in words that compilers know how to put into registers.

use super::{HALF, byte, product};

/// Pixels at a time.
const LANES: usize = 16;

/// Appends as much of a row as whole groups of pixels hold; says how many pixels that was.
pub(super) fn push_row(rows: &[u8], width: usize, weights: &[i16], result: &mut Vec<u8>) -> usize {
    let whole = width / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let mut sums = [HALF; LANES];
        for (row, weight) in rows.chunks_exact(width).zip(weights) {
            for (sum, pixel) in sums.iter_mut().zip(&row[at..at + LANES]) {
                *sum = sum.saturating_add(product(*pixel, *weight));
            }
        }
        result.extend(sums.map(byte));
    }
    whole
}
