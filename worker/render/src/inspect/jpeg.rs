//! The markers of a JPEG up to its first scan.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, corrupt, dimensions, truncated, unsupported};
use crate::exif;
use crate::orient::Orientation;

/// What the decoder needs to know before it begins.
#[derive(Debug, Clone)]
pub(crate) struct JpegHeader {
    /// Dimensions and orientation.
    pub(crate) page: PageHeader,
    /// 1 for grey, 3 for colour, 4 for ink.
    pub(crate) components: u8,
    /// Whether an Adobe marker is there, which means that ink is stored inverted.
    pub(crate) adobe: bool,
    /// Whether the picture is refined over many scans.
    pub(crate) progressive: bool,
    /// How much finer luma is than chroma; `None` for anything but one luma and two chromas in a usual sampling.
    pub(crate) sampling: Option<Sampling>,
    /// The colour profile, put together from its pieces.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Luma samples for one of chroma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sampling {
    /// 1, 2 or 4.
    pub(crate) across: u32,
    /// 1 or 2.
    pub(crate) down: u32,
}

/// Pieces of a colour profile by their number, of how many.
type Pieces<'a> = Vec<(u8, u8, &'a [u8])>;

/// Reads the markers before the first scan.
pub(crate) fn header(source: &[u8]) -> Result<JpegHeader, Failure> {
    let mut frame = None;
    let mut orientation = None;
    let mut adobe = false;
    let mut pieces = Pieces::new();
    for (marker, payload) in Segments::new(source) {
        match marker {
            0xc0..=0xc2 if frame.is_none() => frame = Some((marker, payload)),
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(unsupported(format!(
                    "JPEG coding process {}: lossless, hierarchical or arithmetic",
                    marker - 0xc0
                )));
            }
            0xe1 if payload.starts_with(b"Exif\0\0") && orientation.is_none() => {
                orientation = Some(exif::orientation(payload));
            }
            0xe2 => pieces.extend(profile_piece(payload)),
            0xee => adobe |= payload.starts_with(b"Adobe"),
            _ => {}
        }
    }
    let (marker, frame) = frame.ok_or_else(|| truncated("the JPEG ends before its frame header"))?;
    let (precision, size, components) = frame_facts(frame).ok_or_else(|| corrupt("the JPEG's frame header is cut"))?;
    if precision != 8 {
        return Err(unsupported(format!("JPEG with {precision} bits a sample")));
    }
    if !matches!(components, 1 | 3 | 4) {
        return Err(unsupported(format!("JPEG with {components} components")));
    }
    Ok(JpegHeader {
        page: PageHeader {
            dimensions: dimensions(size.0.into(), size.1.into())?,
            orientation: orientation.unwrap_or(Orientation::NORMAL),
        },
        components,
        adobe,
        progressive: marker == 0xc2,
        sampling: sampling(frame).filter(|_| components == 3),
        profile: joined(pieces),
    })
}

/// Precision, columns and rows, components.
fn frame_facts(frame: &[u8]) -> Option<(u8, (u16, u16), u8)> {
    let bytes = Bytes::big(frame);
    Some((bytes.u8(0)?, (bytes.u16(3)?, bytes.u16(1)?), bytes.u8(5)?))
}

fn sampling(frame: &[u8]) -> Option<Sampling> {
    let factors = |component: usize| frame.get(7 + component * 3).map(|both| (both >> 4, both & 15));
    match (factors(0)?, factors(1)?, factors(2)?) {
        ((across @ (1 | 2 | 4), down @ (1 | 2)), (1, 1), (1, 1)) => {
            Some(Sampling { across: across.into(), down: down.into() })
        }
        _ => None,
    }
}

fn profile_piece(payload: &[u8]) -> Option<(u8, u8, &[u8])> {
    let rest = payload.strip_prefix(b"ICC_PROFILE\0")?;
    Some((*rest.first()?, *rest.get(1)?, &rest[2..]))
}

/// The profile, when every piece is there exactly once.
fn joined(mut pieces: Pieces<'_>) -> Option<Vec<u8>> {
    pieces.sort_by_key(|(number, ..)| *number);
    let count = usize::from(pieces.first()?.1);
    let complete = pieces.len() == count
        && pieces
            .iter()
            .zip(1_usize..)
            .all(|((number, of, _), expected)| usize::from(*number) == expected && usize::from(*of) == count);
    complete.then(|| pieces.iter().flat_map(|(_, _, data)| *data).copied().collect())
}

/// How many scans begin in these bytes. Inside entropy-coded data `0xff` is always followed by something else, so this
/// finds no false ones there; a false one in a comment only makes the count larger.
pub(crate) fn scans(source: &[u8]) -> usize {
    source.windows(2).filter(|pair| *pair == [0xff, 0xda]).count()
}

/// The marker segments before the first scan.
struct Segments<'a> {
    bytes: Bytes<'a>,
    at: usize,
}

impl<'a> Segments<'a> {
    fn new(source: &'a [u8]) -> Self {
        Self { bytes: Bytes::big(source), at: 2 }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    /// Garbage between segments is skipped, as libjpeg does; a scan, the end and a cut segment end the walk.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let skipped = self.bytes.rest(self.at).iter().position(|byte| *byte == 0xff)?;
            self.at += skipped + 1;
            let marker = self.bytes.u8(self.at)?;
            if marker == 0xff {
                continue;
            }
            self.at += 1;
            match marker {
                0x00 | 0x01 | 0xd0..=0xd8 => {}
                0xd9 | 0xda => return None,
                _ => {
                    let length = usize::from(self.bytes.u16(self.at)?);
                    let payload = self.bytes.slice(self.at + 2, length.checked_sub(2)?)?;
                    self.at += length;
                    return Some((marker, payload));
                }
            }
        }
    }
}
