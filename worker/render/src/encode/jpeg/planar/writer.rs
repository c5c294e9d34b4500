//! Bits into bytes, with a zero stuffed behind every `0xff`.

use crate::jpeg::has_marker_byte;

/// Entropy-coded data behind what is there already.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// The bits that are no whole word yet, at the bottom.
    buffer: u64,
    /// How many more it takes.
    free: u32,
}

impl Writer {
    /// Behind a header.
    pub(super) fn new(header: Vec<u8>) -> Self {
        Self { bytes: header, buffer: 0, free: u64::BITS }
    }

    /// Appends all of these bits, at most 32 at a time.
    #[inline(always)]
    pub(super) fn put_all(&mut self, all: impl Iterator<Item = (u32, u32)>) {
        // Of their own, so that they stay in registers.
        let (mut buffer, mut free) = (self.buffer, self.free);
        for (bits, count) in all {
            let bits = u64::from(bits);
            if count < free {
                buffer = buffer << count | bits;
                free -= count;
            } else {
                let rest = count - free;
                self.push(buffer.unbounded_shl(free) | bits >> rest);
                // Bits above the rest are pushed out before they are read.
                (buffer, free) = (bits, u64::BITS - rest);
            }
        }
        (self.buffer, self.free) = (buffer, free);
    }

    #[inline(always)]
    fn push(&mut self, word: u64) {
        if has_marker_byte(word) {
            self.stuff(&word.to_be_bytes());
        } else {
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
    }

    #[cold]
    fn stuff(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.bytes.push(*byte);
            if *byte == 0xff {
                self.bytes.push(0);
            }
        }
    }

    /// Everything, the last byte filled up with ones.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let count = u64::BITS - self.free;
        let missing = count.next_multiple_of(8) - count;
        self.put_all(std::iter::once(((1 << missing) - 1, missing)));
        if self.free < u64::BITS {
            let whole = (u64::BITS - self.free) as usize / 8;
            self.stuff(&(self.buffer << self.free).to_be_bytes()[..whole]);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_become_bytes_and_ff_is_stuffed() {
        for count in 1..=32_u32 {
            for total in [1, 7, 63, 64, 65, 300] {
                let mut writer = Writer::new(vec![1]);
                let bits = |at: u32| {
                    if at.is_multiple_of(3) { ((1_u64 << count) - 1) as u32 } else { at % (1 << (count - 1)) }
                };
                let mut expected = String::new();
                for at in 0..total {
                    writer.put_all(std::iter::once((bits(at), count)));
                    expected += &format!("{:0width$b}", bits(at), width = count as usize);
                }
                while !expected.len().is_multiple_of(8) {
                    expected.push('1');
                }
                let stuffed = writer.finish();
                let byte = |at: usize| u8::from_str_radix(&expected[at..at + 8], 2).unwrap();
                let bytes = (0..expected.len()).step_by(8).map(byte);
                let plain: Vec<u8> =
                    bytes.flat_map(|byte| if byte == 0xff { vec![0xff, 0] } else { vec![byte] }).collect();
                assert_eq!(stuffed[1..], plain, "{total} times {count} bits");
            }
        }
    }
}
