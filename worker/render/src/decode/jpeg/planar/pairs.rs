//! Codes two by two: most are so short that one look-up finds both, and half of the waiting for look-ups is spared.

use super::bits::Bits;
use super::huffman::{Code, Huffman, LOOKED_UP};

/// Where a second value goes that is not there: beyond all coefficients, whatever is added to it.
pub(super) const NOWHERE: usize = 128;

/// A code with a value, perhaps a second one or the end of the block behind it, packed into what one instruction loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair(u64);

/// What a value is known by.
#[derive(Debug, Clone, Copy)]
struct Value {
    /// Bits before it, and 63 less its own.
    before: u32,
    others: u32,
    /// Where it goes: so many coefficients after the next one.
    place: usize,
    /// By how many coefficients it leads on, these included.
    step: usize,
}

impl Value {
    const NONE: Self = Self { before: 0, others: 63, place: NOWHERE, step: 0 };

    fn new(code: Code, before: u32) -> Self {
        let run = code.run() as usize;
        Self { before: before + code.length(), others: 63 - code.bits(), place: run, step: run + 1 }
    }
}

/// Fields of a pair, by their lowest bit.
impl Pair {
    const FIRST: u32 = 0;
    const SECOND: u32 = 12;
    /// From the beginning of a value.
    const OTHERS: u32 = 6;
    const LENGTH: u32 = 24;
    const SPECIAL: u32 = 30;
    const ENDS: u32 = 31;
    const FIRST_PLACE: u32 = 32;
    const SECOND_PLACE: u32 = 40;
    const SECOND_STEP: u32 = 48;

    /// No value comes first, or a long code.
    const NONE: Self = Self(1 << Self::SPECIAL);

    fn new(first: Value, second: Value, length: u32, ends: bool) -> Self {
        let value = |value: Value| u64::from(value.before | value.others << Self::OTHERS);
        Self(
            value(first) << Self::FIRST
                | value(second) << Self::SECOND
                | u64::from(length) << Self::LENGTH
                | u64::from(ends) << Self::ENDS
                | (first.place as u64) << Self::FIRST_PLACE
                | (second.place as u64) << Self::SECOND_PLACE
                | (second.step as u64) << Self::SECOND_STEP,
        )
    }

    /// Whether the code has to be read by itself.
    #[inline(always)]
    pub(super) fn is_special(self) -> bool {
        self.0 >> Self::SPECIAL & 1 == 1
    }

    /// Whether the block ends behind it.
    #[inline(always)]
    pub(super) fn ends(self) -> bool {
        self.0 >> Self::ENDS & 1 == 1
    }

    /// Bits of everything.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        (self.0 >> Self::LENGTH) as u32 & 63
    }

    /// Bits of the first code and its value.
    #[inline(always)]
    pub(super) fn length_of_first(self) -> u32 {
        (self.0 as u32 & 63) + 63 - ((self.0 >> Self::OTHERS) as u32 & 63)
    }

    /// Where the first value goes, so many coefficients after the next one, and the value itself.
    #[inline(always)]
    pub(super) fn first(self, bits: &Bits<'_>) -> (usize, i16) {
        let value = self.0 >> Self::FIRST;
        let place = (self.0 >> Self::FIRST_PLACE) as usize & 255;
        (place, bits.value(value as u32, (value >> Self::OTHERS) as u32))
    }

    /// The same of the second value, and by how many coefficients it leads on.
    #[inline(always)]
    pub(super) fn second(self, bits: &Bits<'_>) -> (usize, usize, i16) {
        let (place, step) = (self.0 >> Self::SECOND_PLACE, self.0 >> Self::SECOND_STEP);
        let value = self.0 >> Self::SECOND;
        (place as usize & 255, step as usize, bits.value(value as u32, (value >> Self::OTHERS) as u32))
    }
}

/// What can begin with as many bits as are looked up.
#[derive(Debug)]
pub(super) struct Pairs(Box<[Pair; 1 << LOOKED_UP]>);

impl Pairs {
    /// Of these codes.
    pub(super) fn new(table: &Huffman) -> Self {
        let mut pairs = Box::new([Pair::NONE; 1 << LOOKED_UP]);
        for (bits, pair) in pairs.iter_mut().enumerate() {
            let first = table.short(bits);
            if first.is_special() {
                continue;
            }
            let (value, before) = (Value::new(first, 0), first.length_in_all());
            let left = LOOKED_UP.saturating_sub(before);
            let second = table.short(bits << (LOOKED_UP - left));
            *pair = if second.is_long() || second.length() > left {
                Pair::new(value, Value::NONE, before, false)
            } else if second.bits() > 0 {
                Pair::new(value, Value::new(second, before), before + second.length_in_all(), false)
            } else if second.run() < 15 {
                Pair::new(value, Value::NONE, before + second.length(), true)
            } else {
                Pair::new(value, Value::NONE, before, false)
            };
        }
        Self(pairs)
    }

    /// The next ones. They are not taken.
    #[inline(always)]
    pub(super) fn next(&self, bits: &Bits<'_>) -> Pair {
        self.0[bits.peek(LOOKED_UP)]
    }
}
