//! Rows of blocks on their way into planes: only what shows the picture is kept of them.

use super::Wanted;
use super::frame::{Component, Frame};

/// One component.
#[derive(Debug)]
pub(super) struct Strip {
    /// Samples of a block each way.
    pub(super) side: usize,
    /// What one row of units comes to, blocks being side by side.
    pub(super) samples: Vec<u8>,
    /// Samples of its rows.
    pub(super) stride: usize,
    /// What is kept of all strips so far.
    plane: Vec<u8>,
    /// How much of each row is.
    columns: usize,
    /// How many samples there will be.
    whole: usize,
}

impl Strip {
    fn new(frame: &Frame, component: &Component, wanted: &Wanted) -> Self {
        let side = usize::from(wanted.eighths);
        let stride = frame.units_across * component.across * side;
        let (columns, rows) = (wanted.size.width as usize, wanted.size.height as usize);
        Self {
            side,
            samples: vec![0; stride * component.down * side],
            stride,
            plane: Vec::with_capacity(columns * rows),
            columns: columns.min(stride),
            whole: columns * rows,
        }
    }
}

/// All three components.
#[derive(Debug)]
pub(super) struct Strips(pub(super) [Strip; 3]);

impl Strips {
    /// Before the first row of units.
    pub(super) fn new(frame: &Frame, wanted: &[Wanted; 3]) -> Self {
        Self([0, 1, 2].map(|index| Strip::new(frame, &frame.components[index], &wanted[index])))
    }

    /// Keeps what the strips hold, after every row of units.
    pub(super) fn keep(&mut self) {
        for Strip { samples, stride, plane, columns, whole, .. } in &mut self.0 {
            let missing = (*whole - plane.len()) / *columns;
            let rows = samples.chunks_exact(*stride).take(missing);
            rows.for_each(|row| plane.extend_from_slice(&row[..*columns]));
        }
    }

    /// The planes, when they are whole.
    pub(super) fn finish(self) -> Option<[Vec<u8>; 3]> {
        let whole = self.0.iter().all(|strip| strip.plane.len() == strip.whole);
        whole.then(|| self.0.map(|strip| strip.plane))
    }
}
