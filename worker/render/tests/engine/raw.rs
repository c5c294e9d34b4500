//! Camera raw files of every make: the largest preview is found, and turned as the camera says.

use image::ImageFormat;
use shared::domain::failure::FailureCode;
use shared::domain::format::SourceFormat;

use crate::common::render;
use crate::common::sources::{file, quarters, stored};
use crate::formats::{assert_shows, exact};

/// A value of a TIFF directory.
fn tag(tag: u16, kind: u16, value: u32) -> Vec<u8> {
    [&tag.to_le_bytes(), kind.to_le_bytes().as_slice(), &1_u32.to_le_bytes(), &value.to_le_bytes()].concat()
}

fn directory(tags: &[Vec<u8>], next: u32) -> Vec<u8> {
    [(tags.len() as u16).to_le_bytes().as_slice(), &tags.concat(), &next.to_le_bytes()].concat()
}

/// A raw file with a thumbnail in its first directory, a large preview in one below that, and the orientation of the
/// camera; the directory below says that itself is the next one and below itself.
fn raw(orientation: u32) -> Vec<u8> {
    let small = file(quarters(16, 12), ImageFormat::Jpeg);
    let large = file(stored(&quarters(120, 80), orientation as u16), ImageFormat::Jpeg);
    let (below, pixels) = (8 + 2 + 5 * 12 + 4, 8 + 2 + 5 * 12 + 4 + 2 + 4 * 12 + 4);
    let first = [
        tag(254, 4, 1),
        tag(274, 3, orientation),
        tag(330, 4, below),
        tag(513, 4, pixels),
        tag(514, 4, small.len() as u32),
    ];
    let second =
        [tag(259, 3, 7), tag(273, 4, pixels + small.len() as u32), tag(279, 4, large.len() as u32), tag(330, 4, below)];
    [b"II*\0\x08\0\0\0".as_slice(), &directory(&first, below), &directory(&second, below), &small, &large].concat()
}

#[test]
fn the_largest_preview_of_a_raw_file_is_turned_as_the_camera_says() {
    for orientation in 1..=8 {
        let expected = quarters(120, 80).into();
        assert_shows(&raw(orientation), SourceFormat::Raw, &expected, 40, &format!("orientation {orientation}"));
    }
}

#[test]
fn a_cr3_keeps_previews_in_boxes_and_in_a_track() {
    let boxed = |kind: &[u8], content: &[u8]| [&(content.len() as u32 + 8).to_be_bytes(), kind, content].concat();
    let jpeg = |width, height| file(stored(&quarters(width, height), 6), ImageFormat::Jpeg);
    let (thumbnail, screen, whole) = (jpeg(16, 12), jpeg(64, 32), jpeg(120, 80));
    let tags = [b"II*\0\x08\0\0\0".as_slice(), &directory(&[tag(274, 3, 6)], 0)].concat();
    let header_name = b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48".as_slice();
    let preview_name = b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16".as_slice();
    let header = boxed(
        b"uuid",
        &[header_name, &boxed(b"CMT1", &tags), &boxed(b"THMB", &[[0; 16].as_slice(), &thumbnail].concat())].concat(),
    );
    let preview =
        boxed(b"uuid", &[preview_name, &[0; 8], &boxed(b"PRVW", &[[0; 16].as_slice(), &screen].concat())].concat());
    let with = |place: u64, with_track: bool| {
        let sizes = [0, 0, 1, whole.len() as u32].map(u32::to_be_bytes).concat();
        let sizes = boxed(b"stsz", &sizes);
        let places = boxed(b"co64", &[[0, 0, 0, 0, 0, 0, 0, 1].as_slice(), &place.to_be_bytes()].concat());
        let table = boxed(b"minf", &boxed(b"stbl", &[sizes, places].concat()));
        let track = if with_track { boxed(b"trak", &boxed(b"mdia", &table)) } else { Vec::new() };
        let film = boxed(b"moov", &[header.as_slice(), &track].concat());
        [boxed(b"ftyp", b"crx \0\0\0\x01crx isom"), film, preview.clone()].concat()
    };
    let place = with(0, true).len() as u64 + 8;
    let source = [with(place, true), boxed(b"mdat", &whole)].concat();
    assert_shows(&source, SourceFormat::Raw, &quarters(120, 80).into(), 40, "the track");
    assert_shows(&with(place, false), SourceFormat::Raw, &quarters(64, 32).into(), 40, "the preview");
    // A track that points anywhere else is no preview.
    assert_shows(&with(u64::MAX, true), SourceFormat::Raw, &quarters(64, 32).into(), 40, "the preview beside a lie");
    for length in 0..source.len().min(700) {
        let _ = render(&source[..length], &[exact()]);
    }
}

/// A raw file whose large preview only the maker's notes tell: of these, their byte order and directory, relative to the
/// file or to the notes.
fn noted(magic: &[u8], coding: u32, name: &[u8], own: bool, settings: bool, tags: (u16, u16)) -> Vec<u8> {
    let large = file(stored(&quarters(120, 80), 8), ImageFormat::Jpeg);
    let exif = 8 + 2 + 3 * 12 + 4;
    let notes = exif + 2 + 12 + 4;
    let length = (name.len() + if settings { 2 + 12 + 4 } else { 0 } + 2 + 2 * 12 + 4) as u32;
    let base = if own { 0 } else { notes };
    let preview = [tag(tags.1, 4, large.len() as u32), tag(tags.0, 4, base + length)];
    let mut told = directory(&preview, 0);
    if settings {
        told = [directory(&[tag(0x2020, 13, base + name.len() as u32 + 18)], 0), told].concat();
    }
    let first = directory(&[tag(259, 3, coding), tag(274, 3, 8), tag(34_665, 4, exif)], 0);
    let mut pointer = tag(37_500, 7, notes);
    pointer[4..8].copy_from_slice(&(length + large.len() as u32).to_le_bytes());
    [magic, &8_u32.to_le_bytes(), &first, &directory(&[pointer], 0), name, &told, &large].concat()
}

#[test]
fn previews_that_only_the_makers_notes_tell() {
    let (olympus, pentax) = ((0x101, 0x102), (4, 3));
    for (what, source) in [
        ("ORF", noted(b"IIRO", 1, b"OLYMPUS\0II\x03\0", true, true, olympus)),
        ("ORF of OM System", noted(b"IIRS", 1, b"OM SYSTEM\0\0\0II\x04\0", true, true, olympus)),
        ("ORF, old", noted(b"IIRO", 1, b"OLYMP\0\x01\0", false, true, olympus)),
        ("PEF", noted(b"II*\0", 65_535, b"AOC\0II", false, false, pentax)),
        ("PEF, new", noted(b"II*\0", 65_535, b"PENTAX \0II", true, false, pentax)),
    ] {
        assert_shows(&source, SourceFormat::Raw, &quarters(120, 80).into(), 40, what);
        for length in 0..source.len().min(300) {
            let _ = render(&source[..length], &[exact()]);
        }
    }
}

#[test]
fn a_raf_keeps_its_preview_where_its_header_says() {
    let upright = quarters(120, 80);
    let jpeg = file(upright.clone(), ImageFormat::Jpeg);
    let mut source = b"FUJIFILMCCD-RAW 0201FF000000".to_vec();
    source.resize(84, 0);
    source.extend(92_u32.to_be_bytes());
    source.extend((jpeg.len() as u32).to_be_bytes());
    source.extend(jpeg);
    assert_shows(&source, SourceFormat::Raw, &upright.into(), 40, "RAF");
}

#[test]
fn a_raw_file_without_a_preview_says_so() {
    let mut source = raw(1);
    source.truncate(136);
    let failure = render(&source, &[exact()]).unwrap_err();
    assert_eq!(failure.code, FailureCode::UnsupportedFeature, "{failure}");
    for length in 0..200 {
        let _ = render(&raw(1)[..length], &[exact()]);
    }
}
