//! Restart markers, at which a decoder begins anew.

use super::bits::Bits;

/// The first of the eight markers, which take turns.
const FIRST: u8 = 0xd0;

/// When the next one is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Restarts {
    /// Units from one to the next; 0 for none.
    interval: u32,
    left: u32,
    next: u8,
}

impl Restarts {
    /// At the beginning of a scan.
    pub(super) fn new(interval: u32) -> Self {
        Self { interval, left: interval, next: 0 }
    }

    /// Asked before every unit.
    #[inline(always)]
    pub(super) fn is_due(&mut self) -> bool {
        if self.interval == 0 {
            return false;
        }
        let due = self.left == 0;
        self.left = if due { self.interval } else { self.left } - 1;
        due
    }

    /// The bits behind the marker that is due; `None` when another one comes, or the data ended before.
    #[cold]
    pub(super) fn passed<'a>(&mut self, bits: Bits<'a>) -> Option<Bits<'a>> {
        let (at, marker) = bits.marker()?;
        let expected = FIRST + self.next;
        self.next = (self.next + 1) % 8;
        (marker == expected && !bits.is_beyond()).then(|| bits.at(at + 2))
    }
}
