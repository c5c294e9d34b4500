//! Blocks as symbols and the values behind them (ITU-T T.81, F.1.2): counted first, or written at once.

use super::codes::CodeTable;
use super::forward::{Coefficients, Forward, Rows};
use super::quantiser::Quantiser;
use super::writer::Writer;
use crate::jpeg::{BLOCK, COEFFICIENTS, ZIGZAG};
use crate::planes::{Plane, Planes};

/// Sixteen zeros, and the end of a block.
const ZEROS: u8 = 0xf0;
const END: u8 = 0;

/// A symbol of a table, and the bits that follow: as many as its lower four bits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Symbol(u32);

impl Symbol {
    #[inline(always)]
    fn new(table: usize, symbol: u8, bits: u32) -> Self {
        Self((table as u32) << 24 | u32::from(symbol) << 16 | bits)
    }

    /// Of first coefficients of luma and of chroma, and of the others.
    #[inline(always)]
    fn table(self) -> usize {
        (self.0 >> 24) as usize % 4
    }

    #[inline(always)]
    fn symbol(self) -> u8 {
        (self.0 >> 16) as u8
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        self.0 & 0xffff
    }
}

/// Takes symbols, those of a block at a time.
pub(super) trait Sink {
    fn take(&mut self, symbols: &[Symbol]);
}

/// Keeps symbols and counts them.
#[derive(Debug)]
pub(super) struct Counted {
    symbols: Vec<Symbol>,
    counts: [[u32; 256]; 4],
}

impl Default for Counted {
    fn default() -> Self {
        Self { symbols: Vec::new(), counts: [[0; 256]; 4] }
    }
}

impl Sink for Counted {
    #[inline(always)]
    fn take(&mut self, symbols: &[Symbol]) {
        for symbol in symbols {
            self.counts[symbol.table()][usize::from(symbol.symbol())] += 1;
        }
        self.symbols.extend_from_slice(symbols);
    }
}

impl Counted {
    /// How often each symbol comes, by table.
    pub(super) fn counts(&self) -> &[[u32; 256]; 4] {
        &self.counts
    }

    /// Everything.
    pub(super) fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }
}

/// Writes codes of symbols.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) tables: &'a [CodeTable; 4],
    pub(super) writer: Writer,
}

impl Sink for Written<'_> {
    #[inline(always)]
    fn take(&mut self, symbols: &[Symbol]) {
        let tables = self.tables;
        self.writer.put_all(symbols.iter().map(|symbol| {
            let (code, length) = tables[symbol.table()].of(symbol.symbol());
            let count = u32::from(symbol.symbol() & 15);
            (code << count | symbol.bits(), length + count)
        }));
    }
}

/// All blocks, in units of four of luma and one of either chroma.
#[inline(always)]
pub(super) fn scan<F: Forward>(planes: &Planes, [luma, chroma]: &[Quantiser; 2], transform: F, sink: &mut impl Sink) {
    let [y, cb, cr] = &planes.planes;
    let units = |side: u32| (side as usize).div_ceil(2 * BLOCK);
    let (mut before, mut edge) = ([0; 3], [[0; BLOCK]; BLOCK]);
    for unit_row in 0..units(planes.dimensions.height) {
        for unit in 0..units(planes.dimensions.width) {
            for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                match rows(y, unit * 2 + column, unit_row * 2 + row, &mut edge) {
                    Some(rows) => block(&transform.forward(&rows, luma), 0, &mut before[0], sink),
                    // As the one before, which is the least to write.
                    None => sink.take(&[Symbol::new(0, 0, 0), Symbol::new(2, END, 0)]),
                }
            }
            for (plane, before) in [cb, cr].into_iter().zip(&mut before[1..]) {
                match rows(plane, unit, unit_row, &mut edge) {
                    Some(rows) => block(&transform.forward(&rows, chroma), 1, before, sink),
                    None => sink.take(&[Symbol::new(1, 0, 0), Symbol::new(3, END, 0)]),
                }
            }
        }
    }
}

/// The rows of a block, in the plane itself where they are whole; at its edges, in `edge`, the last row and column going on. `None` for
/// what is wholly beyond.
#[inline(always)]
fn rows<'s>(plane: &'s Plane, column: usize, row: usize, edge: &'s mut [[u8; BLOCK]; BLOCK]) -> Option<Rows<'s>> {
    let size = plane.raster.dimensions;
    let (width, height) = (size.width as usize, size.height as usize);
    let (left, top) = (column * BLOCK, row * BLOCK);
    if left >= width || top >= height {
        return None;
    }
    if left + BLOCK > width || top + BLOCK > height {
        *edge = samples_at_edge(plane.samples(), (width, height), (left, top));
        return Some(edge.each_ref());
    }
    let samples = &plane.samples()[top * width + left..][..(BLOCK - 1) * width + BLOCK];
    let mut rows = [&[0; BLOCK]; BLOCK];
    for (at, row) in rows.iter_mut().enumerate() {
        *row = samples[at * width..].first_chunk()?;
    }
    Some(rows)
}

#[cold]
fn samples_at_edge(
    samples: &[u8],
    (width, height): (usize, usize),
    (left, top): (usize, usize),
) -> [[u8; BLOCK]; BLOCK] {
    let sample = |row: usize, column: usize| samples[row.min(height - 1) * width + column.min(width - 1)];
    std::array::from_fn(|row| std::array::from_fn(|column| sample(top + row, left + column)))
}

/// The symbols of a block, with tables of luma (0) or chroma (1).
#[inline(always)]
fn block(coefficients: &Coefficients, table: usize, before: &mut i16, sink: &mut impl Sink) {
    // One for each coefficient, three for its longest runs of zeros, and the end.
    let mut symbols = [Symbol::default(); COEFFICIENTS + 4];
    let first = coefficients.values[0];
    let (count, bits) = magnitude(first - *before);
    *before = first;
    symbols[0] = Symbol::new(table, count, bits);
    let mut taken = 1;
    let mut push = |symbol: u8, bits: u32| {
        symbols[taken] = Symbol::new(2 + table, symbol, bits);
        taken += 1;
    };
    let (mut present, mut last) = (coefficients.present & !1, 0);
    while present != 0 {
        let index = present.trailing_zeros();
        present &= present - 1;
        let mut zeros = index - last - 1;
        last = index;
        while zeros > 15 {
            push(ZEROS, 0);
            zeros -= 16;
        }
        let place = usize::from(ZIGZAG[index as usize % COEFFICIENTS]) % COEFFICIENTS;
        let (count, bits) = magnitude(coefficients.values[place]);
        push((zeros as u8) << 4 | count, bits);
    }
    if last < COEFFICIENTS as u32 - 1 {
        push(END, 0);
    }
    sink.take(&symbols[..taken]);
}

/// How many bits a value has, and these: of negative ones, those of one less.
#[inline(always)]
fn magnitude(value: i16) -> (u8, u32) {
    let count = 16 - value.unsigned_abs().leading_zeros();
    let bits = i32::from(value) + i32::from(value >> 15);
    (count as u8, bits.cast_unsigned() & ((1 << count) - 1))
}
