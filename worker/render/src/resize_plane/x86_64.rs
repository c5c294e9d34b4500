//! Sums of 64 pixels at a time, or 32, by AVX2.

use std::arch::x86_64::{
    __m256i, _mm256_adds_epi16, _mm256_mulhrs_epi16, _mm256_packs_epi16, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_setzero_si256, _mm256_srai_epi16, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8, _mm256_xor_si256,
};

use bytemuck::cast;

use super::{FRACTION, HALF, MIDDLE};

/// Pixels in a register.
const LANES: usize = 32;

/// Appends as much of a row as whole registers hold, which is all of it unless it is short; says how many pixels.
pub(super) fn push_row(rows: &[u8], width: usize, weights: &[i16], result: &mut Vec<u8>) -> usize {
    if width < LANES || !std::arch::is_x86_feature_detected!("avx2") {
        return 0;
    }
    #[expect(unsafe_code, reason = "the processor has what this was compiled for")]
    // SAFETY: asked just now.
    unsafe {
        push_row_avx2(rows, width, weights, result);
    }
    width
}

#[target_feature(enable = "avx2")]
fn push_row_avx2(rows: &[u8], width: usize, weights: &[i16], result: &mut Vec<u8>) {
    let mut at = 0;
    while at + 2 * LANES <= width {
        summed::<2>(rows, width, at, weights).iter().for_each(|pixels| result.extend_from_slice(pixels));
        at += 2 * LANES;
    }
    while at < width {
        // The last ones once more, where they do not fill a register.
        let from = at.min(width - LANES);
        let [pixels] = summed::<1>(rows, width, from, weights);
        result.extend_from_slice(&pixels[at - from..]);
        at = from + LANES;
    }
}

#[target_feature(enable = "avx2")]
fn summed<const REGISTERS: usize>(rows: &[u8], width: usize, at: usize, weights: &[i16]) -> [[u8; LANES]; REGISTERS] {
    let middle = _mm256_set1_epi8(MIDDLE.cast_signed());
    // Of each register of pixels, those that `unpacklo` takes, and those that `unpackhi` takes.
    let mut sums = [[_mm256_set1_epi16(HALF); 2]; REGISTERS];
    for (row, weight) in rows.chunks_exact(width).zip(weights) {
        let weight = _mm256_set1_epi16(*weight);
        // As many as there are sums, so that these stay in registers.
        let Some(pixels) = row[at..].as_chunks::<LANES>().0.first_chunk::<REGISTERS>() else { break };
        for ([low, high], pixels) in sums.iter_mut().zip(pixels) {
            let distances = _mm256_xor_si256(cast(*pixels), middle);
            // A byte above a zero byte is 256 times as much.
            let zero = _mm256_setzero_si256();
            *low = with(*low, _mm256_unpacklo_epi8(zero, distances), weight);
            *high = with(*high, _mm256_unpackhi_epi8(zero, distances), weight);
        }
    }
    sums.map(|[low, high]| {
        let whole = |sums| _mm256_srai_epi16::<{ FRACTION.cast_signed() }>(sums);
        cast(_mm256_xor_si256(_mm256_packs_epi16(whole(low), whole(high)), middle))
    })
}

#[target_feature(enable = "avx2")]
fn with(sums: __m256i, distances: __m256i, weight: __m256i) -> __m256i {
    _mm256_adds_epi16(sums, _mm256_mulhrs_epi16(distances, weight))
}
