//! Transforms by AVX2: sums of two products are one instruction, for eight columns or rows at a time.

use std::arch::x86_64::{
    __m256i, _mm_shuffle_epi8, _mm_unpacklo_epi32, _mm256_add_epi32, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_mullo_epi16, _mm256_packs_epi16,
    _mm256_packs_epi32, _mm256_permute2x128_si256, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_shuffle_epi8,
    _mm256_shuffle_ps, _mm256_srai_epi32, _mm256_sub_epi32, _mm256_unpackhi_epi32, _mm256_unpacklo_epi32,
    _mm256_xor_si256,
};

use bytemuck::cast;

use super::super::frame::Block;
use super::{Idct, MIDDLE, PASS_BITS, SCALE_BITS, flat, matrix, picked};
use crate::processor::Avx2;

impl Idct for Avx2 {
    #[inline(always)]
    fn inverse(self, side: usize, block: &Block, factors: &Block, samples: &mut [u8], stride: usize) {
        #[expect(unsafe_code, reason = "the processor has what this was compiled for")]
        // SAFETY: there is no `Avx2` where it was not found.
        unsafe {
            match side {
                1 => samples[0] = flat(block[0], factors[0]),
                2 => put::<2, 4>(&up_to_four::<2>(block, factors), samples, stride),
                3 => put::<3, 4>(&up_to_four::<3>(block, factors), samples, stride),
                4 => put::<4, 4>(&up_to_four::<4>(block, factors), samples, stride),
                5 => put::<5, 8>(&up_to_eight::<5>(block, factors), samples, stride),
                6 => put::<6, 8>(&up_to_eight::<6>(block, factors), samples, stride),
                7 => put::<7, 8>(&up_to_eight::<7>(block, factors), samples, stride),
                _ => put::<8, 8>(&up_to_eight::<8>(block, factors), samples, stride),
            }
        }
    }
}

/// Writes the first samples of the first rows, of rows with `WIDE` samples.
#[inline(always)]
fn put<const SIDE: usize, const WIDE: usize>(rows: &[[u8; WIDE]; WIDE], samples: &mut [u8], stride: usize) {
    let all = &mut samples[..(SIDE - 1) * stride + SIDE];
    for (row, samples) in rows.iter().zip(all.chunks_mut(stride)) {
        samples[..SIDE].copy_from_slice(&row[..SIDE]);
    }
}

/// The coefficients of frequencies.
#[target_feature(enable = "avx2")]
#[inline]
fn multiplied(block: &Block, factors: &Block) -> [__m256i; 4] {
    let (mut block, factors): ([__m256i; 4], [__m256i; 4]) = (cast(*block), cast(*factors));
    for (coefficients, factors) in block.iter_mut().zip(factors) {
        *coefficients = _mm256_mullo_epi16(*coefficients, factors);
    }
    block
}

/// What a pair of frequencies counts, for each of eight lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn pair([first, second]: [i16; 2]) -> __m256i {
    _mm256_set1_epi32(i32::from(first) & 0xffff | i32::from(second) << 16)
}

/// Those of one half: frequencies 0, 2, 4, 6, or 1, 3, 5, 7.
#[target_feature(enable = "avx2")]
#[inline]
fn half(low: __m256i, high: __m256i, [first, second, third, fourth]: [i16; 4]) -> __m256i {
    let low = _mm256_madd_epi16(low, pair([first, second]));
    if third == 0 && fourth == 0 {
        return low;
    }
    _mm256_add_epi32(low, _mm256_madd_epi16(high, pair([third, fourth])))
}

/// Eight lines of the eight frequencies, which come in pairs: 0 and 2, 4 and 6, 1 and 3, 5 and 7.
#[target_feature(enable = "avx2")]
#[inline]
fn pass<const SIDE: usize, const SHIFT: i32>([low_even, high_even, low_odd, high_odd]: [__m256i; 4]) -> [__m256i; 8] {
    let matrix = const { matrix(SIDE) };
    let rounding = _mm256_set1_epi32(1 << SHIFT >> 1);
    let mut lines = [rounding; 8];
    for index in 0..SIDE.div_ceil(2) {
        let even = _mm256_add_epi32(half(low_even, high_even, matrix.even[index]), rounding);
        let odd = half(low_odd, high_odd, matrix.odd[index]);
        lines[index] = _mm256_srai_epi32::<SHIFT>(_mm256_add_epi32(even, odd));
        lines[7 - index] = _mm256_srai_epi32::<SHIFT>(_mm256_sub_epi32(even, odd));
    }
    lines
}

const FIRST_SHIFT: i32 = (matrix(8).bits - PASS_BITS).cast_signed();
const SECOND_SHIFT: i32 = (matrix(8).bits + PASS_BITS + SCALE_BITS).cast_signed();

/// The rows of a block, in the first places of eight.
#[target_feature(enable = "avx2")]
#[inline]
fn up_to_eight<const SIDE: usize>(block: &Block, factors: &Block) -> [[u8; 8]; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = pass::<SIDE, FIRST_SHIFT>(multiplied(block, factors));
    let [a, b] = crossed(r0, r1, r2, r3);
    let [c, d] = crossed(r4, r5, r6, r7);
    let columns = pass::<SIDE, SECOND_SHIFT>([
        _mm256_permute2x128_si256::<0x20>(a, c),
        _mm256_permute2x128_si256::<0x20>(b, d),
        _mm256_permute2x128_si256::<0x31>(a, c),
        _mm256_permute2x128_si256::<0x31>(b, d),
    ]);
    let [c0, c1, c2, c3, c4, c5, c6, c7] = columns;
    let (left, right) = (four_columns(c0, c1, c2, c3), four_columns(c4, c5, c6, c7));
    let [r0, r1, r4, r5]: [[u8; 8]; 4] = cast(in_places::<SIDE>(_mm256_unpacklo_epi32(left, right)));
    let [r2, r3, r6, r7]: [[u8; 8]; 4] = cast(in_places::<SIDE>(_mm256_unpackhi_epi32(left, right)));
    let rows = [r0, r1, r2, r3, r4, r5, r6, r7];
    const { picked(SIDE) }.map(|row| rows[row])
}

/// Brings those samples of each row that count to its first places.
#[target_feature(enable = "avx2")]
#[inline]
fn in_places<const SIDE: usize>(rows: __m256i) -> __m256i {
    if SIDE == 8 {
        return rows;
    }
    let places = const {
        let (picked, mut places) = (picked(SIDE), [0; 32]);
        let mut at = 0;
        while at < places.len() {
            places[at] = (at / 8 % 2 * 8 + picked[at % 8]) as u8;
            at += 1;
        }
        places
    };
    _mm256_shuffle_epi8(rows, cast(places))
}

/// Of four rows, whose lanes are columns 0, 2, 4, 6 and 1, 3, 5, 7: their pairs of columns 0 and 2, and, in the upper half, 1 and 3; then those
/// of 4 and 6, and of 5 and 7.
#[target_feature(enable = "avx2")]
#[inline]
fn crossed(r0: __m256i, r1: __m256i, r2: __m256i, r3: __m256i) -> [__m256i; 2] {
    let upper = _mm256_castsi256_ps(_mm256_packs_epi32(r0, r1));
    let lower = _mm256_castsi256_ps(_mm256_packs_epi32(r2, r3));
    [
        _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(upper, lower)),
        _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(upper, lower)),
    ]
}

/// Bytes of four columns, four rows in either half, row by row.
#[target_feature(enable = "avx2")]
#[inline]
fn four_columns(c0: __m256i, c1: __m256i, c2: __m256i, c3: __m256i) -> __m256i {
    const COLUMNS_TO_ROWS: [u8; 32] = {
        let mut places = [0; 32];
        let mut at = 0;
        while at < places.len() {
            places[at] = (at % 4 * 4 + at / 4 % 4) as u8;
            at += 1;
        }
        places
    };
    let columns = _mm256_packs_epi16(_mm256_packs_epi32(c0, c1), _mm256_packs_epi32(c2, c3));
    let rows = _mm256_shuffle_epi8(columns, cast(COLUMNS_TO_ROWS));
    _mm256_xor_si256(rows, _mm256_set1_epi8(MIDDLE as u8 as i8))
}

/// What a pair of frequencies counts: even ones in the lower four lanes, odd ones in the upper four.
const fn both([even0, even1]: [i16; 2], [odd0, odd1]: [i16; 2]) -> [[i16; 2]; 8] {
    let (even, odd) = ([even0, even1], [odd0, odd1]);
    [even, even, even, even, odd, odd, odd, odd]
}

/// The rows of a smaller block, in the first places of four.
#[target_feature(enable = "avx2")]
#[inline]
fn up_to_four<const SIDE: usize>(block: &Block, factors: &Block) -> [[u8; 4]; 4] {
    let matrix = const { matrix(SIDE) };
    let ([even0, even1, ..], [odd0, odd1, ..]) = (matrix.even, matrix.odd);
    let [low_even, high_even, low_odd, high_odd]: [__m256i; 4] = multiplied(block, factors);

    let rounding = _mm256_set1_epi32(1 << (matrix.bits - PASS_BITS) >> 1);
    let first = _mm256_add_epi32(half(low_even, high_even, even0), rounding);
    let second = _mm256_add_epi32(half(low_even, high_even, even1), rounding);
    let (first_odd, second_odd) = (half(low_odd, high_odd, odd0), half(low_odd, high_odd, odd1));
    let done = |sum| match SIDE {
        3 => _mm256_srai_epi32::<{ (matrix_shift(3)).cast_signed() }>(sum),
        _ => _mm256_srai_epi32::<{ (matrix_shift(4)).cast_signed() }>(sum),
    };
    let [low, high] = crossed(
        done(_mm256_add_epi32(first, first_odd)),
        done(_mm256_add_epi32(second, second_odd)),
        done(_mm256_sub_epi32(second, second_odd)),
        done(_mm256_sub_epi32(first, first_odd)),
    );

    // For each of four rows what even frequencies come to, and then what odd ones do.
    let column = |even: [i16; 4], odd: [i16; 4]| {
        let sum = _mm256_madd_epi16(low, cast(both([even[0], even[1]], [odd[0], odd[1]])));
        if SIDE == 3 {
            return sum;
        }
        _mm256_add_epi32(sum, _mm256_madd_epi16(high, cast(both([even[2], even[3]], [odd[2], odd[3]]))))
    };
    let (outer, inner) = (column(even0, odd0), column(even1, odd1));
    let rounding = _mm256_set1_epi32(1 << (matrix.bits + PASS_BITS + SCALE_BITS) >> 1);
    let even = _mm256_add_epi32(_mm256_permute2x128_si256::<0x20>(outer, inner), rounding);
    let odd = _mm256_permute2x128_si256::<0x31>(outer, inner);
    let done = |sum| match SIDE {
        3 => _mm256_srai_epi32::<{ (matrix_shift(3) + 2 * PASS_BITS + SCALE_BITS).cast_signed() }>(sum),
        _ => _mm256_srai_epi32::<{ (matrix_shift(4) + 2 * PASS_BITS + SCALE_BITS).cast_signed() }>(sum),
    };
    // Columns 0 and 3 in the lower half, 1 and 2 in the upper one.
    let columns = _mm256_packs_epi32(done(_mm256_add_epi32(even, odd)), done(_mm256_sub_epi32(even, odd)));
    let columns = _mm256_xor_si256(_mm256_packs_epi16(columns, columns), _mm256_set1_epi8(MIDDLE as u8 as i8));
    let columns = _mm_unpacklo_epi32(_mm256_castsi256_si128(columns), _mm256_extracti128_si256::<1>(columns));
    cast(_mm_shuffle_epi8(columns, cast(const { rows_of::<SIDE>() })))
}

const fn matrix_shift(side: usize) -> u32 {
    matrix(side).bits - PASS_BITS
}

/// Where the samples of the rows are among those of columns 0, 1, 3, 2.
const fn rows_of<const SIDE: usize>() -> [u8; 16] {
    const ORDER: [usize; 4] = [0, 1, 3, 2];
    let picked = picked(SIDE);
    let mut places = [0; 16];
    let mut at = 0;
    while at < places.len() {
        let (row, column) = (at / 4, at % 4);
        if row < SIDE && column < SIDE {
            places[at] = (ORDER[picked[column]] * 4 + picked[row]) as u8;
        }
        at += 1;
    }
    places
}
