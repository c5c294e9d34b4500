//! Reads a source from front to back, and tells which parts of it were passed.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::request::SourceMemory;

/// How much is passed at a time, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// A source as a reader.
#[derive(Debug)]
pub(super) struct Forward<'a> {
    source: &'a [u8],
    memory: &'a dyn SourceMemory,
    at: usize,
    /// Up to here it was told.
    told: usize,
}

impl<'a> Forward<'a> {
    /// At the beginning of the source.
    pub(super) fn new(source: &'a [u8], memory: &'a dyn SourceMemory) -> Self {
        Self { source, memory, at: 0, told: 0 }
    }
}

impl Read for Forward<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(target)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Forward<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let end = self.at.saturating_add(PIECE_BYTES).min(self.source.len());
        Ok(self.source.get(self.at..end).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.at.saturating_add(amount).min(self.source.len());
        if self.at.saturating_sub(self.told) >= PIECE_BYTES {
            self.memory.passed(&self.source[self.told..self.at]);
            self.told = self.at;
        }
    }
}

impl Seek for Forward<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(offset) => (self.at as u64, offset),
            SeekFrom::End(offset) => (self.source.len() as u64, offset),
        };
        let at = from.checked_add_signed(offset).and_then(|at| usize::try_from(at).ok());
        self.at = at.filter(|at| *at <= self.source.len()).ok_or(io::ErrorKind::InvalidInput)?;
        self.told = self.told.min(self.at);
        Ok(self.at as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Debug, Default)]
    struct Told(RefCell<Vec<(u8, usize)>>);

    impl SourceMemory for Told {
        fn passed(&self, bytes: &[u8]) {
            self.0.borrow_mut().push((bytes[0], bytes.len()));
        }
    }

    #[test]
    fn what_was_passed_is_told_once_and_what_is_read_again_once_more() {
        let source: Vec<u8> = (0..5).flat_map(|piece| vec![piece; PIECE_BYTES / 2]).collect();
        let told = Told::default();
        let mut forward = Forward::new(&source, &told);
        let mut all = Vec::new();
        forward.read_to_end(&mut all).unwrap();
        assert_eq!(all, source);
        assert_eq!(*told.0.borrow(), [(0, PIECE_BYTES), (2, PIECE_BYTES)]);
        assert_eq!(forward.seek(SeekFrom::Current(-(PIECE_BYTES as i64))).unwrap(), (PIECE_BYTES * 3 / 2) as u64);
        forward.read_to_end(&mut all).unwrap();
        assert_eq!(told.0.borrow()[2..], [(3, PIECE_BYTES)]);
        assert!(forward.seek(SeekFrom::End(1)).is_err());
    }
}
