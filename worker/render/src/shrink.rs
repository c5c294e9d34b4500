//! Shrinks rows by a whole factor as they arrive, so that a large source is never in memory at full size.

use shared::domain::dimensions::Dimensions;

use crate::geometry::Area;
use crate::raster::{Layout, Raster, Samples};

/// What is left over for the good filter: the average of a box costs nothing visible while the picture stays at least
/// this many times larger than needed.
const HEADROOM: u32 = 2;

/// So that the sum of one row of a box fits 32 bits.
const FACTOR_MAX: u32 = 1 << 16;

/// Collects the rows of a picture, averaged over squares of `factor` pixels each way.
pub(crate) struct RowShrink<T> {
    source: Dimensions,
    layout: Layout,
    factor: usize,
    /// Per sample of the row in the making: the sum so far; opacities weigh the colours.
    sums: Vec<u64>,
    rows_in_sums: u64,
    rows: u32,
    samples: Vec<T>,
}

/// A sample of 8 or 16 bits.
pub(crate) trait Sample: Copy + Into<u32> + Into<u64> + Default {
    /// The value that means opaque.
    const MOST: u64;
    /// From a value that is at most [`Self::MOST`].
    fn from_sum(value: u64) -> Self;
    /// The samples of a row that is written with the most significant byte first.
    fn of_big_endian<'a>(bytes: &'a [u8], scratch: &'a mut Vec<Self>) -> &'a [Self];
    /// As a raster keeps them.
    fn samples(all: Vec<Self>) -> Samples;
}

impl Sample for u8 {
    const MOST: u64 = 255;
    fn from_sum(value: u64) -> Self {
        value.min(Self::MOST) as u8
    }
    fn of_big_endian<'a>(bytes: &'a [u8], _: &'a mut Vec<Self>) -> &'a [Self] {
        bytes
    }
    fn samples(all: Vec<Self>) -> Samples {
        Samples::Eight(all)
    }
}

impl Sample for u16 {
    const MOST: u64 = 65_535;
    fn from_sum(value: u64) -> Self {
        value.min(Self::MOST) as u16
    }
    fn of_big_endian<'a>(bytes: &'a [u8], scratch: &'a mut Vec<Self>) -> &'a [Self] {
        scratch.clear();
        scratch.extend(bytes.as_chunks::<2>().0.iter().map(|pair| Self::from_be_bytes(*pair)));
        scratch
    }
    fn samples(all: Vec<Self>) -> Samples {
        Samples::Sixteen(all)
    }
}

/// The largest factor that leaves at least twice the pixels that are needed, each way.
pub(crate) fn factor(source: Dimensions, least: Dimensions) -> u32 {
    let across = source.width / (least.width * HEADROOM).max(1);
    let down = source.height / (least.height * HEADROOM).max(1);
    across.min(down).clamp(1, FACTOR_MAX)
}

impl<T: Sample> RowShrink<T> {
    /// For a picture of these dimensions of which at least `least` is needed.
    pub(crate) fn new(source: Dimensions, layout: Layout, least: Dimensions) -> Self {
        let factor = factor(source, least);
        let columns = source.width.div_ceil(factor) as usize;
        let rows = source.height.div_ceil(factor) as usize;
        let channels = layout.channels();
        Self {
            source,
            layout,
            factor: factor as usize,
            sums: vec![0; if factor > 1 { columns * channels } else { 0 }],
            rows_in_sums: 0,
            rows: 0,
            samples: Vec::with_capacity(columns * rows * channels),
        }
    }

    /// Rows that arrived.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// The next row from the top; rows beyond the last are ignored.
    pub(crate) fn push(&mut self, row: &[T]) {
        if self.rows == self.source.height {
            return;
        }
        self.rows += 1;
        let row = &row[..self.source.width as usize * self.layout.channels()];
        if self.factor == 1 {
            self.samples.extend_from_slice(row);
            return;
        }
        self.add(row);
        self.rows_in_sums += 1;
        if self.rows_in_sums == self.factor as u64 || self.rows == self.source.height {
            self.finish_row();
        }
    }

    fn add(&mut self, row: &[T]) {
        match self.layout {
            Layout::Gray => add_plain::<T, 1>(&mut self.sums, row, self.factor),
            Layout::Rgb => add_plain::<T, 3>(&mut self.sums, row, self.factor),
            Layout::Cmyk => add_plain::<T, 4>(&mut self.sums, row, self.factor),
            Layout::GrayAlpha => add_weighted::<T, 2>(&mut self.sums, row, self.factor),
            Layout::Rgba => add_weighted::<T, 4>(&mut self.sums, row, self.factor),
        }
    }

    fn finish_row(&mut self) {
        let channels = self.layout.channels();
        let last_columns = self.source.width as usize % self.factor;
        let cells = self.sums.len() / channels;
        for (index, cell) in self.sums.chunks_exact(channels).enumerate() {
            let columns = if index + 1 == cells && last_columns > 0 { last_columns } else { self.factor };
            let pixels = columns as u64 * self.rows_in_sums;
            if self.layout.has_alpha() {
                let (weight, colours) = (cell[channels - 1], &cell[..channels - 1]);
                self.samples.extend(colours.iter().map(|sum| T::from_sum(rounded(*sum, weight))));
                self.samples.push(T::from_sum(rounded(weight, pixels)));
            } else {
                self.samples.extend(cell.iter().map(|sum| T::from_sum(rounded(*sum, pixels))));
            }
        }
        self.sums.fill(0);
        self.rows_in_sums = 0;
    }

    /// The picture, and the part of it that the source covers: the last column and row may be covered in part.
    /// Rows that never came are `missing` pixels.
    pub(crate) fn finish(mut self, missing: &[T]) -> (Raster, Area) {
        if self.rows < self.source.height {
            let row: Vec<T> = missing.repeat(self.source.width as usize);
            while self.rows < self.source.height {
                self.push(&row);
            }
        }
        let factor = self.factor as u32;
        let dimensions =
            Dimensions { width: self.source.width.div_ceil(factor), height: self.source.height.div_ceil(factor) };
        let covered = Area::whole(self.source).scaled(1.0 / f64::from(factor), 1.0 / f64::from(factor));
        (Raster { dimensions, layout: self.layout, samples: T::samples(self.samples) }, covered)
    }
}

fn rounded(sum: u64, by: u64) -> u64 {
    (sum + by / 2).checked_div(by).unwrap_or(0)
}

fn add_plain<T: Sample, const CHANNELS: usize>(sums: &mut [u64], row: &[T], factor: usize) {
    for (sum, cell) in sums.chunks_exact_mut(CHANNELS).zip(row.chunks(CHANNELS * factor)) {
        // A box is at most `FACTOR_MAX` wide.
        let mut total = [0_u32; CHANNELS];
        for pixel in cell.as_chunks::<CHANNELS>().0 {
            for (total, sample) in total.iter_mut().zip(pixel) {
                *total += Into::<u32>::into(*sample);
            }
        }
        for (sum, total) in sum.iter_mut().zip(total) {
            *sum += u64::from(total);
        }
    }
}

fn add_weighted<T: Sample, const CHANNELS: usize>(sums: &mut [u64], row: &[T], factor: usize) {
    for (sum, cell) in sums.chunks_exact_mut(CHANNELS).zip(row.chunks(CHANNELS * factor)) {
        for pixel in cell.chunks_exact(CHANNELS) {
            let weight: u64 = pixel[CHANNELS - 1].into();
            for (sum, sample) in sum.iter_mut().zip(&pixel[..CHANNELS - 1]) {
                *sum += Into::<u64>::into(*sample) * weight;
            }
            sum[CHANNELS - 1] += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: u32, height: u32) -> Dimensions {
        Dimensions { width, height }
    }

    #[test]
    fn leaves_twice_of_what_is_needed() {
        assert_eq!(factor(size(4000, 3000), size(1000, 750)), 2);
        assert_eq!(factor(size(3999, 3000), size(1000, 750)), 1);
        assert_eq!(factor(size(1, 65_500), size(1, 320)), 1);
    }

    #[test]
    fn averages_squares_and_says_how_much_the_last_ones_hold() {
        let mut shrink = RowShrink::<u8>::new(size(5, 4), Layout::Gray, size(1, 1));
        for row in [[0, 10, 20, 30, 99], [10, 20, 30, 40, 99], [0; 5], [4; 5]] {
            shrink.push(&row);
        }
        let (raster, covered) = shrink.finish(&[0]);
        assert_eq!(raster.dimensions, size(3, 2));
        assert_eq!(raster.samples, Samples::Eight(vec![10, 30, 99, 2, 2, 2]));
        assert_eq!((covered.width, covered.height), (2.5, 2.0));
    }

    #[test]
    fn what_is_invisible_has_no_weight() {
        let mut shrink = RowShrink::<u16>::new(size(4, 4), Layout::GrayAlpha, size(2, 1));
        assert_eq!(shrink.factor, 1, "the width needs all of its pixels");
        shrink = RowShrink::new(size(4, 4), Layout::GrayAlpha, size(1, 1));
        (0..4).for_each(|_| shrink.push(&[100, 65_535, 9, 0, 0, 0, 0, 0]));
        let (raster, _) = shrink.finish(&[0, 0]);
        assert_eq!(raster.samples, Samples::Sixteen([100, 32_768, 0, 0].repeat(2)));
    }

    #[test]
    fn rows_that_never_came_are_filled() {
        let mut shrink = RowShrink::<u8>::new(size(1, 3), Layout::Rgb, size(1, 3));
        shrink.push(&[1, 2, 3]);
        assert_eq!(shrink.finish(&[7, 8, 9]).0.samples, Samples::Eight(vec![1, 2, 3, 7, 8, 9, 7, 8, 9]));
    }
}
