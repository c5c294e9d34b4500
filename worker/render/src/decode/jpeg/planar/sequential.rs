//! Sequential scans: every block is whole when it has been read, and becomes samples at once.

use super::bits::Bits;
use super::frame::{Block, Frame, PLACES};
use super::huffman::Huffman;
use super::idct::{Idct, fill, flat};
use super::pairs::{NOWHERE, Pairs};
use super::restarts::Restarts;
use super::strips::Strips;
use crate::jpeg::COEFFICIENTS;

/// A block, and behind it a place for what is no coefficient.
type Room = [i16; 128];

/// Where coefficients go, in the order of a file; what lies beyond the last one goes where there is none.
static ROOM: [u8; 2 * NOWHERE] = {
    let mut places = [COEFFICIENTS as u8; 2 * NOWHERE];
    let mut index = 0;
    while index < PLACES.len() {
        places[index] = PLACES[index];
        index += 1;
    }
    places
};

/// What the blocks of one component are read with.
#[derive(Debug)]
pub(super) struct Coding<'t> {
    first: &'t Huffman,
    others: &'t Huffman,
    pairs: Pairs,
    factors: Block,
    /// The first coefficient of the block before.
    before: i16,
}

impl<'t> Coding<'t> {
    /// With the codes of first coefficients and of all others, which are to be multiplied by `factors`.
    pub(super) fn new(first: &'t Huffman, others: &'t Huffman, factors: Block) -> Self {
        Self { first, others, pairs: Pairs::new(others), factors, before: 0 }
    }

    /// The next block, of which only the first coefficient is kept where that is enough; whether there are more, and `None` when there is no
    /// such code. The block must be empty.
    #[inline(always)]
    fn read<const KEPT: bool>(&mut self, source: &mut Bits<'_>, block: &mut Room) -> Option<bool> {
        // Of its own, so that it stays in registers.
        let mut bits = *source;
        bits.refill();
        let code = self.first.next(&bits)?;
        if code.run() != 0 {
            return None;
        }
        self.before = self.before.wrapping_add(code.taken(&mut bits));
        block[0] = self.before;
        let mut index = 1;
        while index < COEFFICIENTS {
            // Looked up before the bits are refilled, of which there are enough: so neither waits for the other.
            let pair = self.pairs.next(&bits);
            bits.refill();
            if pair.is_special() {
                let code = self.others.next(&bits)?;
                let value = code.taken(&mut bits);
                if code.bits() == 0 && code.run() < 15 {
                    break;
                }
                if KEPT && code.bits() > 0 {
                    put(block, index + code.run() as usize, value);
                }
                index += code.run() as usize + 1;
                continue;
            }
            let (place, value) = pair.first(&bits);
            if KEPT {
                put(block, index + place, value);
            }
            index += place + 1;
            if index >= COEFFICIENTS {
                // What follows belongs to the next block.
                bits.skip(pair.length_of_first());
                break;
            }
            let (place, step, value) = pair.second(&bits);
            if KEPT {
                put(block, index + place, value);
            }
            index += step;
            bits.skip(pair.length());
            if pair.ends() {
                break;
            }
        }
        // A run that leads beyond the last coefficient.
        if index > COEFFICIENTS {
            return None;
        }
        *source = bits;
        Some(KEPT && index > 1)
    }
}

#[inline(always)]
fn put(block: &mut Room, index: usize, value: i16) {
    block[usize::from(ROOM[index % ROOM.len()]) % block.len()] = value;
}

/// A block of a unit.
#[derive(Debug, Clone, Copy)]
struct Part {
    component: usize,
    /// Where it begins in its strip, in the first unit, and how much farther on in each further one.
    at: usize,
    step: usize,
    stride: usize,
    side: usize,
}

/// All blocks of a unit, in the order of a file.
fn parts(frame: &Frame, strips: &Strips) -> Vec<Part> {
    let mut parts = Vec::new();
    for (number, (component, strip)) in frame.components.iter().zip(&strips.0).enumerate() {
        let (side, stride) = (strip.side, strip.stride);
        let step = component.across * side;
        for row in 0..component.down {
            for column in 0..component.across {
                parts.push(Part { component: number, at: (row * stride + column) * side, step, stride, side });
            }
        }
    }
    parts
}

/// Reads a scan of all components into planes; `None` when it is damaged.
#[inline(always)]
pub(super) fn read<I: Idct>(
    idct: I,
    frame: &Frame,
    mut codings: [Coding<'_>; 3],
    mut restarts: Restarts,
    mut bits: Bits<'_>,
    strips: &mut Strips,
) -> Option<()> {
    let mut room = [0; 128];
    let parts = parts(frame, strips);
    for _ in 0..frame.units_down {
        for unit in 0..frame.units_across {
            if restarts.is_due() {
                bits = restarts.passed(bits)?;
                codings.iter_mut().for_each(|coding| coding.before = 0);
            }
            for part in &parts {
                let coding = &mut codings[part.component];
                let samples = &mut strips.0[part.component].samples[part.at + unit * part.step..];
                let has_more = match part.side {
                    1 => coding.read::<false>(&mut bits, &mut room)?,
                    _ => coding.read::<true>(&mut bits, &mut room)?,
                };
                let (block, _) = room.split_first_chunk_mut()?;
                if has_more {
                    idct.inverse(part.side, block, &coding.factors, samples, part.stride);
                    *block = [0; COEFFICIENTS];
                } else {
                    fill(flat(block[0], coding.factors[0]), part.side, samples, part.stride);
                }
            }
        }
        if bits.is_beyond() {
            return None;
        }
        strips.keep();
    }
    Some(())
}
