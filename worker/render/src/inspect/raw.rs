//! The previews in a camera's raw file: JPEGs that its TIFF directories, or Fuji's own header, point at.

use std::collections::{HashSet, VecDeque};

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::tiff::{Directory, File};
use super::{PageHeader, jpeg, unsupported};
use crate::orient::Orientation;

/// Directories beyond this many are not looked at; real files have about ten.
const DIRECTORIES_MAX: usize = 256;
/// Previews beyond this many are not looked at.
const PREVIEWS_MAX: usize = 64;

const FUJI_MAGIC: &[u8] = b"FUJIFILMCCD-RAW ";
/// Where Fuji's header says the preview's place and length.
const FUJI_PREVIEW: usize = 84;
const PANASONIC_MAGIC: &[u8] = b"IIU\0";

const STRIP_OFFSETS: u16 = 273;
const ORIENTATION: u16 = 274;
const STRIP_LENGTHS: u16 = 279;
const SUB_DIRECTORIES: u16 = 330;
const JPEG_OFFSET: u16 = 513;
const JPEG_LENGTH: u16 = 514;
/// Panasonic keeps the whole JPEG as the value of a tag.
const PANASONIC_PREVIEW: u16 = 0x2e;

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
    source.starts_with(FUJI_MAGIC) || source.starts_with(PANASONIC_MAGIC)
}

/// The largest preview; of equal ones the first.
pub(crate) fn preview(source: &[u8], nesting_max: u32) -> Result<RawPreview<'_>, Failure> {
    let found = if source.starts_with(FUJI_MAGIC) { fuji(source) } else { in_directories(source, nesting_max) };
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

/// Walks the chain of directories and those below, each place once, so many levels down.
fn in_directories(source: &[u8], nesting_max: u32) -> Found<'_> {
    let mut found = Found::default();
    let Some((file, first)) = File::open(source) else { return found };
    let mut places = VecDeque::from([(first, 1)]);
    let mut seen = HashSet::new();
    while let Some((place, level)) = places.pop_front() {
        if place == 0 || level > nesting_max || seen.len() >= DIRECTORIES_MAX || !seen.insert(place) {
            continue;
        }
        let Some((directory, next)) = file.directory(place) else { continue };
        if seen.len() == 1 {
            found.orientation = directory.number(ORIENTATION).and_then(orientation);
        }
        add_previews(&mut found, &directory);
        let below = directory.numbers(SUB_DIRECTORIES).unwrap_or_default();
        let below = below.into_iter().take(DIRECTORIES_MAX).filter_map(|place| usize::try_from(place).ok());
        places.extend(below.map(|place| (place, level + 1)));
        places.push_back((next, level));
    }
    found
}

fn add_previews<'a>(found: &mut Found<'a>, directory: &Directory<'a>) {
    let bytes = directory.bytes();
    let range = |place: u16, length: u16| {
        let at = directory.number(place)?;
        Some(piece(bytes, at, directory.number(length).unwrap_or(u64::MAX)))
    };
    found.add(range(JPEG_OFFSET, JPEG_LENGTH));
    // A preview in many strips would be many JPEGs: none is written so.
    if directory.numbers(STRIP_OFFSETS).is_some_and(|strips| strips.len() == 1) {
        found.add(range(STRIP_OFFSETS, STRIP_LENGTHS));
    }
    found.add(directory.data(PANASONIC_PREVIEW));
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
