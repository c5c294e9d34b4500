//! Previews that the directories of a TIFF point at.

use std::collections::{HashSet, VecDeque};

use super::{Found, notes, orientation, piece};
use crate::inspect::tiff::{Directory, File};

/// Directories beyond this many are not looked at; real files have about ten.
const DIRECTORIES_MAX: usize = 256;

const STRIP_OFFSETS: u16 = 273;
pub(super) const ORIENTATION: u16 = 274;
const STRIP_LENGTHS: u16 = 279;
const SUB_DIRECTORIES: u16 = 330;
const JPEG_OFFSET: u16 = 513;
const JPEG_LENGTH: u16 = 514;
const EXIF: u16 = 34_665;
/// Panasonic keeps the whole JPEG as the value of a tag.
const PANASONIC_PREVIEW: u16 = 0x2e;

/// Walks the chain of directories and those below, each place once, so many levels down.
pub(super) fn previews(source: &[u8], nesting_max: u32) -> Found<'_> {
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
        add_previews(&mut found, file, &directory);
        let below = directory.numbers(SUB_DIRECTORIES).unwrap_or_default();
        let below = below.into_iter().take(DIRECTORIES_MAX).filter_map(|place| usize::try_from(place).ok());
        let below = below.chain(directory.below(EXIF));
        places.extend(below.map(|place| (place, level + 1)));
        places.push_back((next, level));
    }
    found
}

fn add_previews<'a>(found: &mut Found<'a>, file: File<'a>, directory: &Directory<'a>) {
    let range = |place: u16, length: u16| {
        let at = directory.number(place)?;
        Some(piece(file.bytes(), at, directory.number(length).unwrap_or(u64::MAX)))
    };
    found.add(range(JPEG_OFFSET, JPEG_LENGTH));
    // A preview in many strips would be many JPEGs: none is written so.
    if directory.numbers(STRIP_OFFSETS).is_some_and(|strips| strips.len() == 1) {
        found.add(range(STRIP_OFFSETS, STRIP_LENGTHS));
    }
    found.add(directory.data(PANASONIC_PREVIEW));
    found.add(notes::preview(file, directory));
}
