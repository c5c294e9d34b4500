//! Canon's CR3: previews in boxes of Canon's own, and a whole JPEG as the only sample of a track.

use super::directories::ORIENTATION;
use super::{Found, orientation, piece};
use crate::inspect::boxes::{Box, boxes, find};
use crate::inspect::reader::Bytes;
use crate::inspect::tiff::File;

/// Which box of a maker's own this is stands in its first bytes.
const UUID_BYTES: usize = 16;
const CANON_HEADER: &[u8] = b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
const CANON_PREVIEW: &[u8] = b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";
/// Between the name of Canon's preview and its box.
const PREVIEW_HEAD_BYTES: usize = 8;
/// Tracks beyond this many are not looked at; there are four.
const TRACKS_MAX: usize = 16;

/// The whole pixels' JPEG of the first track, the preview of screen size, and the thumbnail.
pub(super) fn previews(source: &[u8]) -> Found<'_> {
    let mut found = Found::default();
    for top in boxes(source) {
        match top.kind {
            b"moov" => add_film(&mut found, source, top.content.rest(0)),
            b"uuid" => {
                let preview = named(&top, CANON_PREVIEW).and_then(|own| own.get(PREVIEW_HEAD_BYTES..));
                found.add(preview.and_then(|own| find(own, b"PRVW")).and_then(|own| coded(&own)));
            }
            _ => {}
        }
    }
    found
}

fn add_film<'a>(found: &mut Found<'a>, source: &'a [u8], film: &'a [u8]) {
    let header = boxes(film).filter(|part| part.kind == b"uuid").find_map(|part| named(&part, CANON_HEADER));
    if let Some(header) = header {
        found.add(find(header, b"THMB").and_then(|own| coded(&own)));
        found.orientation = find(header, b"CMT1").and_then(|tags| {
            let (file, first) = File::open(tags.content.rest(0))?;
            file.directory(first)?.0.number(ORIENTATION).and_then(orientation)
        });
    }
    let tracks = boxes(film).filter(|part| part.kind == b"trak").take(TRACKS_MAX);
    tracks.for_each(|track| found.add(first_sample(source, track.content.rest(0))));
}

/// What follows the name of a maker's box, if it is this one.
fn named<'a>(part: &Box<'a>, name: &[u8]) -> Option<&'a [u8]> {
    (part.content.slice(0, UUID_BYTES)? == name).then(|| part.content.rest(UUID_BYTES))
}

/// The JPEG in a box of Canon's, behind a head whose length differs between its versions.
fn coded<'a>(part: &Box<'a>) -> Option<&'a [u8]> {
    const HEAD_BYTES_MAX: usize = 64;
    let content = part.content.rest(0);
    let head = &content[..content.len().min(HEAD_BYTES_MAX)];
    let start = head.windows(3).position(|bytes| bytes == [0xff, 0xd8, 0xff])?;
    content.get(start..)
}

/// The bytes of a track's first sample.
fn first_sample<'a>(source: &'a [u8], track: &'a [u8]) -> Option<&'a [u8]> {
    let media = find(track, b"mdia")?.content.rest(0);
    let table = find(find(media, b"minf")?.content.rest(0), b"stbl")?.content.rest(0);
    let (_, _, sizes) = find(table, b"stsz")?.full()?;
    // One size for all, or one for each.
    let size = sizes.u32(0).filter(|size| *size > 0).or_else(|| sizes.u32(8))?;
    let place = match (find(table, b"co64"), find(table, b"stco")) {
        (Some(wide), _) => wide.full()?.2.u64(4)?,
        (None, narrow) => narrow?.full()?.2.u32(4)?.into(),
    };
    Some(piece(Bytes::big(source), place, size.into()))
}
