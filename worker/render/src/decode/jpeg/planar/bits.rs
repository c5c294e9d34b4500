//! The bits of entropy-coded data, without the bytes that are stuffed behind `0xff`, up to the next marker.

use crate::jpeg::has_marker_byte;

/// Bits that are there after [`Bits::refill`], at the least.
#[cfg(test)]
const ENOUGH: u32 = 56;

/// What is left of the entropy-coded data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    source: &'a [u8],
    /// The next byte to read.
    at: usize,
    /// The next bits, from the top. Behind `count` of them there may be more, which will be read once again.
    buffer: u64,
    /// At most 63.
    count: u32,
    /// Zeros that were put in behind the last byte.
    invented: u32,
}

impl<'a> Bits<'a> {
    /// From this byte on.
    pub(super) fn new(source: &'a [u8], at: usize) -> Self {
        Self { source, at, buffer: 0, count: 0, invented: 0 }
    }

    /// Of the same source, from this byte on.
    pub(super) fn at(self, at: usize) -> Self {
        Self::new(self.source, at)
    }

    /// Makes sure that 56 bits can be taken: more than a code and a value have, or two of them that are looked up together.
    ///
    /// Asking first whether it is necessary would cost more: the answer cannot be guessed.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if let Some(bytes) = self.source.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_be_bytes(*bytes);
            let bytes = (63 - self.count) / 8;
            if !has_marker_byte(word & !(u64::MAX >> (bytes * 8))) {
                self.buffer |= word >> self.count;
                self.at += bytes as usize;
                self.count += bytes * 8;
                return;
            }
        }
        *self = self.refilled_bytewise();
    }

    /// The same, byte by byte. By value, so that everything can stay in registers where nothing is stuffed.
    #[cold]
    fn refilled_bytewise(mut self) -> Self {
        self.buffer &= !(u64::MAX >> self.count);
        while self.count < 56 {
            let byte = match (self.source.get(self.at), self.source.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff), _) | (None, _) => {
                    self.invented = self.invented.saturating_add(8);
                    0
                }
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// The next bits, at the bottom; at least one and at most 32. They are not taken.
    #[inline(always)]
    pub(super) fn peek(&self, bits: u32) -> usize {
        (self.buffer >> (64 - bits)) as usize
    }

    /// Takes bits that are there.
    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// Takes bits that are there, or none, which is 0; at most 32.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        let value = self.buffer >> 1 >> (63 - bits);
        self.skip(bits);
        value as u32
    }

    /// Takes one bit, which need not be there yet.
    #[inline(always)]
    pub(super) fn bit(&mut self) -> bool {
        self.refill();
        self.take(1) == 1
    }

    /// A value after so many bits, with 63 less its own number of bits; the first of them says whether it is positive (ITU-T T.81,
    /// F.2.2.1). Only the lowest six bits of both numbers count, which is how processors shift. Nothing is taken.
    #[inline(always)]
    pub(super) fn value(&self, before: u32, others: u32) -> i16 {
        let rest = self.buffer.wrapping_shl(before);
        // All bits of it, when it is negative.
        let missing = (u64::MAX >> 1).wrapping_shr(others) & !(rest.cast_signed() >> 63).cast_unsigned();
        (rest >> 1).wrapping_shr(others).wrapping_sub(missing) as i16
    }

    /// Whether more was taken than there was.
    pub(super) fn is_beyond(&self) -> bool {
        self.invented > self.count
    }

    /// The place of the next marker, and which it is.
    pub(super) fn marker(self) -> Option<(usize, u8)> {
        let mut at = self.at;
        loop {
            at += self.source.get(at..)?.iter().position(|byte| *byte == 0xff)?;
            match *self.source.get(at + 1)? {
                0xff => at += 1,
                0 => at += 2,
                marker => return Some((at, marker)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bits_come_once_whatever_is_stuffed() {
        let plain: Vec<u8> = (0..200_u32).map(|at| if at % 7 < 2 { 0xff } else { (at * 37) as u8 }).collect();
        let mut stuffed: Vec<u8> =
            plain.iter().flat_map(|byte| if *byte == 0xff { vec![0xff, 0] } else { vec![*byte] }).collect();
        stuffed.extend([0xff, 0xd9]);
        let mut bits = Bits::new(&stuffed, 0);
        let mut read = String::new();
        for length in (1..=32).cycle() {
            bits.refill();
            assert!(bits.count >= ENOUGH);
            if read.len() + length > plain.len() * 8 {
                break;
            }
            read += &format!("{:0length$b}", bits.take(length as u32));
        }
        let expected: String = plain.iter().map(|byte| format!("{byte:08b}")).collect();
        assert_eq!(read, expected[..read.len()]);
        assert!(!bits.is_beyond());
        assert_eq!(bits.marker(), Some((stuffed.len() - 2, 0xd9)));
        bits.skip(32);
        assert!(bits.is_beyond());
    }

    #[test]
    fn values_are_negative_when_their_first_bit_is_not_set() {
        let value = |byte: u8, bits: u32| {
            let source = [byte; 9];
            let mut all = Bits::new(&source, 0);
            all.refill();
            all.value(2, 63 - bits)
        };
        assert_eq!(value(0b1110_0000, 3), 4);
        assert_eq!(value(0b1101_1000, 3), -4);
        assert_eq!(value(0b1100_0000, 1), -1);
        assert_eq!(value(0b1110_0000, 1), 1);
        assert_eq!(value(0b1111_1111, 0), 0);
        assert_eq!(value(0b0000_0000, 0), 0);
    }
}
