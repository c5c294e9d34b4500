//! The boxes of ISO/IEC 14496-12: length, type, content; a box that says it is longer than there is ends where the file does.

use crate::inspect::reader::Bytes;

/// More boxes than any picture has on one level.
const BOXES_MAX: usize = 8192;

/// One box.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Box<'a> {
    /// Four characters.
    pub(crate) kind: &'a [u8],
    /// What follows the header.
    pub(crate) content: Bytes<'a>,
}

impl<'a> Box<'a> {
    /// The version, the flags and what follows them, of a box that has these.
    pub(crate) fn full(&self) -> Option<(u8, u32, Bytes<'a>)> {
        let head = self.content.u32(0)?;
        Some(((head >> 24) as u8, head & 0xff_ffff, Bytes::big(self.content.rest(4))))
    }
}

/// The boxes in these bytes, one after the other; what is no box ends them.
pub(crate) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let bytes = Bytes::big(rest);
        let kind = bytes.slice(4, 4)?;
        let (header, length) = match bytes.u32(0)? {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(bytes.u64(8)?).ok()?),
            length => (8, length as usize),
        };
        let content = rest.get(header..length.min(rest.len())).filter(|_| length >= header)?;
        rest = rest.get(length..).unwrap_or_default();
        Some(Box { kind, content: Bytes::big(content) })
    })
    .take(BOXES_MAX)
}

/// The first box of a kind.
pub(crate) fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<Box<'a>> {
    boxes(bytes).find(|found| found.kind == kind)
}
