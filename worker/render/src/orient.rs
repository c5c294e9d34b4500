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

    /// Where the first shown pixel is stored, and how far it is from there to the next one across and down.
    fn steps(self, stored: Dimensions) -> (isize, isize, isize) {
        let (width, height) = (stored.width as isize, stored.height as isize);
        let (first, across, down) = match self.turn {
            Turn::None => ((0, 0), (1, 0), (0, 1)),
            Turn::Quarter => ((0, height - 1), (0, -1), (1, 0)),
            Turn::Half => ((width - 1, height - 1), (-1, 0), (0, -1)),
            Turn::ThreeQuarters => ((width - 1, 0), (0, 1), (-1, 0)),
        };
        let (first, across, down) = if self.mirrored {
            ((width - 1 - first.0, first.1), (-across.0, across.1), (-down.0, down.1))
        } else {
            (first, across, down)
        };
        let place = |(x, y): (isize, isize)| y * width + x;
        (place(first), place(across), place(down))
    }
}

/// The picture as it is to be shown.
pub(crate) fn orient(raster: Raster, orientation: Orientation) -> Raster {
    if orientation == Orientation::NORMAL {
        return raster;
    }
    let channels = raster.layout.channels();
    let dimensions = orientation.applied(raster.dimensions);
    let samples = match &raster.samples {
        Samples::Eight(samples) => Samples::Eight(moved(samples, channels, raster.dimensions, orientation)),
        Samples::Sixteen(samples) => Samples::Sixteen(moved(samples, channels, raster.dimensions, orientation)),
    };
    Raster { dimensions, layout: raster.layout, samples }
}

/// The samples in their new order.
fn moved<T: Copy + Default>(samples: &[T], channels: usize, stored: Dimensions, orientation: Orientation) -> Vec<T> {
    match channels {
        1 => moved_pixels::<T, 1>(samples, stored, orientation),
        2 => moved_pixels::<T, 2>(samples, stored, orientation),
        3 => moved_pixels::<T, 3>(samples, stored, orientation),
        _ => moved_pixels::<T, 4>(samples, stored, orientation),
    }
}

/// Row by row as shown. Along a shown row, the stored pixels lie a fixed step apart, forward or backward; rows are
/// taken in tiles, so that quarter turns read every line of the cache once and not once for each of its pixels.
fn moved_pixels<T: Copy + Default, const CHANNELS: usize>(
    samples: &[T],
    stored: Dimensions,
    orientation: Orientation,
) -> Vec<T> {
    const TILE: usize = 32;
    let pixels = samples.as_chunks::<CHANNELS>().0;
    let shown = orientation.applied(stored);
    let (columns, rows) = (shown.width as usize, shown.height as usize);
    let (origin, across, down) = orientation.steps(stored);
    let mut result = vec![[T::default(); CHANNELS]; pixels.len()];
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for y in top..(top + TILE).min(rows) {
                let mut from = origin + across * left as isize + down * y as isize;
                for target in &mut result[y * columns + left..y * columns + (left + TILE).min(columns)] {
                    *target = pixels[from as usize];
                    from += across;
                }
            }
        }
    }
    result.into_flattened()
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
