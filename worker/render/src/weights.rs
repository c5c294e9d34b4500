//! What the filter comes to for a line of pixels: which of them each pixel of a shorter line is made of, and by how much.

use std::sync::LazyLock;

use crate::lanczos::{self, SUPPORT};

/// Bits behind the point of a weight.
const WEIGHT_BITS: u32 = 14;
/// What the weights of one pixel add up to.
const ONE: i32 = 1 << WEIGHT_BITS;

/// Places at which the filter was worked out, for each pixel of the result. Between two of them it is so straight that the
/// difference is below what a weight can say.
const STEPS: f64 = 512.0;

static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=(SUPPORT * STEPS) as u32 + 1).map(|step| lanczos::weight(f64::from(step) / STEPS) as f32).collect()
});

/// The filter from the table: tens of thousands of weights are worked out for every picture.
fn weight(table: &[f32], x: f64) -> f32 {
    let place = x.abs() * STEPS;
    let step = place as usize;
    match table.get(step..step + 2) {
        Some([before, after]) => before + (after - before) * (place - step as f64) as f32,
        _ => 0.0,
    }
}

/// For every pixel of a shorter line, which pixels of a longer one it is made of, and how much of each counts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    /// Pixels that each is made of.
    taps: usize,
    /// The first of them.
    starts: Vec<usize>,
    /// `taps` for each.
    values: Vec<i16>,
}

impl Weights {
    /// For a line of `length` pixels of which the part that begins at `from` and is `extent` long becomes `count` pixels.
    pub(crate) fn new(length: u32, from: f64, extent: f64, count: u32) -> Self {
        let scale = extent / f64::from(count);
        let stretch = scale.max(1.0);
        let radius = SUPPORT * stretch;
        let taps = ((2.0 * radius).ceil() as usize).clamp(1, length as usize);
        let mut weights = Self { taps, starts: Vec::new(), values: Vec::new() };
        weights.starts.reserve(count as usize);
        weights.values.reserve(count as usize * taps);
        let (table, mut line) = (&**TABLE, vec![0.0; taps]);
        // Once, as dividing takes several times as long as multiplying.
        let shrink = 1.0 / stretch;
        for index in 0..count {
            let centre = from + (f64::from(index) + 0.5) * scale;
            // The middle of a pixel is half a pixel from where it begins.
            let first = (centre - radius - 0.5).ceil().max(0.0) as usize;
            let start = first.min(length as usize - taps);
            let nearest = start as f64 + 0.5 - centre;
            for (tap, value) in line.iter_mut().enumerate() {
                *value = weight(table, (nearest + tap as f64) * shrink);
            }
            weights.push(start, &line);
        }
        weights
    }

    /// In whole numbers that add up to one.
    fn push(&mut self, start: usize, line: &[f32]) {
        let unit = ONE as f32 / line.iter().sum::<f32>();
        let before = self.values.len();
        self.values.extend(line.iter().map(|value| rounded(value * unit)));
        let values = &mut self.values[before..];
        let missing = ONE - values.iter().copied().map(i32::from).sum::<i32>();
        if let Some(largest) = values.iter_mut().max() {
            // Rounding misses one by half of the number of taps at most.
            *largest += missing as i16;
        }
        self.starts.push(start);
    }

    /// Pixels that each is made of.
    pub(crate) fn taps(&self) -> usize {
        self.taps
    }

    /// Pixels of the shorter line.
    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    /// The first pixel that each is made of, and the weights of it and the following ones.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, &[i16])> {
        self.starts.iter().copied().zip(self.values.chunks_exact(self.taps.max(1)))
    }
}

/// To the nearest whole number, without a call into the library of mathematics.
fn rounded(value: f32) -> i16 {
    const MIDDLE: f32 = 32_768.0;
    ((value + MIDDLE + 0.5) as i32 - MIDDLE as i32) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_is_what_would_be_worked_out() {
        for x in (-3500..=3500).map(|step| f64::from(step) / 1000.0) {
            let (looked_up, exact) = (f64::from(weight(&TABLE, x)), lanczos::weight(x));
            assert!((looked_up - exact).abs() < 1e-5, "at {x}: {looked_up} rather than {exact}");
        }
    }

    #[test]
    fn weights_are_rounded_to_the_nearest() {
        let values = [-0.6, -0.4, 0.4, 0.6, 1.0, -3000.2, 16_384.0];
        assert_eq!(values.map(rounded), [-1, 0, 0, 1, 1, -3000, 16_384]);
    }

    #[test]
    fn every_pixel_counts_as_one_in_all() {
        for (length, from, extent, count) in
            [(1800, 0.0, 1800.0, 1024), (61, 3.25, 50.5, 17), (5, 0.0, 5.0, 2), (7, 0.5, 6.0, 6)]
        {
            let weights = Weights::new(length, from, extent, count);
            assert_eq!(weights.count(), count as usize);
            for (start, values) in weights.each() {
                assert!(start + weights.taps() <= length as usize);
                let sum: i32 = values.iter().copied().map(i32::from).sum();
                assert_eq!(sum, ONE);
            }
        }
    }
}
