//! Huffman codes, looked up together with the number of bits that follow them.

use super::bits::Bits;

/// Bits of a code that are looked up at once; nearly all codes are shorter.
pub(super) const LOOKED_UP: u32 = 10;
/// Bits of the longest code.
const LONGEST: u32 = 16;

/// A code and what is to be known of its symbol, which is a run of zeros (the upper four bits) and the bits of the value that
/// follows (the lower four).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u32);

impl Code {
    /// A code that is longer than what is looked up.
    const LONG: Self = Self(1 << 31);

    fn new(length: u32, symbol: u8) -> Self {
        let (run, bits) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let has_no_value = u32::from(bits == 0);
        Self((length + bits) | length << 8 | bits << 16 | run << 24 | has_no_value << 31)
    }

    /// Whether no value follows, because a block or a band ends or a run is longer, or the code has yet to be found.
    #[inline(always)]
    pub(super) fn is_special(self) -> bool {
        self.0 >> 31 == 1
    }

    /// Whether the code has yet to be found.
    pub(super) fn is_long(self) -> bool {
        self == Self::LONG
    }

    /// Bits of the code and of its value.
    #[inline(always)]
    pub(super) fn length_in_all(self) -> u32 {
        self.0 & 63
    }

    /// Bits of the code.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        self.0 >> 8 & 31
    }

    /// Bits of the value.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.0 >> 16 & 15
    }

    /// Zeros before the value.
    #[inline(always)]
    pub(super) fn run(self) -> u32 {
        self.0 >> 24 & 15
    }

    /// Takes the code and its value, which must be there.
    #[inline(always)]
    pub(super) fn taken(self, bits: &mut Bits<'_>) -> i16 {
        let value = bits.value(self.length(), 63 - self.bits());
        bits.skip(self.length_in_all());
        value
    }
}

/// A table of codes (ITU-T T.81, annex C).
#[derive(Debug, Clone)]
pub(super) struct Huffman {
    short: Box<[Code; 1 << LOOKED_UP]>,
    /// For each length, what its codes and all shorter ones are less than, in 16 bits.
    limits: [u32; LONGEST as usize + 1],
    /// For each length, its first symbol less its first code, modulo 2³².
    offsets: [u32; LONGEST as usize + 1],
    symbols: Vec<u8>,
}

impl Huffman {
    /// From the number of codes of each length and their symbols; `None` when there are more codes than there can be.
    pub(super) fn new(counts: &[u8; LONGEST as usize], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: Box::new([Code::LONG; 1 << LOOKED_UP]),
            limits: [0; LONGEST as usize + 1],
            offsets: [0; LONGEST as usize + 1],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut symbol) = (0_u32, 0_u32);
        for (length, count) in (1..=LONGEST).zip(counts.map(u32::from)) {
            table.offsets[length as usize] = symbol.wrapping_sub(code);
            for _ in 0..count {
                if length <= LOOKED_UP {
                    let known = Code::new(length, *symbols.get(symbol as usize)?);
                    let spare = LOOKED_UP - length;
                    table.short.get_mut((code << spare) as usize..((code + 1) << spare) as usize)?.fill(known);
                }
                (code, symbol) = (code + 1, symbol + 1);
            }
            // A code of ones only is not allowed.
            if count > 0 && code >= 1 << length {
                return None;
            }
            table.limits[length as usize] = code << (LONGEST - length);
            code <<= 1;
        }
        (symbol as usize == symbols.len()).then_some(table)
    }

    /// What begins with these bits, as many as are looked up.
    #[inline(always)]
    pub(super) fn short(&self, bits: usize) -> Code {
        self.short[bits % (1 << LOOKED_UP)]
    }

    /// The next code; `None` when there is no such code. Its bits must be there; they are not taken.
    #[inline(always)]
    pub(super) fn next(&self, bits: &Bits<'_>) -> Option<Code> {
        match self.short(bits.peek(LOOKED_UP)) {
            Code::LONG => self.long(bits.peek(LONGEST)),
            code => Some(code),
        }
    }

    #[cold]
    fn long(&self, next: usize) -> Option<Code> {
        let length = (LOOKED_UP + 1..=LONGEST).find(|length| next < self.limits[*length as usize] as usize)?;
        let code = (next >> (LONGEST - length)) as u32;
        let symbol = self.symbols.get(code.wrapping_add(self.offsets[length as usize]) as usize)?;
        Some(Code::new(length, *symbol))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two codes of 2 bits, one of 3, one of 12: 00, 01, 100 and 101000000000.
    fn table() -> Huffman {
        let mut counts = [0; 16];
        (counts[1], counts[2], counts[11]) = (2, 1, 1);
        Huffman::new(&counts, &[0x00, 0x01, 0x32, 0xf5]).unwrap()
    }

    #[test]
    fn codes_are_found_whatever_their_length() {
        let found = |first: u8, second: u8| {
            let source = [first, second, 0, 0, 0, 0, 0, 0];
            let mut bits = Bits::new(&source, 0);
            bits.refill();
            table().next(&bits).map(|code| (code.length(), code.run(), code.bits()))
        };
        assert_eq!(found(0b0011_1111, 0), Some((2, 0, 0)));
        assert_eq!(found(0b0111_1111, 0), Some((2, 0, 1)));
        assert_eq!(found(0b1001_1111, 0), Some((3, 3, 2)));
        assert_eq!(found(0b1010_0000, 0b0000_1111), Some((12, 15, 5)));
        assert_eq!(found(0b1010_0000, 0b0001_1111), None);
        assert_eq!(found(0b1111_1111, 0b0000_0000), None);
    }

    #[test]
    fn more_codes_than_there_are_bits_for_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[0, 1, 2]).is_none());
        counts[0] = 2;
        assert!(Huffman::new(&counts, &[0, 1]).is_none(), "of ones only");
        counts[0] = 1;
        assert!(Huffman::new(&counts, &[0]).is_some());
        assert!(Huffman::new(&counts, &[]).is_none());
    }
}
