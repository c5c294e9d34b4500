//! One strip or tile: its bytes, decompressed, never more than it should have.

use std::io::Read;

use flate2::read::ZlibDecoder;
use mozjpeg::{ColorSpace, Decompress};
use shared::domain::failure::{Failure, FailureCode};
use weezl::{BitOrder, LzwStatus, decode::Decoder as LzwDecoder};

use super::numbers::{self, Number};
use super::predict;
use crate::fence::fenced;
use crate::inspect::tiff::{Compression, Photometric, TiffPage};
use crate::inspect::{corrupt, truncated, unsupported};

/// The samples of a strip or tile, interleaved, and how many of its rows are complete.
pub(super) fn chunk<T: Number>(page: &TiffPage<'_>, index: usize) -> Result<(Vec<T>, usize), Failure> {
    let packed = page.chunk_bytes(index).filter(|bytes| !bytes.is_empty());
    let packed = packed.ok_or_else(|| truncated("a strip or tile of the TIFF lies outside the file"))?;
    let mut turned = Vec::new();
    let packed = if page.reversed_bits {
        turned.extend(packed.iter().map(|byte| byte.reverse_bits()));
        &turned
    } else {
        packed
    };
    if page.compression == Compression::Jpeg {
        let samples = fenced(FailureCode::CorruptSource, "JPEG in TIFF", || jpeg(page, packed))?;
        let rows = page.chunk.height as usize;
        return Ok((samples.into_iter().map(T::of_byte).collect(), rows));
    }
    let row_bytes = numbers::row_bytes(page);
    let rows = numbers::stored_rows(page);
    let mut bytes = vec![0; row_bytes * rows];
    let length = unpacked(page, packed, &mut bytes)?;
    let complete = (length / row_bytes.max(1)) * page.chunk.height as usize / rows.max(1);
    let mut scratch = Vec::new();
    bytes.chunks_exact_mut(row_bytes).try_for_each(|row| predict::undo(page, row, &mut scratch))?;
    Ok((numbers::samples(page, &bytes), complete))
}

/// Decompresses into `target`; how many bytes there were.
fn unpacked(page: &TiffPage<'_>, packed: &[u8], target: &mut [u8]) -> Result<usize, Failure> {
    match page.compression {
        Compression::None => {
            let length = packed.len().min(target.len());
            target[..length].copy_from_slice(&packed[..length]);
            Ok(length)
        }
        Compression::Lzw => Ok(lzw(packed, target)),
        Compression::Deflate => Ok(deflate(packed, target)),
        Compression::PackBits => Ok(pack_bits(packed, target)),
        Compression::Group3 | Compression::Group4 => fax(page, packed, target),
        Compression::Jpeg => Err(unsupported("JPEG is decoded as a whole")),
    }
}

fn lzw(packed: &[u8], target: &mut [u8]) -> usize {
    // Files by libtiff before 1993 begin with a clear code that only makes sense in the other bit order.
    let old = packed.len() > 1 && packed[0] == 0 && packed[1] & 1 == 1;
    let mut decoder =
        if old { LzwDecoder::new(BitOrder::Lsb, 8) } else { LzwDecoder::with_tiff_size_switch(BitOrder::Msb, 8) };
    let (mut read, mut written) = (0, 0);
    while written < target.len() {
        let result = decoder.decode_bytes(&packed[read..], &mut target[written..]);
        read += result.consumed_in;
        written += result.consumed_out;
        if !matches!(result.status, Ok(LzwStatus::Ok)) || (result.consumed_in == 0 && result.consumed_out == 0) {
            break;
        }
    }
    written
}

fn deflate(packed: &[u8], target: &mut [u8]) -> usize {
    let mut decoder = ZlibDecoder::new(packed);
    let mut written = 0;
    while written < target.len() {
        match decoder.read(&mut target[written..]) {
            Ok(0) | Err(_) => break,
            Ok(length) => written += length,
        }
    }
    written
}

fn pack_bits(packed: &[u8], target: &mut [u8]) -> usize {
    let (mut rest, mut written) = (packed, 0);
    while let [header, tail @ ..] = rest {
        let room = target.len() - written;
        let count = match header {
            0..=127 => usize::from(*header) + 1,
            128 => 0,
            _ => 257 - usize::from(*header),
        };
        let length = count.min(room);
        if *header < 128 {
            let length = length.min(tail.len());
            target[written..written + length].copy_from_slice(&tail[..length]);
            written += length;
            rest = tail.get(count..).unwrap_or_default();
        } else if count > 0 {
            let Some((value, tail)) = tail.split_first() else { break };
            target[written..written + length].fill(*value);
            written += length;
            rest = tail;
        } else {
            rest = tail;
        }
        if written == target.len() {
            break;
        }
    }
    written
}

/// Lines of black and white runs, as one bit a pixel with black as 1.
fn fax(page: &TiffPage<'_>, packed: &[u8], target: &mut [u8]) -> Result<usize, Failure> {
    if page.bits != 1 || page.samples != 1 {
        return Err(corrupt("fax compression is for one bit a pixel"));
    }
    let width = u16::try_from(page.chunk.width).map_err(|_| unsupported("fax of more than 65535 columns"))?;
    let row_bytes = numbers::row_bytes(page);
    let mut rows = target.chunks_exact_mut(row_bytes);
    let mut written = 0;
    let line = |transitions: &[u16]| {
        if let Some(row) = rows.next() {
            let black = fax::decoder::pels(transitions, width).enumerate().filter(|(_, pel)| *pel == fax::Color::Black);
            black.for_each(|(x, _)| row[x / 8] |= 0x80 >> (x % 8));
            written += row_bytes;
        }
    };
    let bytes = packed.iter().copied();
    if page.compression == Compression::Group4 {
        fax::decoder::decode_g4(bytes, width, u16::try_from(page.chunk.height).ok(), line);
    } else {
        fax::decoder::decode_g3(bytes, line);
    }
    Ok(written)
}

/// A JPEG stream of its own, which shares its tables with the others.
fn jpeg(page: &TiffPage<'_>, packed: &[u8]) -> Result<Vec<u8>, Failure> {
    let channels = if page.planar { 1 } else { page.samples };
    let (space, transform) = match (channels, page.photometric) {
        (1, _) => (ColorSpace::JCS_GRAYSCALE, None),
        (3, Photometric::YCbCr) => (ColorSpace::JCS_RGB, Some(1)),
        (3, _) => (ColorSpace::JCS_RGB, Some(0)),
        (4, _) => (ColorSpace::JCS_CMYK, Some(0)),
        _ => return Err(unsupported(format!("JPEG in TIFF with {channels} samples a pixel"))),
    };
    let stream = jpeg_stream(page.jpeg_tables, packed, transform);
    let failed = |e: std::io::Error| corrupt(format!("JPEG in TIFF: {e}"));
    let decompress = Decompress::new_mem(&stream).map_err(failed)?;
    let (width, height) = (page.chunk.width as usize, page.chunk.height as usize);
    if decompress.width() > width || decompress.height() > height || decompress.components().len() != channels {
        return Err(corrupt("the JPEG in the TIFF does not fit its strip or tile"));
    }
    let mut started = decompress.to_colorspace(space).map_err(failed)?;
    let (own_width, own_length) = (started.width(), started.min_flat_buffer_size());
    let mut pixels = vec![0; own_length];
    started.read_scanlines_into(&mut pixels).map_err(failed)?;
    let mut samples = vec![0; width * height * channels];
    for (row, line) in samples.chunks_exact_mut(width * channels).zip(pixels.chunks_exact(own_width * channels)) {
        row[..line.len()].copy_from_slice(line);
    }
    Ok(samples)
}

/// Start, Adobe's marker that says whether colours are coded as differences (TIFF knows, the stream does not), tables
/// without start and end, pixels without start.
fn jpeg_stream(tables: Option<&[u8]>, packed: &[u8], transform: Option<u8>) -> Vec<u8> {
    let inside = |stream: &'_ [u8]| stream.strip_prefix(&[0xff, 0xd8]).unwrap_or(stream).to_vec();
    let tables = tables.map(inside).unwrap_or_default();
    let tables = tables.strip_suffix(&[0xff, 0xd9]).unwrap_or(&tables);
    let adobe = transform
        .map(|transform| [&[0xff, 0xee, 0, 14], b"Adobe".as_slice(), &[0, 100, 0, 0, 0, 0, transform]].concat());
    [&[0xff, 0xd8], tables, &adobe.unwrap_or_default(), &inside(packed)].concat()
}
