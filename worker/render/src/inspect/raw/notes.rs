//! The notes of camera makers: a directory of their own behind a name, in which Olympus and Pentax keep the large preview.

use super::piece;
use crate::inspect::tiff::{Directory, File};

/// In the directory of EXIF.
const MAKER_NOTES: u16 = 37_500;

const OLYMPUS_SETTINGS: u16 = 0x2020;
/// Of the preview: where its place stands, and where its length.
const OLYMPUS_PREVIEW: (u16, u16) = (0x101, 0x102);
const PENTAX_PREVIEW: (u16, u16) = (4, 3);

/// How the notes of a maker begin.
struct Kind {
    name: &'static [u8],
    /// Where the byte order stands, when they have their own; places count from their beginning then, else from the file's.
    order: Option<usize>,
    /// Where their directory begins.
    directory: usize,
    /// The tag of a directory below, if the preview is told there.
    settings: Option<u16>,
    preview: (u16, u16),
}

const KINDS: [Kind; 5] = [
    Kind {
        name: b"OM SYSTEM\0",
        order: Some(12),
        directory: 16,
        settings: Some(OLYMPUS_SETTINGS),
        preview: OLYMPUS_PREVIEW,
    },
    Kind {
        name: b"OLYMPUS\0",
        order: Some(8),
        directory: 12,
        settings: Some(OLYMPUS_SETTINGS),
        preview: OLYMPUS_PREVIEW,
    },
    Kind { name: b"OLYMP\0", order: None, directory: 8, settings: Some(OLYMPUS_SETTINGS), preview: OLYMPUS_PREVIEW },
    Kind { name: b"PENTAX \0", order: Some(8), directory: 10, settings: None, preview: PENTAX_PREVIEW },
    Kind { name: b"AOC\0", order: None, directory: 6, settings: None, preview: PENTAX_PREVIEW },
];

/// The preview that the notes in this directory point at.
pub(super) fn preview<'a>(file: File<'a>, directory: &Directory<'a>) -> Option<&'a [u8]> {
    let at = directory.place(MAKER_NOTES)?;
    let notes = file.bytes().rest(at);
    let kind = KINDS.iter().find(|kind| notes.starts_with(kind.name))?;
    let (file, begin) = match kind.order {
        Some(order) => (File::of_notes(notes, notes.get(order..order + 2)? == b"II"), 0),
        None => (file, at),
    };
    let (mut told, _) = file.directory(begin + kind.directory)?;
    if let Some(settings) = kind.settings {
        told = file.directory(told.below(settings)?)?.0;
    }
    let (place, length) = kind.preview;
    Some(piece(file.bytes(), told.number(place)?, told.number(length)?))
}
