//! One image file directory of a TIFF, classic or Big: finds tags and reads their values, never beyond the file.

use crate::inspect::reader::Bytes;

/// Entries beyond this many are not looked at.
const ENTRIES_MAX: usize = 4096;

/// A TIFF as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    bytes: Bytes<'a>,
    /// BigTIFF: offsets and counts have 64 bits.
    big: bool,
}

impl<'a> File<'a> {
    /// The file and the place of its first directory.
    pub(crate) fn open(source: &'a [u8]) -> Option<(Self, usize)> {
        let bytes = match source.get(..2)? {
            b"II" => Bytes::little(source),
            b"MM" => Bytes::big(source),
            _ => return None,
        };
        let big = bytes.u16(2)? == 43;
        let first = if big { usize::try_from(bytes.u64(8)?).ok()? } else { bytes.u32(4)? as usize };
        Some((Self { bytes, big }, first))
    }

    /// These bytes, whose places count from their beginning, as a camera maker's notes within another file.
    pub(crate) fn of_notes(notes: &'a [u8], little: bool) -> Self {
        Self { bytes: if little { Bytes::little(notes) } else { Bytes::big(notes) }, big: false }
    }

    /// All of them.
    pub(crate) fn bytes(self) -> Bytes<'a> {
        self.bytes
    }

    /// The directory at this place, and the place of the next one (0: there is none).
    pub(crate) fn directory(self, at: usize) -> Option<(Directory<'a>, usize)> {
        let (count, entries, size) = if self.big {
            (usize::try_from(self.bytes.u64(at)?).ok()?, at.checked_add(8)?, 20)
        } else {
            (usize::from(self.bytes.u16(at)?), at.checked_add(2)?, 12)
        };
        let end = count.checked_mul(size).and_then(|length| entries.checked_add(length));
        let next = end.and_then(|end| {
            if self.big { usize::try_from(self.bytes.u64(end)?).ok() } else { Some(self.bytes.u32(end)? as usize) }
        });
        Some((Directory { file: self, entries, count: count.min(ENTRIES_MAX) }, next.unwrap_or(0)))
    }
}

/// A directory of a TIFF.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directory<'a> {
    file: File<'a>,
    entries: usize,
    count: usize,
}

/// Where the values of a tag are.
struct Values {
    kind: u16,
    count: usize,
    at: usize,
}

impl<'a> Directory<'a> {
    /// All bytes of the file, with its byte order.
    pub(crate) fn bytes(&self) -> Bytes<'a> {
        self.file.bytes
    }

    /// Whether the tag is there.
    pub(crate) fn has(&self, tag: u16) -> bool {
        self.find(tag).is_some()
    }

    /// The first value of a tag of whole numbers.
    pub(crate) fn number(&self, tag: u16) -> Option<u64> {
        let values = self.find(tag).filter(|values| values.count > 0)?;
        self.value(&values, 0)
    }

    /// All values of a tag of whole numbers; `None` when any lies outside the file.
    pub(crate) fn numbers(&self, tag: u16) -> Option<Vec<u64>> {
        let values = self.find(tag)?;
        // The last one first, so that a lying count allocates nothing.
        self.value(&values, values.count.checked_sub(1)?)?;
        (0..values.count).map(|index| self.value(&values, index)).collect()
    }

    /// All values of a tag of fractions.
    pub(super) fn fractions(&self, tag: u16) -> Option<Vec<f64>> {
        let values = self.find(tag).filter(|values| values.kind == 5 && values.count <= 16)?;
        let fraction = |index: usize| {
            let at = values.at + index * 8;
            Some(f64::from(self.file.bytes.u32(at)?) / f64::from(self.file.bytes.u32(at + 4)?.max(1)))
        };
        (0..values.count).map(fraction).collect()
    }

    /// The values of a tag as bytes.
    pub(crate) fn data(&self, tag: u16) -> Option<&'a [u8]> {
        let values = self.find(tag)?;
        self.file.bytes.slice(values.at, values.count.checked_mul(width(values.kind)?)?)
    }

    /// Where the values of a tag begin.
    pub(crate) fn place(&self, tag: u16) -> Option<usize> {
        self.find(tag).map(|values| values.at)
    }

    /// Where the directory begins that a tag points at, or that is its value.
    pub(crate) fn below(&self, tag: u16) -> Option<usize> {
        let values = self.find(tag)?;
        if values.count == 1 { usize::try_from(self.value(&values, 0)?).ok() } else { Some(values.at) }
    }

    fn value(&self, values: &Values, index: usize) -> Option<u64> {
        let bytes = self.file.bytes;
        let at = values.at.checked_add(index.checked_mul(width(values.kind)?)?)?;
        match values.kind {
            1 | 6 | 7 => bytes.u8(at).map(u64::from),
            3 | 8 => bytes.u16(at).map(u64::from),
            4 | 9 | 13 => bytes.u32(at).map(u64::from),
            16..=18 => bytes.u64(at),
            _ => None,
        }
    }

    fn find(&self, tag: u16) -> Option<Values> {
        let (bytes, big) = (self.file.bytes, self.file.big);
        let size = if big { 20 } else { 12 };
        let mut places = (0..self.count).map(|index| self.entries + index * size);
        let place = places.find(|place| bytes.u16(*place) == Some(tag))?;
        let kind = bytes.u16(place + 2)?;
        let (count, field, room) = if big {
            (usize::try_from(bytes.u64(place + 4)?).ok()?, place + 12, 8)
        } else {
            (bytes.u32(place + 4)? as usize, place + 8, 4)
        };
        let inline = count.checked_mul(width(kind)?)? <= room;
        let at = if inline {
            field
        } else if big {
            usize::try_from(bytes.u64(field)?).ok()?
        } else {
            bytes.u32(field)? as usize
        };
        Some(Values { kind, count, at })
    }
}

/// Bytes of one value of this type.
fn width(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16..=18 => Some(8),
        _ => None,
    }
}
