//! Progressive scans: coefficients of all blocks are kept, and every scan adds some of them or bits of them (ITU-T T.81, annex G).

use super::bits::Bits;
use super::frame::{Block, Component, Frame, PLACES};
use super::huffman::{Code, Huffman, LOOKED_UP};
use super::idct::{Idct, fill, flat};
use super::restarts::Restarts;
use super::strips::Strips;
use crate::jpeg::COEFFICIENTS;

/// What a scan adds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    /// First and last coefficient.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The place of the lowest bit that these coefficients had before; 0 where there was none.
    pub(super) before: u32,
    /// The place of the lowest bit that it adds.
    pub(super) shift: u32,
}

impl Band {
    /// Whether these coefficients were there already, but for a bit.
    fn refines(self) -> bool {
        self.before > 0
    }
}

/// The coefficients of a component, in whole units.
#[derive(Debug, Clone)]
pub(super) struct Coefficients {
    blocks: Vec<Block>,
    /// Of each block, which coefficients are not zero but for the first, in the order of a file from the lowest bit on.
    present: Vec<u64>,
    /// Blocks of a row.
    across: usize,
    /// The place of the lowest bit that is known of each coefficient, in the order of a file.
    known: [Option<u32>; COEFFICIENTS],
}

impl Coefficients {
    /// None yet.
    pub(super) fn new(frame: &Frame, component: &Component) -> Self {
        let across = frame.units_across * component.across;
        let count = across * frame.units_down * component.down;
        Self { blocks: vec![[0; COEFFICIENTS]; count], present: vec![0; count], across, known: [None; COEFFICIENTS] }
    }
}

impl Coefficients {
    /// Notes what a scan adds; `None` when that is not what is missing next. libjpeg goes on in ways of its own then.
    fn note(&mut self, band: Band) -> Option<()> {
        for known in &mut self.known[band.first..=band.last] {
            let follows = match known {
                None => band.before == 0,
                Some(bit) => *bit > 0 && band.before == *bit && band.shift == *bit - 1,
            };
            *known = follows.then_some(Some(band.shift))?;
        }
        Some(())
    }

    /// Whether all bits of all coefficients are known. What is not, libjpeg guesses from the blocks around.
    pub(super) fn are_whole(&self) -> bool {
        self.known.iter().all(|known| *known == Some(0))
    }
}

/// What a component of a scan is read with.
#[derive(Debug)]
pub(super) struct Coding<'t, 'c> {
    pub(super) table: Option<&'t Huffman>,
    pub(super) component: &'c Component,
    pub(super) coefficients: &'c mut Coefficients,
    /// The first coefficient of the block before.
    pub(super) before: i16,
}

/// Reads a scan; the bits behind it, and `None` when it is damaged.
#[inline(always)]
pub(super) fn read<'a>(
    frame: &Frame,
    band: Band,
    codings: &mut [Coding<'_, '_>],
    restarts: Restarts,
    bits: Bits<'a>,
) -> Option<Bits<'a>> {
    codings.iter_mut().try_for_each(|coding| coding.coefficients.note(band))?;
    match codings {
        [coding] if band.first > 0 => others(band, coding, restarts, bits),
        _ if band.first > 0 || band.last > 0 => None,
        codings => firsts(frame, band, codings, restarts, bits),
    }
}

/// First coefficients: of one component block by block, of several in units.
#[inline(always)]
fn firsts<'a>(
    frame: &Frame,
    band: Band,
    codings: &mut [Coding<'_, '_>],
    mut restarts: Restarts,
    mut bits: Bits<'a>,
) -> Option<Bits<'a>> {
    let alone = codings.len() == 1;
    let (units_across, units_down) = match codings {
        [coding] => (coding.component.columns, coding.component.rows),
        _ => (frame.units_across, frame.units_down),
    };
    for unit_row in 0..units_down {
        for unit in 0..units_across {
            if restarts.is_due() {
                bits = restarts.passed(bits)?;
                codings.iter_mut().for_each(|coding| coding.before = 0);
            }
            for coding in &mut *codings {
                let (across, down) = if alone { (1, 1) } else { (coding.component.across, coding.component.down) };
                for row in 0..down {
                    for column in 0..across {
                        let at = (unit_row * down + row) * coding.coefficients.across + unit * across + column;
                        coding.first(band, &mut bits, at)?;
                    }
                }
            }
        }
        if bits.is_beyond() {
            return None;
        }
    }
    Some(bits)
}

/// The other coefficients of one component.
#[inline(always)]
fn others<'a>(band: Band, coding: &mut Coding<'_, '_>, mut restarts: Restarts, mut bits: Bits<'a>) -> Option<Bits<'a>> {
    let table = coding.table?;
    let Coefficients { blocks, present, across, .. } = &mut *coding.coefficients;
    // Blocks to come of which this band has nothing more.
    let mut empty = 0;
    let rows = blocks.chunks_exact_mut(*across).zip(present.chunks_exact_mut(*across));
    for (blocks, present) in rows.take(coding.component.rows) {
        for (block, present) in blocks.iter_mut().zip(present).take(coding.component.columns) {
            if restarts.is_due() {
                bits = restarts.passed(bits)?;
                empty = 0;
            }
            if band.refines() {
                refine(band, table, &mut bits, block, present, &mut empty)?;
            } else if empty > 0 {
                empty -= 1;
            } else {
                empty = add(band, table, &mut bits, block, present)?;
            }
        }
        if bits.is_beyond() {
            return None;
        }
    }
    Some(bits)
}

impl Coding<'_, '_> {
    /// The first coefficient of one block.
    #[inline(always)]
    fn first(&mut self, band: Band, bits: &mut Bits<'_>, at: usize) -> Option<()> {
        let block = self.coefficients.blocks.get_mut(at)?;
        if band.refines() {
            block[0] |= i16::from(bits.bit()) << band.shift;
            return Some(());
        }
        bits.refill();
        let code = self.table?.next(bits)?;
        if code.run() != 0 {
            return None;
        }
        self.before = self.before.wrapping_add(code.taken(bits));
        block[0] = self.before << band.shift;
        Some(())
    }
}

/// Coefficients of one block; for how many more blocks there are none.
#[inline(always)]
fn add(band: Band, table: &Huffman, source: &mut Bits<'_>, block: &mut Block, present: &mut u64) -> Option<u32> {
    let mut bits = *source;
    let (mut index, mut empty) = (band.first, 0);
    bits.refill();
    while index <= band.last {
        let mut code = table.short(bits.peek(LOOKED_UP));
        bits.refill();
        if code.is_special() {
            code = table.next(&bits)?;
            if code.bits() == 0 {
                bits.skip(code.length());
                if code.run() < 15 {
                    empty = empty_blocks(code, &mut bits) - 1;
                    break;
                }
                index += 16;
                continue;
            }
        }
        index += code.run() as usize;
        let value = code.taken(&mut bits) << band.shift;
        // A run that leads beyond the last one, or more bits than a coefficient has.
        if index > band.last || value == 0 {
            return None;
        }
        block[place(index)] = value;
        *present |= 1 << index;
        index += 1;
    }
    *source = bits;
    Some(empty)
}

/// How many blocks end here, this one included; the code itself was taken.
#[inline(always)]
fn empty_blocks(code: Code, bits: &mut Bits<'_>) -> u32 {
    (1 << code.run()) + bits.take(code.run())
}

/// Adds a bit to the coefficients that are there, and coefficients that are no more than that bit.
#[inline(always)]
fn refine(
    band: Band,
    table: &Huffman,
    source: &mut Bits<'_>,
    block: &mut Block,
    present: &mut u64,
    empty: &mut u32,
) -> Option<()> {
    let mut bits = *source;
    let bit = 1_i16 << band.shift;
    // What is left of the band, and what of it was there before this scan.
    let mut left = u64::MAX << band.first & u64::MAX >> (63 - band.last);
    let there = *present;
    while *empty == 0 && left != 0 {
        bits.refill();
        let code = table.next(&bits)?;
        bits.skip(code.length());
        let mut added = 0;
        if code.bits() == 1 {
            added = if bits.take(1) == 1 { bit } else { -bit };
        } else if code.bits() > 1 {
            return None;
        } else if code.run() < 15 {
            *empty = empty_blocks(code, &mut bits);
            break;
        }
        // The zero behind so many others, and everything before it.
        let zero = nth(left & !there, code.run());
        let before = left & zero.wrapping_sub(1);
        refine_those(before & there, bit, &mut bits, block);
        left &= !(before | zero);
        if added != 0 {
            // There are not as many zeros as the code says.
            if zero == 0 {
                return None;
            }
            block[place(zero.trailing_zeros() as usize)] = added;
            *present |= zero;
        }
    }
    if *empty > 0 {
        refine_those(left & there, bit, &mut bits, block);
        *empty -= 1;
    }
    *source = bits;
    Some(())
}

/// Where this coefficient is.
#[inline(always)]
fn place(index: usize) -> usize {
    usize::from(PLACES[index % COEFFICIENTS]) % COEFFICIENTS
}

/// The bit that comes after so many others; none where there are not as many.
#[inline(always)]
fn nth(mut bits: u64, number: u32) -> u64 {
    for _ in 0..number {
        bits &= bits.wrapping_sub(1);
    }
    bits & bits.wrapping_neg()
}

/// Adds one more bit to each of these coefficients, away from zero.
#[inline(always)]
fn refine_those(mut those: u64, bit: i16, bits: &mut Bits<'_>, block: &mut Block) {
    while those != 0 {
        bits.refill();
        // As many as are there for sure.
        for _ in 0..32 {
            if those == 0 {
                break;
            }
            let coefficient = &mut block[place(those.trailing_zeros() as usize)];
            let grows = bits.take(1) == 1 && *coefficient & bit == 0;
            let change = if *coefficient < 0 { -bit } else { bit };
            *coefficient = coefficient.wrapping_add(std::hint::select_unpredictable(grows, change, 0));
            those &= those - 1;
        }
    }
}

/// Makes planes of all coefficients.
#[inline(always)]
pub(super) fn write<I: Idct>(
    idct: I,
    frame: &Frame,
    coefficients: &[Coefficients; 3],
    factors: &[Block; 3],
    strips: &mut Strips,
) {
    for unit_row in 0..frame.units_down {
        let parts = frame.components.iter().zip(coefficients).zip(factors).zip(&mut strips.0);
        for (((component, coefficients), factors), strip) in parts {
            let Coefficients { blocks, present, across, .. } = coefficients;
            let rows = blocks.chunks_exact(*across).zip(present.chunks_exact(*across)).skip(unit_row * component.down);
            for (row, (blocks, present)) in rows.take(component.down).enumerate() {
                for (column, (block, present)) in blocks.iter().zip(present).enumerate() {
                    let samples = &mut strip.samples[(row * strip.stride + column) * strip.side..];
                    if *present == 0 {
                        fill(flat(block[0], factors[0]), strip.side, samples, strip.stride);
                    } else {
                        idct.inverse(strip.side, block, factors, samples, strip.stride);
                    }
                }
            }
        }
        strips.keep();
    }
}
