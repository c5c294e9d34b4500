//! The header and sections of a Photoshop document (PSD, and PSB for large ones), up to its flattened picture.

use shared::domain::failure::Failure;

use super::reader::Bytes;
use super::{PageHeader, corrupt, dimensions, truncated, unsupported};
use crate::orient::Orientation;
use crate::raster::Layout;

/// The resource that holds the ICC profile.
const PROFILE_RESOURCE: u16 = 1039;
/// Resources and blocks beyond this many are not looked at.
const BLOCKS_MAX: usize = 10_000;
/// More channels than the format allows.
const CHANNELS_MAX: u16 = 56;

/// What the samples of the first channels mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PsdMode<'a> {
    /// One bit, 1 is black.
    Bitmap,
    /// Light.
    Gray,
    /// Index into 256 reds, then greens, then blues.
    Indexed(&'a [u8]),
    /// Light.
    Rgb,
    /// Ink, 0 is full.
    Cmyk,
}

/// What the decoder needs to know before it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PsdHeader<'a> {
    /// Dimensions.
    pub(crate) page: PageHeader,
    /// PSB: lengths are longer.
    pub(crate) large: bool,
    /// All channels in the file.
    pub(crate) channels: usize,
    /// Bits of a sample: 1, 8 or 16.
    pub(crate) bits: usize,
    /// What the first channels mean.
    pub(crate) mode: PsdMode<'a>,
    /// Whether the channel after the colours is the opacity of the flattened picture.
    pub(crate) alpha: bool,
    /// The ICC profile.
    pub(crate) profile: Option<&'a [u8]>,
    /// The flattened picture: how it is coded, then its channels.
    pub(crate) picture: &'a [u8],
}

impl PsdHeader<'_> {
    /// What a pixel of the flattened picture becomes.
    pub(crate) fn layout(&self) -> Layout {
        match (self.mode, self.alpha) {
            (PsdMode::Bitmap | PsdMode::Gray, false) => Layout::Gray,
            (PsdMode::Bitmap | PsdMode::Gray, true) => Layout::GrayAlpha,
            (PsdMode::Indexed(_) | PsdMode::Rgb, false) => Layout::Rgb,
            (PsdMode::Indexed(_) | PsdMode::Rgb, true) => Layout::Rgba,
            (PsdMode::Cmyk, _) => Layout::Cmyk,
        }
    }

    /// Channels of colour.
    pub(crate) fn colours(&self) -> usize {
        match self.mode {
            PsdMode::Bitmap | PsdMode::Gray | PsdMode::Indexed(_) => 1,
            PsdMode::Rgb => 3,
            PsdMode::Cmyk => 4,
        }
    }
}

/// Reads the header and finds the sections.
pub(crate) fn header(source: &[u8]) -> Result<PsdHeader<'_>, Failure> {
    let bytes = Bytes::big(source);
    let fields = || Some((bytes.u16(12)?, bytes.u32(14)?, bytes.u32(18)?, bytes.u16(22)?, bytes.u16(24)?));
    let (channels, height, width, bits, mode) = fields().ok_or_else(|| truncated("the PSD ends in its header"))?;
    let page = PageHeader { dimensions: dimensions(width, height)?, orientation: Orientation::NORMAL };
    if !(1..=CHANNELS_MAX).contains(&channels) {
        return Err(corrupt(format!("the PSD says that it has {channels} channels")));
    }
    let large = source.get(5) == Some(&2);
    let sections = Sections::read(bytes, large);
    let mode = self::mode(mode, bits, sections.palette)?;
    let header = PsdHeader {
        page,
        large,
        channels: channels.into(),
        bits: bits.into(),
        mode,
        alpha: false,
        profile: profile(sections.resources),
        picture: sections.picture,
    };
    if header.channels < header.colours() {
        return Err(corrupt(format!("the PSD has {channels} channels where {} are needed", header.colours())));
    }
    let alpha = header.channels > header.colours() && mode != PsdMode::Cmyk && merged_alpha(sections.layers, large);
    Ok(PsdHeader { alpha, ..header })
}

fn mode(mode: u16, bits: u16, palette: &[u8]) -> Result<PsdMode<'_>, Failure> {
    match (mode, bits) {
        (0, 1) => Ok(PsdMode::Bitmap),
        // Duotone is grey with a recipe for the press.
        (1 | 8, 8 | 16) => Ok(PsdMode::Gray),
        (2, 8) if palette.len() >= 768 => Ok(PsdMode::Indexed(palette)),
        (3, 8 | 16) => Ok(PsdMode::Rgb),
        (4, 8 | 16) => Ok(PsdMode::Cmyk),
        _ => Err(unsupported(format!("PSD of colour mode {mode} with {bits} bits a sample"))),
    }
}

/// The four sections between the header and the end; empty where the file ends too early.
#[derive(Debug, Clone, Copy, Default)]
struct Sections<'a> {
    palette: &'a [u8],
    resources: &'a [u8],
    layers: &'a [u8],
    picture: &'a [u8],
}

impl<'a> Sections<'a> {
    fn read(bytes: Bytes<'a>, large: bool) -> Self {
        let mut sections = Self::default();
        let mut at = 26;
        let mut section = |length_bytes: usize| {
            let length = if length_bytes == 8 { bytes.u64(at)? } else { bytes.u32(at)?.into() };
            let content = bytes.slice(at + length_bytes, usize::try_from(length).ok()?)?;
            at += length_bytes + content.len();
            Some(content)
        };
        let mut all = || {
            sections.palette = section(4)?;
            sections.resources = section(4)?;
            sections.layers = section(if large { 8 } else { 4 })?;
            Some(())
        };
        if all().is_some() {
            sections.picture = bytes.rest(at);
        }
        sections
    }
}

/// The profile among the resources, each of which is: `8BIM`, number, name of even length, content of even length.
fn profile(resources: &[u8]) -> Option<&[u8]> {
    let bytes = Bytes::big(resources);
    let mut at = 0_usize;
    for _ in 0..BLOCKS_MAX {
        let number = bytes.u16(at + 4)?;
        let name = (usize::from(bytes.u8(at + 6)?) + 2) & !1;
        let length = bytes.u32(at + 6 + name)? as usize;
        let content = bytes.slice(at + 10 + name, length)?;
        if number == PROFILE_RESOURCE {
            return Some(content);
        }
        at += 10 + name + length + (length & 1);
    }
    None
}

/// Whether the number of layers is negative, which says that there is an opacity of the whole. With 16 bits the layers
/// are in a block of their own behind the usual place.
fn merged_alpha(layers: &[u8], large: bool) -> bool {
    let bytes = Bytes::big(layers);
    let length = |at: usize| if large { usize::try_from(bytes.u64(at)?).ok() } else { Some(bytes.u32(at)? as usize) };
    let width = if large { 8 } else { 4 };
    let count = || match length(0)? {
        0 => count_in_block(bytes, large, width),
        _ => bytes.u16(width),
    };
    count().is_some_and(|count| count.cast_signed() < 0)
}

/// Behind the layers: a section of masks, then blocks of signature, key, length, content.
fn count_in_block(bytes: Bytes<'_>, large: bool, layers_length: usize) -> Option<u16> {
    let mut at = layers_length + 4 + bytes.u32(layers_length)? as usize;
    for _ in 0..BLOCKS_MAX {
        let key = bytes.slice(at + 4, 4)?;
        let wide =
            large && matches!(key, b"LMsk" | b"Lr16" | b"Lr32" | b"Layr" | b"Mt16" | b"Mt32" | b"Mtrn" | b"Alph");
        let length = if wide { usize::try_from(bytes.u64(at + 8)?).ok()? } else { bytes.u32(at + 8)? as usize };
        let content = at + if wide { 16 } else { 12 };
        if key == b"Lr16" {
            return bytes.u16(content);
        }
        at = content.checked_add(length)?.checked_next_multiple_of(4)?;
    }
    None
}
