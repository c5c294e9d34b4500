//! Numbers at places of a byte slice; a place outside is `None`, never a panic.

/// Bytes with a byte order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Bytes<'a> {
    /// Least significant byte first.
    pub(crate) fn little(bytes: &'a [u8]) -> Self {
        Self { bytes, little: true }
    }

    /// Most significant byte first.
    pub(crate) fn big(bytes: &'a [u8]) -> Self {
        Self { bytes, little: false }
    }

    /// Whether the least significant byte comes first.
    pub(crate) fn is_little(self) -> bool {
        self.little
    }

    /// `length` bytes at `at`.
    pub(crate) fn slice(self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.bytes.get(at..at.checked_add(length)?)
    }

    /// From `at` to the end.
    pub(crate) fn rest(self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// One byte.
    pub(crate) fn u8(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Two bytes.
    pub(crate) fn u16(self, at: usize) -> Option<u16> {
        let bytes = self.slice(at, 2)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    /// Four bytes.
    pub(crate) fn u32(self, at: usize) -> Option<u32> {
        let bytes = self.slice(at, 4)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// Eight bytes.
    pub(crate) fn u64(self, at: usize) -> Option<u64> {
        let bytes = self.slice(at, 8)?.try_into().ok()?;
        Some(if self.little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }
}
