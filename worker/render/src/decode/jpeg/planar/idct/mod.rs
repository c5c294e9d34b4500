//! Inverse cosine transforms to any number of samples each way from 8 to 1.
//!
//! All are products with a matrix, of which one half mirrors the other: even frequencies count alike in both halves, odd ones with
//! the opposite sign. To 4, 2 and 1 samples these are the transform of 8 points, of which neighbours are averaged; to other
//! numbers, the transform of that many points, for which the higher frequencies do not count. libjpeg has it so, too.
//!
//! Coefficients that no picture has, beyond 16 bits when multiplied, come to other samples here and there.

mod anywhere;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub(super) use self::anywhere::Anywhere;
use super::frame::Block;
use crate::jpeg::{COSINE_BITS, EVEN_COSINES, ODD_COSINES};

/// Makes samples of coefficients.
pub(super) trait Idct: Copy {
    /// Writes a block of `side` samples each way where `samples` begins, whose rows are `stride` apart. Its coefficients are to be multiplied
    /// by `factors`.
    fn inverse(self, side: usize, block: &Block, factors: &Block, samples: &mut [u8], stride: usize);
}

/// Bits that the first of two passes leaves behind the point.
const PASS_BITS: u32 = 2;
/// Bits by which a transform of both directions is too large.
const SCALE_BITS: u32 = 3;
/// What zero stands for.
const MIDDLE: i32 = 128;

/// Half of the matrix for samples from one side to the middle: what each frequency counts.
#[derive(Debug)]
struct Matrix {
    /// Bits behind the point.
    bits: u32,
    /// Frequencies 0, 2, 4, 6.
    even: [[i16; 4]; 4],
    /// Frequencies 1, 3, 5, 7.
    odd: [[i16; 4]; 4],
}

/// The matrix for this many samples, at least 2. There are as many places as [`places`] says, of which [`picked`] ones count.
const fn matrix(side: usize) -> Matrix {
    const NONE: [i16; 4] = [0; 4];
    match side {
        8 => Matrix { bits: COSINE_BITS, even: EVEN_COSINES, odd: ODD_COSINES },
        7 => Matrix {
            bits: 13,
            even: [
                [8192, 10438, 7223, 2578],
                [8192, 2578, -10438, -7223],
                [8192, -7223, -2578, 10438],
                [8192, -11585, 11585, -11585],
            ],
            odd: [[11295, 9058, 5027, 0], [9058, -5027, -11295, 0], [5027, -11295, 9058, 0], NONE],
        },
        6 => Matrix {
            bits: 13,
            even: [[8192, 10033, 5793, 0], [8192, 0, -11585, 0], [8192, -10033, 5793, 0], NONE],
            odd: [[11190, 8192, 2998, 0], [8192, -8192, -8192, 0], [2998, -8192, 11190, 0], NONE],
        },
        5 => Matrix {
            bits: 13,
            even: [[8192, 9373, 3580, 0], [8192, -3580, -9373, 0], [8192, -11585, 11585, 0], NONE],
            odd: [[11018, 6810, 0, 0], [6810, -11018, 0, 0], NONE, NONE],
        },
        4 => Matrix {
            bits: 14,
            even: [[16384, 15137, 0, -6270], [16384, -15137, 0, 6270], NONE, NONE],
            odd: [[20995, 7373, -4926, -4176], [8697, -17799, 11893, -1730], NONE, NONE],
        },
        3 => Matrix {
            bits: 13,
            even: [[8192, 5793, 0, 0], [8192, -11586, 0, 0], NONE, NONE],
            odd: [[10033, 0, 0, 0], NONE, NONE, NONE],
        },
        _ => Matrix {
            bits: 14,
            even: [[16384, 0, 0, 0], NONE, NONE, NONE],
            odd: [[14846, -5213, 3484, -2953], NONE, NONE, NONE],
        },
    }
}

/// Places of a matrix for this many samples.
const fn places(side: usize) -> usize {
    if side > 4 { 8 } else { 4 }
}

/// Where the samples of a side are among the places of its matrix: one half counts from the front, the other from the back.
const fn picked(side: usize) -> [usize; 8] {
    let places = places(side);
    let mut picked = [0; 8];
    let mut index = 0;
    while index < side {
        picked[index] = if index < side.div_ceil(2) { index } else { places - side + index };
        index += 1;
    }
    picked
}

/// The sample that all are of a block that has only its first coefficient, to be multiplied by `factor`.
#[inline(always)]
pub(super) fn flat(first: i16, factor: i16) -> u8 {
    let first = i32::from(first.wrapping_mul(factor));
    (((first + (1 << SCALE_BITS >> 1)) >> SCALE_BITS) + MIDDLE).clamp(0, 255) as u8
}

/// Fills a block of `side` samples each way with one value.
#[inline(always)]
pub(super) fn fill(value: u8, side: usize, samples: &mut [u8], stride: usize) {
    // One by one, as the compiler writes so few samples at once only when it knows how many there are.
    match side {
        1 => samples[0] = value,
        2 => fill_side::<2>(value, samples, stride),
        3 => fill_side::<3>(value, samples, stride),
        4 => fill_side::<4>(value, samples, stride),
        5 => fill_side::<5>(value, samples, stride),
        6 => fill_side::<6>(value, samples, stride),
        7 => fill_side::<7>(value, samples, stride),
        _ => fill_side::<8>(value, samples, stride),
    }
}

#[inline(always)]
fn fill_side<const SIDE: usize>(value: u8, samples: &mut [u8], stride: usize) {
    let all = &mut samples[..(SIDE - 1) * stride + SIDE];
    all.chunks_mut(stride).for_each(|row| row[..SIDE].copy_from_slice(&[value; SIDE]));
}
