//! Transforms in plain numbers, eight columns or rows side by side, which compilers know how to put into registers.

use super::super::frame::{Block, place};
use super::{Idct, MIDDLE, Matrix, PASS_BITS, SCALE_BITS, flat, matrix, picked, places};
use crate::jpeg::BLOCK;

/// On any processor.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Anywhere;

impl Idct for Anywhere {
    fn inverse(self, side: usize, block: &Block, factors: &Block, samples: &mut [u8], stride: usize) {
        match side {
            1 => samples[0] = flat(block[0], factors[0]),
            2 => inverse::<2>(block, factors, samples, stride),
            3 => inverse::<3>(block, factors, samples, stride),
            4 => inverse::<4>(block, factors, samples, stride),
            5 => inverse::<5>(block, factors, samples, stride),
            6 => inverse::<6>(block, factors, samples, stride),
            7 => inverse::<7>(block, factors, samples, stride),
            _ => inverse::<8>(block, factors, samples, stride),
        }
    }
}

fn inverse<const SIDE: usize>(block: &Block, factors: &Block, samples: &mut [u8], stride: usize) {
    let matrix = const { matrix(SIDE) };
    let coefficient = |at: usize| i32::from(block[at].wrapping_mul(factors[at]));
    let rows: [[i32; BLOCK]; BLOCK] =
        std::array::from_fn(|row| std::array::from_fn(|column| coefficient(place(row, column))));
    // Rows of columns, then columns of rows.
    let columns = transposed(pass::<SIDE>(&rows, &matrix, matrix.bits - PASS_BITS));
    let done = pass::<SIDE>(&columns, &matrix, matrix.bits + PASS_BITS + SCALE_BITS);
    for (row, samples) in samples.chunks_mut(stride).take(SIDE).enumerate() {
        for (sample, column) in samples[..SIDE].iter_mut().zip(&done) {
            *sample = (column[row] + MIDDLE).clamp(0, 255) as u8;
        }
    }
}

/// Every sample's line from those of the frequencies.
fn pass<const SIDE: usize>(lines: &[[i32; BLOCK]; BLOCK], matrix: &Matrix, shift: u32) -> [[i32; BLOCK]; BLOCK] {
    let places = places(SIDE);
    let mut done = [[0; BLOCK]; BLOCK];
    for (index, line) in const { picked(SIDE) }.into_iter().take(SIDE).zip(&mut done) {
        let mirrored = index >= places / 2;
        let half = if mirrored { places - 1 - index } else { index };
        let (even, odd) = (matrix.even[half], matrix.odd[half]);
        for (lane, value) in line.iter_mut().enumerate() {
            let sum = |factors: [i16; 4], first: usize| -> i32 {
                (0..4)
                    .map(|at| i32::from(factors[at]).wrapping_mul(lines[first + at * 2][lane]))
                    .fold(0, i32::wrapping_add)
            };
            let (even, odd) = (sum(even, 0), sum(odd, 1));
            let both = if mirrored { even.wrapping_sub(odd) } else { even.wrapping_add(odd) };
            *value = both.wrapping_add(1 << shift >> 1) >> shift;
        }
    }
    done
}

/// Rows for columns, as narrow as vector registers have them.
fn transposed(rows: [[i32; BLOCK]; BLOCK]) -> [[i32; BLOCK]; BLOCK] {
    let narrow = |value: i32| value.clamp(i16::MIN.into(), i16::MAX.into());
    std::array::from_fn(|column| std::array::from_fn(|row| narrow(rows[row][column])))
}
