//! The previews in a camera's raw file: JPEGs that directories, boxes or headers of the maker's own point at.
//!
//! | file | whose files |
//! |---|---|
//! | `directories.rs` | all that are TIFFs or nearly so: DNG, CR2, NEF, ARW, PEF, SRW, ORF, RW2 … |
//! | `notes.rs` | the notes in those of Olympus and Pentax, where they keep the large preview |
//! | `boxes.rs` | Canon's CR3, which is made of boxes as films are |
//!
//! Fuji's RAF says it all in its first hundred bytes.

mod boxes;
mod directories;
mod notes;

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, jpeg, unsupported};
use crate::orient::Orientation;

/// Previews beyond this many are not looked at.
const PREVIEWS_MAX: usize = 64;

const FUJI_MAGIC: &[u8] = b"FUJIFILMCCD-RAW ";
/// Where Fuji's header says the preview's place and length.
const FUJI_PREVIEW: usize = 84;
/// What stands in the place of a TIFF's magic number: Panasonic's once, Olympus' three times.
const NEARLY_TIFF: [&[u8]; 4] = [b"IIU\0", b"IIRO", b"IIRS", b"MMOR"];
/// Behind the length of the first box of a CR3.
const CANON_MAGIC: &[u8] = b"ftypcrx ";

/// The preview that is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawPreview<'a> {
    /// The preview's dimensions, with the raw file's orientation.
    pub(crate) page: PageHeader,
    /// The JPEG; shorter than it says when the file is cut.
    pub(crate) jpeg: &'a [u8],
}

/// Whether the first bytes are those of a raw file that is no TIFF by its magic number. Those that are have to be told
/// from TIFFs by their directories.
pub(crate) fn is_raw(source: &[u8]) -> bool {
    source.starts_with(FUJI_MAGIC) || is_canon(source) || NEARLY_TIFF.iter().any(|magic| source.starts_with(magic))
}

fn is_canon(source: &[u8]) -> bool {
    source.get(4..).is_some_and(|rest| rest.starts_with(CANON_MAGIC))
}

/// The largest preview; of equal ones the first.
pub(crate) fn preview(source: &[u8], nesting_max: u32) -> Result<RawPreview<'_>, Failure> {
    let found = match source {
        _ if source.starts_with(FUJI_MAGIC) => fuji(source),
        _ if is_canon(source) => boxes::previews(source),
        _ => directories::previews(source, nesting_max),
    };
    let readable = found.jpegs.into_iter().filter_map(|bytes| Some((bytes, jpeg::header(bytes).ok()?.page)));
    let area = |page: &PageHeader| page.dimensions.area_pixels();
    let largest = readable.reduce(|best, other| if area(&other.1) > area(&best.1) { other } else { best });
    let (jpeg, own) = largest.ok_or_else(|| unsupported("the raw file has no preview that can be read"))?;
    let orientation = found.orientation.unwrap_or(own.orientation);
    Ok(RawPreview { page: PageHeader { dimensions: own.dimensions, orientation }, jpeg })
}

/// What may be previews, and how they have to be turned when their own metadata does not matter.
#[derive(Debug, Default)]
struct Found<'a> {
    jpegs: Vec<&'a [u8]>,
    orientation: Option<Orientation>,
}

impl<'a> Found<'a> {
    /// Keeps what begins as a JPEG; the sensor's data may be called one, too, and is left out for its coding later.
    fn add(&mut self, bytes: Option<&'a [u8]>) {
        let jpeg = bytes.filter(|bytes| bytes.starts_with(&[0xff, 0xd8, 0xff]));
        self.jpegs.extend(jpeg.filter(|_| self.jpegs.len() < PREVIEWS_MAX));
    }
}

fn fuji(source: &[u8]) -> Found<'_> {
    let bytes = Bytes::big(source);
    let mut found = Found::default();
    let place = bytes.u32(FUJI_PREVIEW).zip(bytes.u32(FUJI_PREVIEW + 4));
    found.add(place.map(|(at, length)| piece(bytes, at.into(), length.into())));
    found
}

/// The bytes at this place, as many as there are.
fn piece(bytes: Bytes<'_>, at: u64, length: u64) -> &[u8] {
    let rest = usize::try_from(at).map_or(&[][..], |at| bytes.rest(at));
    &rest[..usize::try_from(length).unwrap_or(usize::MAX).min(rest.len())]
}

/// What is undefined leaves it to the preview.
fn orientation(value: u64) -> Option<Orientation> {
    u16::try_from(value).ok().filter(|value| (1..=8).contains(value)).map(Orientation::from_exif)
}
