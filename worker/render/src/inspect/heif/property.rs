//! The properties of HEIF items that decide pixels.

use shared::domain::dimensions::Dimensions;

use crate::inspect::boxes::Box;
use crate::inspect::reader::Bytes;

/// What is known of an item besides its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Property<'a> {
    /// `ispe`: the size of what the item codes.
    Size(Dimensions),
    /// `clap`: only this part is shown.
    Aperture(Aperture),
    /// `irot`: quarter turns against the clock.
    Turn(u8),
    /// `imir`: whether left and right are exchanged, else top and bottom.
    Mirror(bool),
    /// `colr` with a profile.
    Profile(&'a [u8]),
    /// `colr` with numbers of ISO/IEC 23091-2.
    Colour(Colour),
    /// `hvcC`: the parameter sets of HEVC.
    Hevc(&'a [u8]),
    /// `av1C`: AV1's.
    Av1,
    /// `auxC`: the item is opacity.
    Alpha,
    /// One that must be understood and is not.
    Unknown,
}

/// Width, height and the centre's distance from the centre of the whole, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aperture {
    /// Columns.
    pub(crate) width: f64,
    /// Rows.
    pub(crate) height: f64,
    /// To the right.
    pub(crate) across: f64,
    /// Downwards.
    pub(crate) down: f64,
}

/// How numbers mean colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    /// Which red, green and blue.
    pub(crate) primaries: u16,
    /// Which curve.
    pub(crate) transfer: u16,
    /// How luma and chroma are made of them.
    pub(crate) matrix: u16,
    /// Whether black is 0, and not 16.
    pub(crate) full_range: bool,
}

const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];

/// What changes no pixel: depths, shapes of pixels, places, brightness of the screen, names, layers of AV1.
const HARMLESS: [&[u8; 4]; 12] =
    [b"pixi", b"pasp", b"rloc", b"clli", b"mdcv", b"cclv", b"amve", b"udes", b"altt", b"crtt", b"mdft", b"a1lx"];

/// `None` for those that change no pixel, and for damaged ones.
pub(super) fn property<'a>(found: &Box<'a>) -> Option<Property<'a>> {
    let content = found.content;
    match found.kind {
        b"ispe" => {
            let (_, _, bytes) = found.full()?;
            Dimensions::new(bytes.u32(0)?, bytes.u32(4)?).map(Property::Size)
        }
        b"clap" => aperture(content).map(Property::Aperture),
        b"irot" => content.u8(0).map(|angle| Property::Turn(angle & 3)),
        b"imir" => content.u8(0).map(|axis| Property::Mirror(axis & 1 == 1)),
        b"colr" => colour(content),
        b"hvcC" => Some(Property::Hevc(content.rest(0))),
        b"av1C" => Some(Property::Av1),
        b"auxC" => {
            let (_, _, bytes) = found.full()?;
            let name = bytes.rest(0).split(|byte| *byte == 0).next()?;
            ALPHA.contains(&name).then_some(Property::Alpha)
        }
        kind if HARMLESS.iter().any(|harmless| *harmless == kind) => None,
        _ => Some(Property::Unknown),
    }
}

fn aperture(bytes: Bytes<'_>) -> Option<Aperture> {
    let fraction = |at: usize| {
        let (above, below) = (bytes.u32(at)?.cast_signed(), bytes.u32(at + 4)?.cast_signed());
        (below != 0).then(|| f64::from(above) / f64::from(below))
    };
    Some(Aperture { width: fraction(0)?, height: fraction(8)?, across: fraction(16)?, down: fraction(24)? })
}

fn colour(bytes: Bytes<'_>) -> Option<Property<'_>> {
    match bytes.slice(0, 4)? {
        b"prof" | b"rICC" => Some(Property::Profile(bytes.rest(4))),
        b"nclx" => Some(Property::Colour(Colour {
            primaries: bytes.u16(4)?,
            transfer: bytes.u16(6)?,
            matrix: bytes.u16(8)?,
            full_range: bytes.u8(10)? & 0x80 != 0,
        })),
        _ => None,
    }
}
