//! How a picture is divided into blocks.

use shared::domain::dimensions::Dimensions;

use crate::jpeg::{BLOCK, COEFFICIENTS, SIDE_MAX, ZIGZAG};

/// A block of coefficients, in the order that suits transforms: see [`place`].
pub(super) type Block = [i16; COEFFICIENTS];

/// Where the coefficient of this row and column is in a block: pairs of rows (0 and 2, 4 and 6, 1 and 3, 5 and 7), in which
/// coefficients of the same column stand side by side, even columns first. So they are what one instruction multiplies and
/// adds, before and after rows have become columns.
pub(super) const fn place(row: usize, column: usize) -> usize {
    let pair = (row & 1) * 2 + row / 4;
    let lane = (column & 1) * 4 + column / 2;
    pair * 16 + lane * 2 + row / 2 % 2
}

/// Where the coefficients are, in the order of a file.
pub(super) static PLACES: [u8; COEFFICIENTS] = {
    let mut places = [0; COEFFICIENTS];
    let mut index = 0;
    while index < places.len() {
        places[index] = place(ZIGZAG[index] as usize / BLOCK, ZIGZAG[index] as usize % BLOCK) as u8;
        index += 1;
    }
    places
};

/// One of the three components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component {
    /// What scans call it.
    pub(super) id: u8,
    /// Blocks in a unit of an interleaved scan, each way.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Which table its coefficients are multiplied by.
    pub(super) quantiser: usize,
    /// Blocks that show something of the picture, each way.
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// The frame header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) progressive: bool,
    pub(super) components: [Component; 3],
    /// Units of an interleaved scan, each way.
    pub(super) units_across: usize,
    pub(super) units_down: usize,
}

impl Frame {
    /// Of a frame header's payload; `None` for what has other dimensions, or other than 8 bits and three components.
    pub(super) fn new(progressive: bool, payload: &[u8], dimensions: Dimensions) -> Option<Self> {
        let (&[precision, y0, y1, x0, x1, count], rest) = payload.split_first_chunk()?;
        let [height, width] = [[y0, y1], [x0, x1]].map(u16::from_be_bytes);
        let has_dimensions = (u32::from(width), u32::from(height)) == (dimensions.width, dimensions.height);
        let is_too_long = width.max(height) > SIDE_MAX;
        if precision != 8 || count != 3 || !has_dimensions || is_too_long || rest.len() != 9 {
            return None;
        }
        let factors = |index: usize| (usize::from(rest[index * 3 + 1] >> 4), usize::from(rest[index * 3 + 1] & 15));
        let valid = |(across, down): (usize, usize)| (1..=4).contains(&across) && (1..=4).contains(&down);
        let all = [0, 1, 2].map(factors);
        if !all.into_iter().all(valid) {
            return None;
        }
        let most = all.iter().fold((1, 1), |most, factors| (most.0.max(factors.0), most.1.max(factors.1)));
        let components = [0, 1, 2].map(|index| {
            let (across, down) = all[index];
            Component {
                id: rest[index * 3],
                across,
                down,
                quantiser: rest[index * 3 + 2].into(),
                columns: (usize::from(width) * across).div_ceil(most.0 * BLOCK),
                rows: (usize::from(height) * down).div_ceil(most.1 * BLOCK),
            }
        });
        let units = |side: u16, most: usize| usize::from(side).div_ceil(most * BLOCK);
        Some(Self { progressive, components, units_across: units(width, most.0), units_down: units(height, most.1) })
    }
}
