//! The transform by AVX2: sums of two products are one instruction, for eight rows or columns at a time.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_cvtsi64_si128, _mm_unpackhi_epi16, _mm_unpackhi_epi32, _mm_unpackhi_epi64,
    _mm_unpacklo_epi8, _mm_unpacklo_epi16, _mm_unpacklo_epi32, _mm_unpacklo_epi64, _mm256_add_epi16, _mm256_add_epi32,
    _mm256_cmpeq_epi16, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16, _mm256_cvtps_epi32, _mm256_madd_epi16,
    _mm256_movemask_epi8, _mm256_mul_ps, _mm256_packs_epi16, _mm256_packs_epi32, _mm256_permute2x128_si256,
    _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_srai_epi32,
    _mm256_sub_epi16, _mm256_unpackhi_epi16, _mm256_unpackhi_epi64, _mm256_unpacklo_epi16, _mm256_unpacklo_epi64,
};

use bytemuck::cast;

use super::{Coefficients, Forward, MIDDLE, Rows, SHIFTS};
use crate::encode::jpeg::planar::quantiser::Quantiser;
use crate::jpeg::{BLOCK, COEFFICIENTS, EVEN_COSINES, ODD_COSINES, ZIGZAG};
use crate::processor::Avx2;

impl Forward for Avx2 {
    #[inline(always)]
    fn forward(self, samples: &Rows<'_>, quantiser: &Quantiser) -> Coefficients {
        #[expect(unsafe_code, reason = "the processor has what this was compiled for")]
        // SAFETY: there is no `Avx2` where it was not found.
        unsafe {
            forward(samples, quantiser)
        }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn forward(samples: &Rows<'_>, quantiser: &Quantiser) -> Coefficients {
    let rows = pass::<{ SHIFTS[0].cast_signed() }>(columns(samples));
    let mut rows = pass::<{ SHIFTS[1].cast_signed() }>(crossed(rows));
    let reciprocals: [__m256; BLOCK] = cast(quantiser.reciprocals);
    for (row, reciprocals) in rows.iter_mut().zip(reciprocals) {
        *row = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(*row), reciprocals));
    }
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let values = [rows_of(r0, r1), rows_of(r2, r3), rows_of(r4, r5), rows_of(r6, r7)];
    Coefficients { present: present(values), values: cast(values) }
}

/// Columns of samples less their middle: 0 and 4, 1 and 5, 2 and 6, 3 and 7.
#[target_feature(enable = "avx2")]
#[inline]
fn columns(samples: &Rows<'_>) -> [__m256i; 4] {
    // One by one: what takes closures (such as `map` of arrays) is not always compiled for the same processor.
    let [r0, r1, r2, r3, r4, r5, r6, r7] = samples;
    // Each sample of the first row beside the same of the second.
    let both = |first: &[u8; BLOCK], second: &[u8; BLOCK]| {
        let alone = |row: &[u8; BLOCK]| _mm_cvtsi64_si128(i64::from_le_bytes(*row));
        _mm_unpacklo_epi8(alone(first), alone(second))
    };
    let (a, b, c, d) = (both(r0, r1), both(r2, r3), both(r4, r5), both(r6, r7));
    let (left_top, right_top) = (_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b));
    let (left_bottom, right_bottom) = (_mm_unpacklo_epi16(c, d), _mm_unpackhi_epi16(c, d));
    let (c01, c23) = (_mm_unpacklo_epi32(left_top, left_bottom), _mm_unpackhi_epi32(left_top, left_bottom));
    let (c45, c67) = (_mm_unpacklo_epi32(right_top, right_bottom), _mm_unpackhi_epi32(right_top, right_bottom));
    let wide = |columns: __m128i| _mm256_sub_epi16(_mm256_cvtepu8_epi16(columns), _mm256_set1_epi16(MIDDLE));
    [
        wide(_mm_unpacklo_epi64(c01, c45)),
        wide(_mm_unpackhi_epi64(c01, c45)),
        wide(_mm_unpacklo_epi64(c23, c67)),
        wide(_mm_unpackhi_epi64(c23, c67)),
    ]
}

/// What a pair of samples counts, for each of eight lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn pair(first: i16, second: i16) -> __m256i {
    _mm256_set1_epi32(i32::from(first) & 0xffff | i32::from(second) << 16)
}

/// What samples 0 to 3 count, for each of four frequencies.
const EVEN: [[i16; 4]; 4] = by_frequency(EVEN_COSINES);
const ODD: [[i16; 4]; 4] = by_frequency(ODD_COSINES);

const fn by_frequency(cosines: [[i16; 4]; 4]) -> [[i16; 4]; 4] {
    let mut turned = [[0; 4]; 4];
    let mut at = 0;
    while at < 16 {
        turned[at / 4][at % 4] = cosines[at % 4][at / 4];
        at += 1;
    }
    turned
}

/// Eight frequencies of lines of samples: 0 and 4, 1 and 5, 2 and 6, 3 and 7.
#[target_feature(enable = "avx2")]
#[inline]
fn pass<const SHIFT: i32>([l04, l15, l26, l37]: [__m256i; 4]) -> [__m256i; 8] {
    let swapped = |lines: __m256i| _mm256_permute2x128_si256::<1>(lines, lines);
    let (l73, l62) = (swapped(l37), swapped(l26));
    // Sums of samples 0 and 7, 3 and 4; of 1 and 6, 2 and 5. Of differences, the second ones are the wrong way round.
    let even = [_mm256_add_epi16(l04, l73), _mm256_add_epi16(l15, l62)];
    let odd = [_mm256_sub_epi16(l04, l73), _mm256_sub_epi16(l15, l62)];
    let pairs = |[outer, inner]: [__m256i; 2]| {
        let (left, right) = (_mm256_unpacklo_epi16(outer, inner), _mm256_unpackhi_epi16(outer, inner));
        [_mm256_permute2x128_si256::<0x20>(left, right), _mm256_permute2x128_si256::<0x31>(left, right)]
    };
    let ([even01, even32], [odd01, odd32]) = (pairs(even), pairs(odd));
    let rounding = _mm256_set1_epi32(1 << SHIFT >> 1);
    let mut done = [rounding; 8];
    for at in 0..BLOCK / 2 {
        let (e, o) = (EVEN[at], ODD[at]);
        let even =
            _mm256_add_epi32(_mm256_madd_epi16(even01, pair(e[0], e[1])), _mm256_madd_epi16(even32, pair(e[3], e[2])));
        let odd =
            _mm256_add_epi32(_mm256_madd_epi16(odd01, pair(o[0], o[1])), _mm256_madd_epi16(odd32, pair(-o[3], -o[2])));
        done[at * 2] = _mm256_srai_epi32::<SHIFT>(_mm256_add_epi32(even, rounding));
        done[at * 2 + 1] = _mm256_srai_epi32::<SHIFT>(_mm256_add_epi32(odd, rounding));
    }
    done
}

/// Rows for columns: of eight columns with a row in each lane, rows 0 and 4, 1 and 5, 2 and 6, 3 and 7.
#[target_feature(enable = "avx2")]
#[inline]
fn crossed([c0, c1, c2, c3, c4, c5, c6, c7]: [__m256i; 8]) -> [__m256i; 4] {
    // Four columns of two rows: in the lower half of rows 0 and 1, or 2 and 3; in the upper one of 4 and 5, or 6 and 7.
    let four = |a: __m256i, b: __m256i, c: __m256i, d: __m256i| {
        let (ab, cd) = (_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        let (ac, bd) = (_mm256_unpacklo_epi16(ab, cd), _mm256_unpackhi_epi16(ab, cd));
        (_mm256_unpacklo_epi16(ac, bd), _mm256_unpackhi_epi16(ac, bd))
    };
    let ((left01, left23), (right01, right23)) = (four(c0, c1, c2, c3), four(c4, c5, c6, c7));
    [
        _mm256_unpacklo_epi64(left01, right01),
        _mm256_unpackhi_epi64(left01, right01),
        _mm256_unpacklo_epi64(left23, right23),
        _mm256_unpackhi_epi64(left23, right23),
    ]
}

/// Two rows of 32 bits as two of 16 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn rows_of(first: __m256i, second: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(first, second))
}

/// Where the columns of a row that are not zero are in the order of a file, for each row.
static IN_ORDER: [[u64; 256]; BLOCK] = {
    let mut places = [[0; 256]; BLOCK];
    let mut index = 0;
    while index < COEFFICIENTS {
        let (row, column) = (ZIGZAG[index] as usize / BLOCK, ZIGZAG[index] as usize % BLOCK);
        let mut columns = 0;
        while columns < 256 {
            if columns >> column & 1 == 1 {
                places[row][columns] |= 1 << index;
            }
            columns += 1;
        }
        index += 1;
    }
    places
};

/// Which values are not zero, in the order of a file.
#[target_feature(enable = "avx2")]
#[inline]
fn present([r01, r23, r45, r67]: [__m256i; 4]) -> u64 {
    let zero = _mm256_setzero_si256();
    let rows = |first: __m256i, second: __m256i| {
        let empty = _mm256_packs_epi16(_mm256_cmpeq_epi16(first, zero), _mm256_cmpeq_epi16(second, zero));
        (!_mm256_movemask_epi8(empty)).to_le_bytes()
    };
    let ([r0, r2, r1, r3], [r4, r6, r5, r7]) = (rows(r01, r23), rows(r45, r67));
    let mut present = 0;
    for (columns, places) in [r0, r1, r2, r3, r4, r5, r6, r7].iter().zip(&IN_ORDER) {
        present |= places[usize::from(*columns)];
    }
    present
}
