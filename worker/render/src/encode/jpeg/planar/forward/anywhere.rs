//! The transform in plain numbers, eight rows or columns side by side, which compilers know how to put into registers.

use super::{Coefficients, Forward, MIDDLE, Rows, SHIFTS};
use crate::encode::jpeg::planar::quantiser::Quantiser;
use crate::jpeg::{BLOCK, COEFFICIENTS, EVEN_COSINES, ODD_COSINES, ZIGZAG};

/// On any processor.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Anywhere;

impl Forward for Anywhere {
    fn forward(self, samples: &Rows<'_>, quantiser: &Quantiser) -> Coefficients {
        let rows = samples.map(|row| row.map(|sample| i32::from(sample) - i32::from(MIDDLE)));
        let frequencies = pass(&transposed(&rows), SHIFTS[0]);
        let done = pass(&transposed(&frequencies), SHIFTS[1]);
        let mut coefficients = Coefficients { values: [0; COEFFICIENTS], present: 0 };
        for (at, (value, coefficient)) in coefficients.values.iter_mut().zip(done.as_flattened()).enumerate() {
            *value = quantiser.divided(at, *coefficient as i16);
        }
        for (index, place) in ZIGZAG.iter().enumerate() {
            coefficients.present |= u64::from(coefficients.values[usize::from(*place)] != 0) << index;
        }
        coefficients
    }
}

/// Every frequency's line from those of the samples.
fn pass(lines: &[[i32; BLOCK]; BLOCK], shift: u32) -> [[i32; BLOCK]; BLOCK] {
    let mut done = [[0; BLOCK]; BLOCK];
    for (frequency, done) in done.iter_mut().enumerate() {
        let (cosines, sign) = if frequency % 2 == 0 { (&EVEN_COSINES, 1) } else { (&ODD_COSINES, -1) };
        for (lane, sum) in done.iter_mut().enumerate() {
            *sum = (0..BLOCK / 2)
                .map(|at| {
                    let both = lines[at][lane] + sign * lines[BLOCK - 1 - at][lane];
                    i32::from(cosines[at][frequency / 2]) * both
                })
                .sum();
            *sum = (*sum + (1 << shift >> 1)) >> shift;
        }
    }
    done
}

fn transposed(rows: &[[i32; BLOCK]; BLOCK]) -> [[i32; BLOCK]; BLOCK] {
    let mut columns = [[0; BLOCK]; BLOCK];
    for (at, row) in rows.iter().enumerate() {
        columns.iter_mut().zip(row).for_each(|(column, value)| column[at] = *value);
    }
    columns
}
