//! The items of a HEIF file: which there are, where their bytes are, and how they refer to one another.

use std::borrow::Cow;
use std::collections::BTreeMap;

use shared::domain::failure::Failure;

use super::property::{Property, property};
use crate::inspect::boxes::{Box, boxes, find};
use crate::inspect::reader::Bytes;
use crate::inspect::{corrupt, truncated, unsupported};

/// Items beyond this many are an attack: a picture of 250 megapixels has 1000 tiles of 512x512.
const ITEMS_MAX: usize = 4096;
/// Pieces that one item is stored in.
const EXTENTS_MAX: usize = 1024;

/// One item.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item<'a> {
    /// Four characters: `hvc1`, `av01`, `grid`, …
    pub(crate) kind: [u8; 4],
    /// In the order in which they apply.
    pub(crate) properties: Vec<Property<'a>>,
    /// Offset and length of each piece.
    extents: Vec<(u64, u64)>,
    in_idat: bool,
}

/// What one item has to do with others.
#[derive(Debug)]
struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

/// The `meta` box of a HEIF file.
#[derive(Debug)]
pub(crate) struct Heif<'a> {
    source: &'a [u8],
    idat: &'a [u8],
    items: BTreeMap<u32, Item<'a>>,
    references: Vec<Reference>,
    /// The item that is the picture.
    pub(crate) primary: u32,
}

impl<'a> Heif<'a> {
    /// Reads all items; no picture data is touched.
    pub(crate) fn open(source: &'a [u8]) -> Result<Self, Failure> {
        let meta = find(source, b"meta").and_then(|meta| meta.full());
        let (_, _, meta) = meta.ok_or_else(|| truncated("the HEIF ends before its items"))?;
        let within = |kind: &[u8; 4]| find(meta.rest(0), kind);
        let need = |kind: &'static [u8; 4]| {
            within(kind).ok_or_else(|| corrupt(format!("the HEIF has no {} box", String::from_utf8_lossy(kind))))
        };
        let primary = primary(&need(b"pitm")?).ok_or_else(|| corrupt("the HEIF's pitm box is damaged"))?;
        let mut heif = Self {
            source,
            idat: within(b"idat").map_or(&[], |idat| idat.content.rest(0)),
            items: kinds(&need(b"iinf")?).ok_or_else(|| corrupt("the HEIF's iinf box is damaged"))?,
            references: within(b"iref").and_then(|iref| references(&iref)).unwrap_or_default(),
            primary,
        };
        locate(&need(b"iloc")?, &mut heif.items).ok_or_else(|| corrupt("the HEIF's iloc box is damaged"))?;
        associate(&need(b"iprp")?, &mut heif.items)?;
        Ok(heif)
    }

    /// The item with this id.
    pub(crate) fn item(&self, id: u32) -> Result<&Item<'a>, Failure> {
        self.items.get(&id).ok_or_else(|| corrupt(format!("the HEIF has no item {id}")))
    }

    /// What an item is made of: its tiles, for a grid.
    pub(crate) fn parts(&self, id: u32) -> &[u32] {
        let of = self.references.iter().find(|reference| reference.kind == *b"dimg" && reference.from == id);
        of.map_or(&[], |reference| &reference.to)
    }

    /// The item that is the opacity of this one.
    pub(crate) fn alpha_of(&self, id: u32) -> Option<u32> {
        let belongs = |reference: &&Reference| reference.kind == *b"auxl" && reference.to.contains(&id);
        let mut of = self.references.iter().filter(belongs).map(|reference| reference.from);
        of.find(|aux| self.items.get(aux).is_some_and(Item::is_alpha))
    }

    /// An item's bytes, as many as there are; the length that it should have.
    pub(crate) fn bytes(&self, item: &Item<'a>) -> Result<(Cow<'a, [u8]>, u64), Failure> {
        let from = if item.in_idat { self.idat } else { self.source };
        let piece = |(at, length): &(u64, u64)| {
            let rest = usize::try_from(*at).ok().and_then(|at| from.get(at..)).unwrap_or_default();
            let length = if *length == 0 { rest.len() } else { usize::try_from(*length).unwrap_or(usize::MAX) };
            &rest[..length.min(rest.len())]
        };
        let expected = item.extents.iter().fold(0_u64, |sum, (_, length)| sum.saturating_add(*length));
        match item.extents.as_slice() {
            [] => Err(corrupt("a HEIF item is nowhere")),
            [one] => Ok((Cow::Borrowed(piece(one)), expected)),
            // Pieces may overlap, but not to more than the file has.
            many if expected > self.source.len() as u64 => {
                Err(corrupt(format!("a HEIF item in {} pieces is longer than its file", many.len())))
            }
            many => Ok((Cow::Owned(many.iter().flat_map(piece).copied().collect()), expected)),
        }
    }
}

impl Item<'_> {
    /// Whether it says of itself that it is opacity.
    fn is_alpha(&self) -> bool {
        self.properties.iter().any(|property| matches!(property, Property::Alpha))
    }
}

fn primary(pitm: &Box<'_>) -> Option<u32> {
    let (version, _, bytes) = pitm.full()?;
    id(version > 0, bytes, 0).map(|(id, _)| id)
}

/// An item's id of two or four bytes, and where what follows begins.
fn id(wide: bool, bytes: Bytes<'_>, at: usize) -> Option<(u32, usize)> {
    if wide { Some((bytes.u32(at)?, at + 4)) } else { Some((bytes.u16(at)?.into(), at + 2)) }
}

fn kinds<'a>(iinf: &Box<'a>) -> Option<BTreeMap<u32, Item<'a>>> {
    let (version, _, bytes) = iinf.full()?;
    let entries = bytes.rest(if version == 0 { 2 } else { 4 });
    let entry = |infe: Box<'a>| {
        let (version, _, bytes) = infe.full()?;
        let (id, at) = id(version > 2, bytes, 0)?;
        let kind = bytes.slice(at + 2, 4)?.try_into().ok()?;
        Some((id, Item { kind, ..Item::default() }))
    };
    Some(boxes(entries).filter(|found| found.kind == b"infe").take(ITEMS_MAX).filter_map(entry).collect())
}

fn locate(iloc: &Box<'_>, items: &mut BTreeMap<u32, Item<'_>>) -> Option<()> {
    let (version, _, bytes) = iloc.full()?;
    let sizes = bytes.u16(0)?;
    let size = |shift: u32| usize::from(sizes >> shift & 15);
    let (offset_size, length_size, base_size) = (size(12), size(8), size(4));
    let index_size = if version > 0 { size(0) } else { 0 };
    let number = |at: usize, size: usize| match size {
        0 => Some(0),
        4 => bytes.u32(at).map(u64::from),
        8 => bytes.u64(at),
        _ => None,
    };
    let (count, mut at) = id(version > 1, bytes, 2)?;
    for _ in 0..count.min(ITEMS_MAX as u32) {
        let (item, next) = id(version > 1, bytes, at)?;
        at = next;
        let method = if version > 0 { bytes.u16(at)? & 15 } else { 0 };
        at += if version > 0 { 4 } else { 2 };
        let base = number(at, base_size)?;
        let extents = usize::from(bytes.u16(at + base_size)?);
        at += base_size + 2;
        let mut pieces = Vec::new();
        for _ in 0..extents.min(EXTENTS_MAX) {
            let offset = number(at + index_size, offset_size)?;
            pieces.push((base.checked_add(offset)?, number(at + index_size + offset_size, length_size)?));
            at += index_size + offset_size + length_size;
        }
        // Other items' data (2) is how no camera stores pictures.
        if let Some(item) = items.get_mut(&item).filter(|_| method < 2) {
            (item.extents, item.in_idat) = (pieces, method == 1);
        }
    }
    Some(())
}

fn references(iref: &Box<'_>) -> Option<Vec<Reference>> {
    let (version, _, bytes) = iref.full()?;
    let entry = |found: Box<'_>| {
        let (from, at) = id(version > 0, found.content, 0)?;
        let count = usize::from(found.content.u16(at)?).min(ITEMS_MAX);
        let size = if version > 0 { 4 } else { 2 };
        let to = (0..count).map_while(|index| id(version > 0, found.content, at + 2 + index * size).map(|(to, _)| to));
        Some(Reference { kind: found.kind.try_into().ok()?, from, to: to.collect() })
    };
    Some(boxes(bytes.rest(0)).take(ITEMS_MAX).filter_map(entry).collect())
}

fn associate<'a>(iprp: &Box<'a>, items: &mut BTreeMap<u32, Item<'a>>) -> Result<(), Failure> {
    let damaged = || corrupt("the HEIF's properties are damaged");
    let container = find(iprp.content.rest(0), b"ipco").ok_or_else(damaged)?;
    let known: Vec<_> = boxes(container.content.rest(0)).map(|found| property(&found)).collect();
    for ipma in boxes(iprp.content.rest(0)).filter(|found| found.kind == b"ipma") {
        for (item, index, essential) in associations(&ipma).ok_or_else(damaged)? {
            let Some(item) = items.get_mut(&item) else { continue };
            match index.checked_sub(1).map(|index| known.get(index)) {
                // Index 0 is no property at all.
                None => {}
                Some(None) => return Err(corrupt("a HEIF item has a property that does not exist")),
                Some(Some(Some(Property::Unknown))) if !essential => {}
                Some(Some(Some(property))) => item.properties.push(property.clone()),
                Some(Some(None)) => {}
            }
        }
    }
    Ok(())
}

/// Item, number of the property counted from 1, whether it must be understood.
fn associations(ipma: &Box<'_>) -> Option<Vec<(u32, usize, bool)>> {
    let (version, flags, bytes) = ipma.full()?;
    let mut all = Vec::new();
    let mut at = 4;
    for _ in 0..bytes.u32(0)?.min(ITEMS_MAX as u32) {
        let (item, next) = id(version > 0, bytes, at)?;
        let count = usize::from(bytes.u8(next)?);
        at = next + 1;
        for _ in 0..count {
            let (value, width, bits) = match flags & 1 {
                1 => (bytes.u16(at)?, 2, 15),
                _ => (bytes.u8(at)?.into(), 1, 7),
            };
            all.push((item, usize::from(value & ((1 << bits) - 1)), value >> bits == 1));
            at += width;
        }
    }
    Some(all)
}

/// An item whose essential property nobody here understands would be shown wrongly.
pub(crate) fn refuse_unknown(item: &Item<'_>) -> Result<(), Failure> {
    if item.properties.iter().any(|property| matches!(property, Property::Unknown)) {
        return Err(unsupported("the HEIF needs a property that is not read"));
    }
    Ok(())
}
