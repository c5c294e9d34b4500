//! Whether an output is a whole file of the promised format and dimensions: its structure is walked, nothing decoded.

use shared::domain::dimensions::Dimensions;
use shared::domain::format::OutputFormat;

/// What is wrong with an output, for people.
pub(super) type Fault = &'static str;

/// Looks at the whole file from its first byte to its last: what stands behind its end belongs to another file.
pub(super) fn verify(format: OutputFormat, bytes: &[u8], promised: Dimensions) -> Result<(), Fault> {
    let found = match format {
        OutputFormat::Jpg => jpeg(bytes),
        OutputFormat::Png => png(bytes),
        OutputFormat::Webp => webp(bytes),
        OutputFormat::Avif => avif(bytes),
    }?;
    if found == (promised.width, promised.height) { Ok(()) } else { Err("has other dimensions than promised") }
}

type Size = (u32, u32);

fn u16_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]])))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|four| u32::from_be_bytes(*four))
}

/// From marker to marker, over the scans, to the end marker.
fn jpeg(bytes: &[u8]) -> Result<Size, Fault> {
    const CUT: Fault = "is cut";
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8]).ok_or("does not begin as a JPEG")?;
    let mut size = None;
    let mut scanned = false;
    loop {
        let [0xff, marker, after @ ..] = rest else { return Err(CUT) };
        match marker {
            0xd9 if after.is_empty() && scanned => return size.ok_or("has no frame"),
            0xd9 => return Err("does not end where the JPEG does"),
            0xd0..=0xd8 | 0x00 | 0x01 | 0xff => return Err("has a marker out of place"),
            _ => {}
        }
        let length = u16_at(after, 0).ok_or(CUT)? as usize;
        let payload = after.get(2..length).ok_or(CUT)?;
        match marker {
            0xc0..=0xc2 if size.is_some() => return Err("has two frames"),
            0xc0..=0xc2 => size = Some((u16_at(payload, 3).ok_or(CUT)?, u16_at(payload, 1).ok_or(CUT)?)),
            _ => {}
        }
        rest = &after[length..];
        if *marker == 0xda {
            scanned = true;
            rest = &rest[end_of_scan(rest).ok_or(CUT)?..];
        }
    }
}

/// Where the next marker stands that is neither a stuffed byte nor a restart.
fn end_of_scan(scan: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(0xff, scan.get(at..)?)?;
        match scan.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            _ => return Some(at),
        }
    }
}

/// From chunk to chunk, to the end chunk.
fn png(bytes: &[u8]) -> Result<Size, Fault> {
    const CUT: Fault = "is cut";
    let mut rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n").ok_or("does not begin as a PNG")?;
    let mut size = None;
    let mut pixels = false;
    loop {
        let length = u32_at(rest, 0).ok_or(CUT)? as usize;
        let name = rest.get(4..8).ok_or(CUT)?;
        let payload = rest.get(8..).and_then(|after| after.get(..length)).ok_or(CUT)?;
        // The name, the length and a checksum stand around the payload.
        let after = rest.get(length + 12..).ok_or(CUT)?;
        match (name, size) {
            (b"IHDR", None) => size = u32_at(payload, 0).zip(u32_at(payload, 4)),
            (b"IHDR", Some(_)) => return Err("has two header chunks"),
            (_, None) => return Err("does not begin with its header chunk"),
            (b"IDAT", _) => pixels = true,
            (b"IEND", Some(size)) if after.is_empty() && pixels => return Ok(size),
            (b"IEND", _) => return Err("does not end where the PNG does"),
            _ => {}
        }
        rest = after;
    }
}

/// The RIFF header and its first chunk.
fn webp(bytes: &[u8]) -> Result<Size, Fault> {
    const CUT: Fault = "is cut";
    let length = |at: usize| bytes.get(at..)?.first_chunk::<4>().map(|four| u32::from_le_bytes(*four) as usize);
    if !bytes.starts_with(b"RIFF") || bytes.get(8..12) != Some(b"WEBP") {
        return Err("does not begin as a WebP");
    }
    if length(4).and_then(|length| length.checked_add(8)) != Some(bytes.len()) {
        return Err("does not end where the WebP does");
    }
    let chunk_length = length(16).ok_or(CUT)?;
    let chunk = bytes.get(20..).and_then(|after| after.get(..chunk_length)).ok_or(CUT)?;
    let low = |at: usize, count: usize| -> Option<u32> {
        Some(chunk.get(at..at + count)?.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    };
    match bytes.get(12..16) {
        Some(b"VP8 ") if chunk.get(3..6) == Some(&[0x9d, 0x01, 0x2a]) => {
            low(6, 2).zip(low(8, 2)).map(|(width, height)| (width & 0x3fff, height & 0x3fff)).ok_or(CUT)
        }
        Some(b"VP8L") if chunk.first() == Some(&0x2f) => {
            low(1, 4).map(|bits| ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)).ok_or(CUT)
        }
        Some(b"VP8X") => low(4, 3).zip(low(7, 3)).map(|(width, height)| (width + 1, height + 1)).ok_or(CUT),
        _ => Err("has no picture"),
    }
}

/// From box to box to the last byte; the size is the first one that a property says, as there is one picture, and its
/// opacity has the same size.
fn avif(bytes: &[u8]) -> Result<Size, Fault> {
    let mut rest = bytes;
    let (mut named, mut size, mut pixels) = (false, None, false);
    while let Some((name, content, after)) = split_box(rest) {
        match name {
            b"ftyp" => named = rest.len() == bytes.len() && content.starts_with(b"avif"),
            b"meta" => {
                size = content.get(4..).and_then(|parts| inside(parts, &[b"iprp", b"ipco", b"ispe"])).and_then(sides)
            }
            b"mdat" => pixels = true,
            _ => return Err("has a box that was not asked for"),
        }
        rest = after;
    }
    match size {
        _ if !named => Err("does not begin as an AVIF"),
        _ if !rest.is_empty() || !pixels => Err("is cut"),
        size => size.ok_or("has no size"),
    }
}

/// The name and content of the first box, and what follows it; `None` when it is longer than what there is.
fn split_box(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let length = u32_at(bytes, 0)? as usize;
    let name = bytes.get(4..8)?.first_chunk()?;
    Some((name, bytes.get(8..length)?, bytes.get(length..)?))
}

/// The content of the first box of this name in the first box of that name, and so on.
fn inside<'a>(bytes: &'a [u8], names: &[&[u8; 4]]) -> Option<&'a [u8]> {
    let Some((wanted, below)) = names.split_first() else { return Some(bytes) };
    let mut rest = bytes;
    loop {
        let (name, content, after) = split_box(rest)?;
        if name == *wanted {
            return inside(content, below);
        }
        rest = after;
    }
}

/// Behind the version and the flags.
fn sides(size: &[u8]) -> Option<Size> {
    u32_at(size, 4).zip(u32_at(size, 8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use render::{Request, Silent};
    use shared::domain::limits::{Limits, LimitsTable};
    use shared::domain::preset::{Preset, PresetTable};

    use super::*;

    const SAMPLE: &[u8] = include_bytes!("../../../src/demo/samples/transparent.png");

    /// What the engine writes, in every format.
    fn outputs() -> Vec<(OutputFormat, Vec<u8>, Dimensions)> {
        let limits = LimitsTable::same(Limits {
            source_bytes_max: 1 << 24,
            width_pixels_max: 10_000,
            height_pixels_max: 10_000,
            area_pixels_max: 10_000_000,
            total_pixels_max: 10_000_000,
            pages_max: 1,
            nesting_max: 1,
            child_memory_bytes_max: 1 << 30,
            child_cpu_seconds_max: 10,
            child_seconds_max: 10,
            output_bytes_max: 1 << 24,
        });
        let table = PresetTable::built_in();
        let any = table.get("jpg_320x320").unwrap();
        let mut presets: Vec<Preset> = OutputFormat::ALL
            .into_iter()
            .filter(|format| render::writes(*format))
            .map(|format| Preset { format, ..any.clone() })
            .collect();
        presets.push(Preset { progressive: true, ..any.clone() });
        let request = Request::new(&presets, &limits);
        let report = render::render(SAMPLE, &request, &mut Silent).unwrap();
        let page = |(preset, rendered): (&Preset, render::Rendered)| {
            let page = rendered.result.unwrap().remove(0);
            (preset.format, page.bytes, page.dimensions)
        };
        presets.iter().zip(report.renderings).map(page).collect()
    }

    #[test]
    fn what_the_engine_writes_is_whole_and_nothing_else_is() {
        for (format, bytes, dimensions) in outputs() {
            assert_eq!(verify(format, &bytes, dimensions), Ok(()), "{format:?}");
            let wider = Dimensions { width: dimensions.width + 1, ..dimensions };
            assert!(verify(format, &bytes, wider).is_err(), "{format:?}");
            for length in [0, 1, 3, 12, 30, bytes.len() / 2, bytes.len() - 1] {
                assert!(verify(format, &bytes[..length], dimensions).is_err(), "{format:?} cut at {length}");
            }
            let longer = [bytes.as_slice(), b"<script>"].concat();
            assert!(verify(format, &longer, dimensions).is_err(), "{format:?} with a tail");
            for other in OutputFormat::ALL.into_iter().filter(|other| *other != format) {
                assert!(verify(other, &bytes, dimensions).is_err(), "{format:?} as {other:?}");
            }
        }
    }

    #[test]
    fn a_whole_avif_and_nothing_else() {
        let avif = render::sample(shared::domain::format::SourceFormat::Avif);
        let size = |width, height| Dimensions { width, height };
        assert_eq!(verify(OutputFormat::Avif, avif, size(32, 24)), Ok(()));
        assert!(verify(OutputFormat::Avif, avif, size(33, 24)).is_err());
        for length in 0..avif.len() {
            assert!(verify(OutputFormat::Avif, &avif[..length], size(32, 24)).is_err(), "cut at {length}");
        }
        assert!(verify(OutputFormat::Avif, &[avif, b"<script>"].concat(), size(32, 24)).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_comes_in_panics(at in 0usize..400, value: u8, tail in proptest::collection::vec(any::<u8>(), 0..64)) {
            for format in OutputFormat::ALL {
                let begin: &[u8] = match format {
                    OutputFormat::Jpg => &[0xff, 0xd8, 0xff],
                    OutputFormat::Png => b"\x89PNG\r\n\x1a\n",
                    OutputFormat::Webp => b"RIFF\x40\0\0\0WEBP",
                    OutputFormat::Avif => b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x30meta\0\0\0\0",
                };
                let mut bytes = [begin, tail.as_slice()].concat();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
                let _ = verify(format, &bytes, Dimensions { width: 1, height: 1 });
            }
        }
    }
}
