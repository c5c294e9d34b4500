//! A JPEG's planes by a decoder of our own: for whole files in YCbCr, which nearly all photos are.
//!
//! Anything else, and whatever is damaged, is `None` and left to libjpeg, which has its ways to go on. Nothing here is unsafe but
//! calls of code for a processor that was asked for it.

mod bits;
mod frame;
mod huffman;
mod idct;
mod pairs;
mod progressive;
mod restarts;
mod scans;
mod sequential;
mod strips;

#[cfg(test)]
mod tests;

use shared::domain::dimensions::Dimensions;

use self::idct::Anywhere;
use self::scans::File;
#[cfg(target_arch = "x86_64")]
use crate::processor::Avx2;

/// What is wanted of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The scale, from 1 to 8.
    pub(super) eighths: u8,
    /// How many samples show the picture at this scale: what else there is in the outermost blocks is left out.
    pub(super) size: Dimensions,
}

/// The samples of luma, blue and red chroma, of a file that says it has these dimensions.
pub(super) fn planes(source: &[u8], dimensions: Dimensions, wanted: &[Wanted; 3]) -> Option<[Vec<u8>; 3]> {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::found() {
        #[expect(unsafe_code, reason = "the processor has what this was compiled for")]
        // SAFETY: found just now.
        return unsafe { planes_by_avx2(source, dimensions, wanted, avx2) };
    }
    File::new(source, dimensions)?.planes(Anywhere, wanted)
}

/// All of it once more, for processors that also shift by any number of bits in one instruction.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn planes_by_avx2(source: &[u8], dimensions: Dimensions, wanted: &[Wanted; 3], idct: Avx2) -> Option<[Vec<u8>; 3]> {
    File::new(source, dimensions)?.planes(idct, wanted)
}
