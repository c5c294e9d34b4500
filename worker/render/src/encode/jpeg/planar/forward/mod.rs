//! Forward cosine transforms, and what is left of their coefficients when these have been divided.

mod anywhere;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub(super) use self::anywhere::Anywhere;
use super::quantiser::Quantiser;
use crate::jpeg::{BLOCK, COEFFICIENTS, COSINE_BITS};

/// Bits that the first of two passes leaves behind the point.
const PASS_BITS: u32 = 2;
/// By how many bits the sums of either pass are cut.
const SHIFTS: [u32; 2] = [COSINE_BITS - PASS_BITS, COSINE_BITS + PASS_BITS];
/// What zero stands for.
const MIDDLE: i16 = 128;

/// A block of divided coefficients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coefficients {
    /// Row by row.
    pub(super) values: [i16; COEFFICIENTS],
    /// Which are not zero, in the order of a file from the lowest bit on.
    pub(super) present: u64,
}

/// The samples of a block, wherever its rows are.
pub(super) type Rows<'s> = [&'s [u8; BLOCK]; BLOCK];

/// Makes coefficients of samples.
pub(super) trait Forward: Copy {
    /// Of a block.
    fn forward(self, samples: &Rows<'_>, quantiser: &Quantiser) -> Coefficients;
}
