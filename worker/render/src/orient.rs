//! Step: turns and mirrors the picture as its metadata says, once.

use shared::domain::dimensions::Dimensions;

use crate::raster::{Raster, Samples};

/// One of the eight orientations of EXIF, as the moves that undo it: first mirror left and right, then turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Orientation {
    mirrored: bool,
    turn: Turn,
}

/// Clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

impl Orientation {
    /// As stored.
    pub(crate) const NORMAL: Self = Self { mirrored: false, turn: Turn::None };

    /// By the number in the metadata; what is undefined is normal.
    pub(crate) fn from_exif(value: u16) -> Self {
        let (mirrored, turn) = match value {
            2 => (true, Turn::None),
            3 => (false, Turn::Half),
            4 => (true, Turn::Half),
            5 => (true, Turn::ThreeQuarters),
            6 => (false, Turn::Quarter),
            7 => (true, Turn::Quarter),
            8 => (false, Turn::ThreeQuarters),
            _ => (false, Turn::None),
        };
        Self { mirrored, turn }
    }

    /// This, and then so many quarter turns clockwise.
    pub(crate) fn then_turned(self, quarters: u8) -> Self {
        const TURNS: [Turn; 4] = [Turn::None, Turn::Quarter, Turn::Half, Turn::ThreeQuarters];
        Self { turn: TURNS[(self.turn as usize + usize::from(quarters)) % 4], ..self }
    }

    /// This, and then left and right exchanged. A mirror after a turn is the opposite turn after a mirror.
    pub(crate) fn then_mirrored(self) -> Self {
        Self { mirrored: !self.mirrored, turn: Turn::None }.then_turned(4 - self.turn as u8)
    }

    /// Dimensions as shown, from dimensions as stored; or the other way round, which is the same.
    pub(crate) fn applied(self, stored: Dimensions) -> Dimensions {
        match self.turn {
            Turn::None | Turn::Half => stored,
            Turn::Quarter | Turn::ThreeQuarters => stored.turned(),
        }
    }

    /// Whether columns become rows.
    fn is_turned(self) -> bool {
        matches!(self.turn, Turn::Quarter | Turn::ThreeQuarters)
    }

    /// Whether, once columns have become rows where they do, each row has to be reversed, and the order of the rows.
    fn reversals(self) -> (bool, bool) {
        match self.turn {
            Turn::None => (self.mirrored, false),
            Turn::Quarter => (true, self.mirrored),
            Turn::Half => (!self.mirrored, true),
            Turn::ThreeQuarters => (false, !self.mirrored),
        }
    }
}

/// The picture as it is to be shown.
pub(crate) fn orient(raster: Raster, orientation: Orientation) -> Raster {
    if orientation == Orientation::NORMAL {
        return raster;
    }
    let channels = raster.layout.channels();
    let dimensions = orientation.applied(raster.dimensions);
    let samples = match raster.samples {
        Samples::Eight(samples) if channels == 1 => {
            let turned = if orientation.is_turned() { transposed_bytes(&samples, raster.dimensions) } else { samples };
            Samples::Eight(reversed::<u8, 1>(turned, dimensions, orientation))
        }
        Samples::Eight(samples) => Samples::Eight(moved(samples, channels, raster.dimensions, orientation)),
        Samples::Sixteen(samples) => Samples::Sixteen(moved(samples, channels, raster.dimensions, orientation)),
    };
    Raster { dimensions, layout: raster.layout, samples }
}

/// The samples in their new order.
fn moved<T: Copy + Default>(samples: Vec<T>, channels: usize, stored: Dimensions, orientation: Orientation) -> Vec<T> {
    match channels {
        1 => moved_pixels::<T, 1>(samples, stored, orientation),
        2 => moved_pixels::<T, 2>(samples, stored, orientation),
        3 => moved_pixels::<T, 3>(samples, stored, orientation),
        _ => moved_pixels::<T, 4>(samples, stored, orientation),
    }
}

fn moved_pixels<T: Copy + Default, const CHANNELS: usize>(
    samples: Vec<T>,
    stored: Dimensions,
    orientation: Orientation,
) -> Vec<T> {
    let turned = if orientation.is_turned() { transposed::<T, CHANNELS>(&samples, stored) } else { samples };
    reversed::<T, CHANNELS>(turned, orientation.applied(stored), orientation)
}

/// Rows, their order, or both from their ends.
fn reversed<T: Copy, const CHANNELS: usize>(
    mut samples: Vec<T>,
    shown: Dimensions,
    orientation: Orientation,
) -> Vec<T> {
    let (each_row, order) = orientation.reversals();
    let width = shown.width as usize;
    if each_row {
        let pixels = samples.as_chunks_mut::<CHANNELS>().0;
        pixels.chunks_exact_mut(width).for_each(<[_]>::reverse);
    }
    if order {
        let (upper, lower) = samples.split_at_mut(shown.height as usize / 2 * width * CHANNELS);
        let from_below = lower.rchunks_exact_mut(width * CHANNELS);
        upper.chunks_exact_mut(width * CHANNELS).zip(from_below).for_each(|(row, other)| row.swap_with_slice(other));
    }
    samples
}

/// Columns as rows, in tiles, so that every line of the cache is read once and not once for each of its pixels.
fn transposed<T: Copy + Default, const CHANNELS: usize>(samples: &[T], stored: Dimensions) -> Vec<T> {
    const TILE: usize = 32;
    let pixels = samples.as_chunks::<CHANNELS>().0;
    let (columns, rows) = (stored.width as usize, stored.height as usize);
    let mut result = vec![[T::default(); CHANNELS]; pixels.len()];
    for left in (0..columns).step_by(TILE) {
        for top in (0..rows).step_by(TILE) {
            for x in left..(left + TILE).min(columns) {
                let target = &mut result[x * rows + top..x * rows + (top + TILE).min(rows)];
                target.iter_mut().zip(top..).for_each(|(target, y)| *target = pixels[y * columns + x]);
            }
        }
    }
    result.into_flattened()
}

/// The same for bytes, sixteen by sixteen.
pub(crate) fn transposed_bytes(samples: &[u8], stored: Dimensions) -> Vec<u8> {
    let (columns, rows) = (stored.width as usize, stored.height as usize);
    let mut result = vec![0; samples.len()];
    for left in (0..columns).step_by(SIDE) {
        for top in (0..rows).step_by(SIDE) {
            let line = |y: usize| samples[(top + y) * columns + left..].first_chunk::<SIDE>();
            if left + SIDE <= columns && top + SIDE <= rows {
                let lines = std::array::from_fn(|y| line(y).copied().unwrap_or_default());
                for (x, line) in transposed_block(lines).into_iter().enumerate() {
                    let at = (left + x) * rows + top;
                    result[at..at + SIDE].copy_from_slice(&line);
                }
                continue;
            }
            for x in left..(left + SIDE).min(columns) {
                for y in top..(top + SIDE).min(rows) {
                    result[x * rows + y] = samples[y * columns + x];
                }
            }
        }
    }
    result
}

/// Lines and columns of a block of bytes.
const SIDE: usize = 16;

/// Like a deck of cards: cut into halves and riffled as often as halving comes to one, it lies the other way.
fn transposed_block(mut lines: [[u8; SIDE]; SIDE]) -> [[u8; SIDE]; SIDE] {
    for _ in 0..SIDE.ilog2() {
        let riffled: [_; SIDE / 2] = std::array::from_fn(|index| riffled(lines[index], lines[index + SIDE / 2]));
        lines = bytemuck::cast(riffled);
    }
    lines
}

/// One byte of each in turn.
#[cfg(target_arch = "x86_64")]
fn riffled(upper: [u8; SIDE], lower: [u8; SIDE]) -> [[u8; SIDE]; 2] {
    use std::arch::x86_64::{_mm_unpackhi_epi8, _mm_unpacklo_epi8};
    let (upper, lower) = (bytemuck::cast(upper), bytemuck::cast(lower));
    #[expect(unsafe_code, reason = "left to itself, the compiler moves byte by byte, six times as slow")]
    // SAFETY: SSE2 is part of x86-64.
    let riffled = unsafe { [_mm_unpacklo_epi8(upper, lower), _mm_unpackhi_epi8(upper, lower)] };
    bytemuck::cast(riffled)
}

/// One byte of each in turn.
#[cfg(not(target_arch = "x86_64"))]
fn riffled(upper: [u8; SIDE], lower: [u8; SIDE]) -> [[u8; SIDE]; 2] {
    let of = |begin: usize| move |at: usize| if at % 2 == 0 { upper[begin + at / 2] } else { lower[begin + at / 2] };
    [std::array::from_fn(of(0)), std::array::from_fn(of(SIDE / 2))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Layout;

    /// The stored pixels that show `a b c / d e f` under each orientation, by the EXIF specification's own picture.
    const STORED: [(u16, u32, &str); 8] = [
        (1, 3, "abcdef"),
        (2, 3, "cbafed"),
        (3, 3, "fedcba"),
        (4, 3, "defabc"),
        (5, 2, "adbecf"),
        (6, 2, "cfbead"),
        (7, 2, "fcebda"),
        (8, 2, "daebfc"),
    ];

    #[test]
    fn moves_follow_one_another() {
        let exif = Orientation::from_exif;
        assert_eq!(Orientation::NORMAL.then_turned(1), exif(6));
        assert_eq!(Orientation::NORMAL.then_turned(3), exif(8));
        assert_eq!(Orientation::NORMAL.then_mirrored(), exif(2));
        assert_eq!(Orientation::NORMAL.then_mirrored().then_turned(2), exif(4));
        // Turned a quarter to the left and then upside down: what EXIF calls 7.
        assert_eq!(exif(8).then_mirrored(), exif(7));
        assert_eq!(exif(6).then_mirrored(), exif(5));
        assert_eq!(exif(6).then_mirrored().then_mirrored(), exif(6));
    }

    #[test]
    fn bytes_in_words_move_as_pixels_do() {
        let stored = Dimensions { width: 21, height: 34 };
        let samples: Vec<u8> = (0..21 * 34_u32).map(|n| (n * 7 % 251) as u8).collect();
        assert_eq!(transposed_bytes(&samples, stored), transposed::<u8, 1>(&samples, stored));
    }

    #[test]
    fn all_eight_come_out_upright() {
        for (value, width, stored) in STORED {
            let raster = Raster {
                dimensions: Dimensions { width, height: 6 / width },
                layout: Layout::Gray,
                samples: Samples::Eight(stored.as_bytes().to_vec()),
            };
            let shown = orient(raster, Orientation::from_exif(value));
            assert_eq!(shown.dimensions, Dimensions { width: 3, height: 2 }, "orientation {value}");
            assert_eq!(shown.samples, Samples::Eight(b"abcdef".to_vec()), "orientation {value}");
        }
    }
}
