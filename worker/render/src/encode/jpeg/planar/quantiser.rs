//! What coefficients are divided by.

use crate::jpeg::{COEFFICIENTS, ZIGZAG};

/// For quality 50: of luma and of chroma (ITU-T T.81, tables K.1 and K.2), row by row.
const LUMA: [u8; COEFFICIENTS] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA: [u8; COEFFICIENTS] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99,
];

/// How many times too large our coefficients are.
const SCALE: f64 = 8.0;

/// By how much reciprocals are too large: less than what a quotient below a half is short of it, and more than what their last digits are
/// wrong by. So halves are rounded away from zero, as libjpeg rounds them, whatever way numbers with a point are rounded.
const EXCESS: f64 = 1.0 / (1 << 20) as f64;

/// Divides by multiplying. Row by row.
#[derive(Debug)]
pub(super) struct Quantiser {
    /// As a file has them, but not in its order.
    factors: [u8; COEFFICIENTS],
    pub(super) reciprocals: [f32; COEFFICIENTS],
}

impl Quantiser {
    /// Of luma, at a quality from 1 to 100.
    pub(super) fn luma(quality: u8) -> Self {
        Self::new(&LUMA, quality)
    }

    /// Of chroma.
    pub(super) fn chroma(quality: u8) -> Self {
        Self::new(&CHROMA, quality)
    }

    /// Qualities are those of libjpeg: a percentage of the factors that grows ever faster below 50. No factor is more than 255, the
    /// most that baseline JPEG has.
    fn new(usual: &[u8; COEFFICIENTS], quality: u8) -> Self {
        let percent = match u32::from(quality.clamp(1, 100)) {
            quality @ ..50 => 5000 / quality,
            quality => 200 - 2 * quality,
        };
        let factors = usual.map(|factor| ((u32::from(factor) * percent + 50) / 100).clamp(1, u8::MAX.into()) as u8);
        let reciprocals = factors.map(|factor| ((1.0 + EXCESS) / (f64::from(factor) * SCALE)) as f32);
        Self { factors, reciprocals }
    }

    /// The factors in the order of a file.
    pub(super) fn in_order(&self) -> [u8; COEFFICIENTS] {
        ZIGZAG.map(|place| self.factors[usize::from(place)])
    }

    /// The coefficient at this place, divided.
    pub(super) fn divided(&self, at: usize, coefficient: i16) -> i16 {
        // So large that there are no bits left behind the point.
        const WHOLE: f32 = 12_582_912.0;
        let quotient = f32::from(coefficient) * self.reciprocals[at];
        ((quotient + WHOLE) - WHOLE) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_divided_and_rounded() {
        for quality in 1..=100 {
            let quantiser = Quantiser::luma(quality);
            for (at, factor) in quantiser.factors.iter().enumerate() {
                let divisor = i32::from(*factor) * 8;
                for coefficient in (-8192_i16..=8192).step_by(1 + at) {
                    let exact =
                        (i32::from(coefficient).abs() + divisor / 2) / divisor * i32::from(coefficient.signum());
                    assert_eq!(i32::from(quantiser.divided(at, coefficient)), exact, "{coefficient} by {divisor}");
                }
            }
        }
    }

    #[test]
    fn qualities_are_those_of_libjpeg() {
        assert_eq!(Quantiser::luma(50).factors, LUMA);
        assert_eq!(Quantiser::chroma(80).factors[..4], [7, 7, 10, 19]);
        assert_eq!(Quantiser::luma(100).factors, [1; COEFFICIENTS]);
        assert_eq!(Quantiser::luma(1).factors, [255; COEFFICIENTS]);
    }
}
