//! The chunks of a WebP: canvas, first picture, colour profile, orientation.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, corrupt, dimensions, truncated};
use crate::exif;
use crate::orient::Orientation;

/// More chunks than are worth looking at.
const CHUNKS_MAX: usize = 10_000;

/// What the decoder needs to know before it begins.
#[derive(Debug, Clone)]
pub(crate) struct WebpHeader<'a> {
    /// The canvas and its orientation.
    pub(crate) page: PageHeader,
    /// The first picture.
    pub(crate) picture: WebpPicture<'a>,
    /// The colour profile.
    pub(crate) profile: Option<&'a [u8]>,
}

/// The still picture, or the first frame of an animation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WebpPicture<'a> {
    /// Columns and rows before it on the canvas.
    pub(crate) place: (u32, u32),
    /// Its own dimensions.
    pub(crate) dimensions: Option<Dimensions>,
    /// Its opacity, when that is coded apart.
    pub(crate) alpha: Option<&'a [u8]>,
    /// The chunk with the pixels: name and content.
    pub(crate) pixels: Option<(&'a [u8], &'a [u8])>,
    /// Bytes that the chunk says it has, but the file has not.
    pub(crate) missing_bytes: usize,
}

/// Reads the chunks.
pub(crate) fn header(source: &[u8]) -> Result<WebpHeader<'_>, Failure> {
    let mut canvas = None;
    let mut profile = None;
    let mut orientation = Orientation::NORMAL;
    let mut picture = WebpPicture::default();
    let (mut complete, mut animated) = (false, false);
    for Chunk { name, content, missing_bytes } in Chunks::new(source.get(12..).unwrap_or_default()) {
        match name {
            b"VP8X" => canvas = Some(extended_canvas(content).ok_or_else(|| truncated("the WebP ends in its header"))?),
            b"ICCP" => profile = Some(content),
            b"EXIF" => orientation = exif::orientation(content),
            b"ANMF" if !complete => {
                picture = frame(content).ok_or_else(|| truncated("the WebP ends in its first frame"))?;
                (complete, animated) = (true, true);
            }
            b"ALPH" if !complete => picture.alpha = Some(content),
            b"VP8 " | b"VP8L" if !complete => {
                picture.pixels = Some((name, content));
                picture.missing_bytes = missing_bytes;
                picture.dimensions = bitstream_dimensions(name, content);
                complete = true;
            }
            _ => {}
        }
    }
    let own = picture.dimensions.ok_or_else(|| corrupt("the WebP has no picture that can be read"))?;
    let canvas = canvas.map_or(Ok(own), |(width, height)| dimensions(width, height))?;
    let (left, top) = picture.place;
    let outside = left.saturating_add(own.width) > canvas.width || top.saturating_add(own.height) > canvas.height;
    if outside || (!animated && own != canvas) {
        return Err(corrupt(format!("the WebP's picture of {own} does not fit its canvas of {canvas}")));
    }
    Ok(WebpHeader { page: PageHeader { dimensions: canvas, orientation }, picture, profile })
}

fn extended_canvas(content: &[u8]) -> Option<(u32, u32)> {
    Some((u24(content, 4)? + 1, u24(content, 7)? + 1))
}

/// The place and the chunks of an animation frame.
fn frame(content: &[u8]) -> Option<WebpPicture<'_>> {
    let place = (u24(content, 0)? * 2, u24(content, 3)? * 2);
    let mut picture = WebpPicture { place, ..WebpPicture::default() };
    for Chunk { name, content, missing_bytes } in Chunks::new(content.get(16..)?) {
        match name {
            b"ALPH" => picture.alpha = Some(content),
            b"VP8 " | b"VP8L" => {
                picture.pixels = Some((name, content));
                picture.missing_bytes = missing_bytes;
                picture.dimensions = bitstream_dimensions(name, content);
                break;
            }
            _ => {}
        }
    }
    Some(picture)
}

/// Width and height as the codec itself says.
fn bitstream_dimensions(name: &[u8], content: &[u8]) -> Option<Dimensions> {
    let bytes = Bytes::little(content);
    if name == b"VP8L" {
        let packed = bytes.u32(1).filter(|_| bytes.u8(0) == Some(0x2f))?;
        return Dimensions::new((packed & 0x3fff) + 1, ((packed >> 14) & 0x3fff) + 1);
    }
    let signature = bytes.slice(3, 3)?;
    let sides = (bytes.u16(6)?, bytes.u16(8)?);
    (signature == [0x9d, 0x01, 0x2a]).then(|| Dimensions::new((sides.0 & 0x3fff).into(), (sides.1 & 0x3fff).into()))?
}

fn u24(content: &[u8], at: usize) -> Option<u32> {
    let bytes = content.get(at..at + 3)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
}

/// A part of a RIFF file.
struct Chunk<'a> {
    name: &'a [u8; 4],
    /// As much of it as there is.
    content: &'a [u8],
    missing_bytes: usize,
}

/// RIFF chunks; the last one may be cut.
struct Chunks<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Chunks<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest, left: CHUNKS_MAX }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (name, rest) = self.rest.split_first_chunk::<4>()?;
        let length = Bytes::little(rest).u32(0)? as usize;
        let content = &rest[4..];
        let end = length.min(content.len());
        self.rest = content.get(end + (length & 1)..).unwrap_or_default();
        Some(Chunk { name, content: &content[..end], missing_bytes: length - end })
    }
}
