//! The header of a HEIF file (ISO/IEC 23008-12), which is what both HEIC and AVIF are: items with properties.
//!
//! | file | what it reads |
//! |---|---|
//! | `items.rs` | the items: kinds, places, references |
//! | `property.rs` | sizes, turns, colours |

mod items;
mod property;

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;
use shared::domain::format::SourceFormat;

pub(crate) use self::items::{Heif, Item, refuse_unknown};
pub(crate) use self::property::{Colour, Property};
use super::{PageHeader, corrupt, unsupported};
use crate::geometry::Area;
use crate::inspect::boxes;
use crate::inspect::reader::Bytes;
use crate::orient::Orientation;

/// Brands beyond this many are not looked at.
const BRANDS_MAX: usize = 64;

/// The format that the file type box tells, if it is one of these two.
pub(crate) fn format(source: &[u8]) -> Option<SourceFormat> {
    let file_type = boxes::boxes(source).next().filter(|first| first.kind == b"ftyp")?;
    let brands = file_type.content;
    let has = |wanted: &[&[u8; 4]]| {
        let places = std::iter::once(0).chain((8..).step_by(4)).take(BRANDS_MAX);
        let mut named = places.map_while(|at| brands.slice(at, 4));
        named.any(|brand| wanted.iter().any(|wanted| *wanted == brand))
    };
    if has(&[b"avif", b"avis"]) {
        Some(SourceFormat::Avif)
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Some(SourceFormat::Heic)
    } else {
        None
    }
}

/// What is to be shown of the primary item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// The size of what is coded.
    pub(crate) coded: Dimensions,
    /// The part of it that is shown, in whole pixels.
    pub(crate) part: Area,
    /// The part's dimensions and orientation.
    pub(crate) page: PageHeader,
}

/// Dimensions and orientation from the properties of the primary item.
pub(crate) fn header(source: &[u8]) -> Result<PageHeader, Failure> {
    let is_sequence = boxes::find(source, b"ftyp").is_some_and(|found| found.content.slice(0, 4) == Some(b"avis"));
    if is_sequence && boxes::find(source, b"moov").is_none() {
        return Err(corrupt("the AVIF says that it is a sequence, and has no tracks"));
    }
    let heif = Heif::open(source)?;
    Ok(shown(heif.item(heif.primary)?)?.page)
}

/// The size, the aperture and then the turns, as they are listed.
pub(crate) fn shown(item: &Item<'_>) -> Result<Shown, Failure> {
    refuse_unknown(item)?;
    let coded = coded(item)?;
    let mut part = Area::whole(coded);
    let mut orientation = Orientation::NORMAL;
    for property in &item.properties {
        match property {
            // An aperture after a turn is against the standard.
            Property::Aperture(aperture) if orientation == Orientation::NORMAL => {
                let shown = aperture.part(coded);
                // Browsers crop AVIF from the top left only, and ignore any other aperture.
                if item.kind != *b"av01" || (shown.left, shown.top) == (0.0, 0.0) {
                    part = shown;
                }
            }
            Property::Turn(quarters) => orientation = orientation.then_turned(4 - quarters),
            Property::Mirror(true) => orientation = orientation.then_mirrored(),
            Property::Mirror(false) => orientation = orientation.then_mirrored().then_turned(2),
            _ => {}
        }
    }
    // `part` is within `coded`, whose sides are 32-bit.
    let dimensions = Dimensions { width: part.width as u32, height: part.height as u32 };
    Ok(Shown { coded, part, page: PageHeader { dimensions, orientation } })
}

/// The size that an item has by its property.
pub(crate) fn coded(item: &Item<'_>) -> Result<Dimensions, Failure> {
    let size = item.properties.iter().find_map(|property| match property {
        Property::Size(size) => Some(*size),
        _ => None,
    });
    size.ok_or_else(|| corrupt("a HEIF item has no size"))
}

impl property::Aperture {
    /// Whole pixels inside the coded picture; an aperture that shows nothing is none.
    fn part(&self, coded: Dimensions) -> Area {
        let (width, height) = (f64::from(coded.width), f64::from(coded.height));
        let side = |length: f64, whole: f64| length.round().clamp(0.0, whole);
        let (shown_width, shown_height) = (side(self.width, width), side(self.height, height));
        if shown_width < 1.0 || shown_height < 1.0 {
            return Area::whole(coded);
        }
        let place =
            |whole: f64, shown: f64, moved: f64| ((whole - shown) / 2.0 + moved).round().clamp(0.0, whole - shown);
        Area {
            left: place(width, shown_width, self.across),
            top: place(height, shown_height, self.down),
            width: shown_width,
            height: shown_height,
        }
    }
}

/// Pictures before one another.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// Of the canvas.
    pub(crate) size: Dimensions,
    /// Its colour and opacity.
    pub(crate) fill: [u8; 4],
    /// Where the first pixel of each layer lies, the lowest layer first.
    pub(crate) places: Vec<(i64, i64)>,
}

/// An overlay of so many layers, from its item's bytes.
pub(crate) fn overlay(bytes: &[u8], layers: usize) -> Result<Overlay, Failure> {
    let bytes = Bytes::big(bytes);
    let read = || {
        let wide = bytes.u8(1)? & 1 == 1;
        let number = |index: usize| {
            if wide {
                bytes.u32(10 + index * 4).map(|value| i64::from(value.cast_signed()))
            } else {
                bytes.u16(10 + index * 2).map(|value| i64::from(value.cast_signed()))
            }
        };
        let side = |index: usize| u32::try_from(number(index)?).ok();
        let size = Dimensions::new(side(0)?, side(1)?)?;
        let fill = [bytes.u8(2)?, bytes.u8(4)?, bytes.u8(6)?, bytes.u8(8)?];
        let places = (0..layers).map(|layer| number(2 + layer * 2).zip(number(3 + layer * 2)));
        Some(Overlay { size, fill, places: places.collect::<Option<_>>()? })
    };
    read().ok_or_else(|| corrupt("a HEIF overlay is damaged"))
}

/// The columns, rows and size of a grid, from its item's bytes.
pub(crate) fn grid(bytes: &[u8]) -> Result<(u32, u32, Dimensions), Failure> {
    let bytes = Bytes::big(bytes);
    let read = || {
        let wide = bytes.u8(1)? & 1 == 1;
        let (rows, columns) = (u32::from(bytes.u8(2)?) + 1, u32::from(bytes.u8(3)?) + 1);
        let side = |index: usize| {
            if wide { bytes.u32(4 + index * 4) } else { bytes.u16(4 + index * 2).map(u32::from) }
        };
        Some((columns, rows, Dimensions::new(side(0)?, side(1)?)?))
    };
    match bytes.u8(0) {
        Some(0) => read().ok_or_else(|| corrupt("a HEIF grid is damaged")),
        _ => Err(unsupported("a HEIF grid of another version")),
    }
}
