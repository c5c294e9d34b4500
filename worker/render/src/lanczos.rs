//! The filter of every downscale: Lanczos over three pixels each way. Its weights are worked out anew for every picture and
//! plane, tens of thousands of them, so they are made without a call into the library of mathematics.

use std::f64::consts::PI;

use fast_image_resize::{Filter, FilterType};

/// Pixels of the result each way that a source pixel can count for.
pub(crate) const SUPPORT: f64 = 3.0;

/// The filter.
pub(crate) fn lanczos() -> FilterType {
    Filter::new("Lanczos3", weight, SUPPORT).map_or(FilterType::Lanczos3, FilterType::Custom)
}

/// `sinc(x) · sinc(x / 3)`, where sin(3t) is 3 sin(t) − 4 sin³(t), so that one sine does for both.
pub(crate) fn weight(x: f64) -> f64 {
    const NEARLY_ZERO: f64 = 1e-8;
    let t = x.abs() * (PI / SUPPORT);
    if t >= PI {
        return 0.0;
    }
    if t < NEARLY_ZERO {
        return 1.0;
    }
    let squared = sine(t).powi(2);
    squared * (3.0 - 4.0 * squared) / (3.0 * t * t)
}

/// Of an angle from 0 to π, by the series of its distance from the nearer end: right to ten digits, near the ends too.
fn sine(t: f64) -> f64 {
    const SERIES: [f64; 8] = [
        -1.0 / 1_307_674_368_000.0,
        1.0 / 6_227_020_800.0,
        -1.0 / 39_916_800.0,
        1.0 / 362_880.0,
        -1.0 / 5_040.0,
        1.0 / 120.0,
        -1.0 / 6.0,
        1.0,
    ];
    let near = t.min(PI - t);
    let squared = near * near;
    near * SERIES.into_iter().fold(0.0, |sum, factor| sum * squared + factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_its_name_says() {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let steps = (-350..=350).map(|step| f64::from(step) / 100.0);
        for x in steps.chain([1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 2.9999999]) {
            let exact = if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
            assert!((weight(x) - exact).abs() < 1e-9, "at {x}: {} rather than {exact}", weight(x));
        }
        assert!(matches!(lanczos(), FilterType::Custom(_)));
    }
}
