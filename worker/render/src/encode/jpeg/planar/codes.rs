//! Huffman codes: those that make a picture's symbols shortest, and how to look up what a symbol becomes.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::jpeg::Codes;

/// Bits of the longest code.
const LONGEST: usize = 16;
/// A symbol that no file has: it takes the code of ones only, which is not allowed.
const NO_SYMBOL: usize = 256;

/// The shortest codes for symbols that come so often (ITU-T T.81, K.2).
pub(super) fn optimal(counts: &[u32; 256]) -> Codes<'static> {
    let lengths = lengths(counts);
    let mut of_length = [0_u32; NO_SYMBOL + 1];
    lengths.iter().filter(|length| **length > 0).for_each(|length| of_length[*length] += 1);
    shorten(&mut of_length);
    // The code that is not allowed is one of the longest.
    if let Some(longest) = of_length.iter_mut().rfind(|count| **count > 0) {
        *longest -= 1;
    }
    let mut symbols: Vec<usize> = (0..NO_SYMBOL).filter(|symbol| lengths[*symbol] > 0).collect();
    symbols.sort_by_key(|symbol| lengths[*symbol]);
    Codes {
        counts: std::array::from_fn(|index| of_length[index + 1] as u8),
        symbols: Cow::Owned(symbols.into_iter().map(|symbol| symbol as u8).collect()),
    }
}

/// How many bits each symbol would have, were there no longest code: the two rarest become one, again and again. Of those that are as
/// rare, the ones with larger numbers come first.
fn lengths(counts: &[u32; 256]) -> [usize; NO_SYMBOL + 1] {
    let mut lengths = [0; NO_SYMBOL + 1];
    // The symbols that became one with this one, each naming the next.
    let mut next = [None; NO_SYMBOL + 1];
    let occurring = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut heap: BinaryHeap<(Reverse<u32>, usize)> =
        occurring.map(|(symbol, count)| (Reverse(*count), symbol)).chain([(Reverse(1), NO_SYMBOL)]).collect();
    while let (Some((Reverse(rarest), symbol)), Some((Reverse(second), other))) = (heap.pop(), heap.pop()) {
        let mut last = symbol;
        lengths[last] += 1;
        while let Some(following) = next[last] {
            last = following;
            lengths[last] += 1;
        }
        next[last] = Some(other);
        let mut member = Some(other);
        while let Some(symbol) = member {
            lengths[symbol] += 1;
            member = next[symbol];
        }
        heap.push((Reverse(rarest.saturating_add(second)), symbol));
    }
    lengths
}

/// Makes the longest codes shorter, two at a time: one takes their prefix, the other shares that of a shorter code.
fn shorten(of_length: &mut [u32; NO_SYMBOL + 1]) {
    for length in (LONGEST + 1..of_length.len()).rev() {
        while of_length[length] > 0 {
            let shorter = (1..length - 1).rev().find(|shorter| of_length[*shorter] > 0).unwrap_or(1);
            of_length[length] -= 2;
            of_length[length - 1] += 1;
            of_length[shorter + 1] += 2;
            of_length[shorter] -= 1;
        }
    }
}

/// The code of each symbol.
#[derive(Debug)]
pub(super) struct CodeTable([(u32, u32); 256]);

impl CodeTable {
    /// Of codes as a file has them (ITU-T T.81, annex C).
    pub(super) fn new(codes: &Codes<'_>) -> Self {
        let mut table = [(0, 0); 256];
        let (mut code, mut symbols) = (0, codes.symbols.iter());
        for (length, count) in (1..).zip(codes.counts) {
            for symbol in symbols.by_ref().take(count.into()) {
                table[usize::from(*symbol)] = (code, length);
                code += 1;
            }
            code <<= 1;
        }
        Self(table)
    }

    /// The code and its bits.
    #[inline(always)]
    pub(super) fn of(&self, symbol: u8) -> (u32, u32) {
        self.0[usize::from(symbol)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(usize, u32)]) -> Codes<'static> {
        let mut all = [0; 256];
        counts.iter().for_each(|(symbol, count)| all[*symbol] = *count);
        optimal(&all)
    }

    #[test]
    fn the_most_common_symbols_have_the_shortest_codes() {
        let codes = of(&[(7, 100), (1, 30), (9, 20), (4, 2)]);
        assert_eq!(*codes.symbols, [7, 1, 9, 4]);
        assert_eq!(codes.counts[..5], [1, 1, 1, 1, 0]);
    }

    #[test]
    fn no_code_is_longer_than_sixteen_bits_or_all_ones() {
        let rare: Vec<(usize, u32)> = (0..30).map(|symbol| (symbol, 1 << symbol)).collect();
        let even: Vec<(usize, u32)> = (0..256).map(|symbol| (symbol, 5)).collect();
        for counts in [rare, even, vec![(0, 1)], vec![(3, 9), (200, 9)]] {
            let codes = of(&counts);
            assert_eq!(codes.counts.iter().copied().map(usize::from).sum::<usize>(), counts.len());
            assert_eq!(codes.symbols.len(), counts.len());
            let taken: u32 = (1..).zip(codes.counts).map(|(length, count)| u32::from(count) << (16 - length)).sum();
            assert!(taken < 1 << 16, "one code is left, which is all ones");
        }
    }
}
