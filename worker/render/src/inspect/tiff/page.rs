//! What the tags of a TIFF page say, checked for everything that the decoder relies on.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::Directory;
use crate::inspect::reader::Bytes;
use crate::inspect::{PageHeader, corrupt, dimensions, truncated, unsupported};
use crate::orient::Orientation;

/// More samples in a pixel than any picture needs; what is beyond colour and opacity is skipped anyway.
const SAMPLES_MAX: u64 = 16;

/// How the bytes of a strip or tile are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// ITU-T T.4, one-dimensional.
    Group3,
    /// ITU-T T.6.
    Group4,
    /// TIFF's variant of LZW.
    Lzw,
    /// JPEG, one stream for each strip or tile.
    Jpeg,
    /// zlib.
    Deflate,
    /// Apple's run lengths.
    PackBits,
}

/// What the samples mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Photometric {
    /// Grey, 0 is white.
    WhiteIsZero,
    /// Grey, 0 is black.
    BlackIsZero,
    /// Light.
    Rgb,
    /// Index into the colour map.
    Palette,
    /// Ink.
    Cmyk,
    /// Brightness and two differences.
    YCbCr,
}

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// From 0.
    Unsigned,
    /// Around 0.
    Signed,
    /// IEEE 754, 0 to 1.
    Float,
}

/// What the sample after the colours means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    /// There is none, or it says nothing of opacity.
    None,
    /// Opacity by which the colours were multiplied.
    Associated,
    /// Opacity.
    Unassociated,
}

/// A page of a TIFF.
#[derive(Debug, Clone)]
pub(crate) struct TiffPage<'a> {
    pub(crate) bytes: Bytes<'a>,
    pub(crate) dimensions: Dimensions,
    pub(crate) orientation: Orientation,
    pub(crate) bits: u32,
    pub(crate) numbers: Numbers,
    /// Samples in a pixel.
    pub(crate) samples: usize,
    pub(crate) photometric: Photometric,
    pub(crate) alpha: Alpha,
    pub(crate) compression: Compression,
    /// 1: none, 2: differences, 3: differences of floats.
    pub(crate) predictor: u64,
    /// Whether every sample has strips or tiles of its own.
    pub(crate) planar: bool,
    /// Whether the bits of every byte are in reverse.
    pub(crate) reversed_bits: bool,
    /// Dimensions of a strip or tile.
    pub(crate) chunk: Dimensions,
    pub(crate) offsets: Vec<u64>,
    pub(crate) lengths: Vec<u64>,
    pub(crate) colour_map: Vec<u64>,
    /// Pixels that share one pair of differences, across and down.
    pub(crate) subsampling: (u32, u32),
    /// Weights of red, green and blue in brightness.
    pub(crate) weights: [f64; 3],
    pub(crate) jpeg_tables: Option<&'a [u8]>,
    pub(crate) profile: Option<&'a [u8]>,
}

impl<'a> TiffPage<'a> {
    /// Reads the tags of a directory.
    pub(super) fn new(directory: &Directory<'a>) -> Result<Self, Failure> {
        let side = |tag| directory.number(tag).and_then(|side| u32::try_from(side).ok());
        let (width, height) = side(256).zip(side(257)).ok_or_else(|| corrupt("the TIFF page has no dimensions"))?;
        let dimensions = dimensions(width, height)?;
        let samples = directory.number(277).unwrap_or(1);
        if !(1..=SAMPLES_MAX).contains(&samples) {
            return Err(unsupported(format!("TIFF with {samples} samples a pixel")));
        }
        let compression = compression(directory)?;
        let photometric = photometric(directory, compression, samples)?;
        let chunk = chunk(directory, dimensions)?;
        let tag = |tag| directory.number(tag).unwrap_or(1);
        let page = Self {
            bytes: directory.bytes(),
            dimensions,
            orientation: Orientation::from_exif(u16::try_from(tag(274)).unwrap_or(1)),
            bits: bits(directory)?,
            numbers: numbers(directory)?,
            samples: samples as usize,
            photometric,
            alpha: alpha(directory, photometric, samples),
            compression,
            predictor: tag(317),
            planar: tag(284) == 2 && samples > 1,
            reversed_bits: tag(266) == 2 && compression != Compression::Jpeg,
            chunk,
            offsets: directory.numbers(324).or_else(|| directory.numbers(273)).unwrap_or_default(),
            lengths: directory.numbers(325).or_else(|| directory.numbers(279)).unwrap_or_default(),
            colour_map: directory.numbers(320).unwrap_or_default(),
            subsampling: subsampling(directory),
            weights: weights(directory),
            jpeg_tables: directory.data(347),
            profile: directory.data(34_675),
        };
        page.checked()
    }

    /// Dimensions and orientation.
    pub(crate) fn header(&self) -> PageHeader {
        PageHeader { dimensions: self.dimensions, orientation: self.orientation }
    }

    /// Strips or tiles side by side, and one above the other.
    pub(crate) fn grid(&self) -> (u32, u32) {
        (self.dimensions.width.div_ceil(self.chunk.width), self.dimensions.height.div_ceil(self.chunk.height))
    }

    /// The bytes of a strip or tile; fewer than declared when the file is cut.
    pub(crate) fn chunk_bytes(&self, index: usize) -> Option<&'a [u8]> {
        let rest = self.bytes.rest(usize::try_from(*self.offsets.get(index)?).ok()?);
        // Without lengths, a strip ends where the file does.
        let length =
            self.lengths.get(index).map_or(rest.len(), |length| usize::try_from(*length).unwrap_or(usize::MAX));
        Some(&rest[..length.min(rest.len())])
    }

    fn checked(self) -> Result<Self, Failure> {
        let colours = match self.photometric {
            Photometric::WhiteIsZero | Photometric::BlackIsZero | Photometric::Palette => 1,
            Photometric::Rgb | Photometric::YCbCr => 3,
            Photometric::Cmyk => 4,
        };
        if self.samples < colours {
            return Err(corrupt(format!("the TIFF has {} samples a pixel where {colours} are needed", self.samples)));
        }
        if self.offsets.is_empty() {
            return Err(truncated("the TIFF says not where its pixels are"));
        }
        if self.photometric == Photometric::Palette && (self.bits > 8 || self.colour_map.len() < 3 << self.bits) {
            return Err(corrupt("the TIFF's colour map does not fit its pixels"));
        }
        Ok(self)
    }
}

fn compression(directory: &Directory<'_>) -> Result<Compression, Failure> {
    match directory.number(259).unwrap_or(1) {
        1 => Ok(Compression::None),
        3 if directory.number(292).unwrap_or(0) & 1 == 0 => Ok(Compression::Group3),
        4 => Ok(Compression::Group4),
        5 => Ok(Compression::Lzw),
        7 => Ok(Compression::Jpeg),
        8 | 32_946 => Ok(Compression::Deflate),
        32_773 => Ok(Compression::PackBits),
        other => Err(unsupported(format!("TIFF compression {other}"))),
    }
}

fn photometric(directory: &Directory<'_>, compression: Compression, samples: u64) -> Result<Photometric, Failure> {
    match directory.number(262) {
        Some(0) => Ok(Photometric::WhiteIsZero),
        Some(1 | 4) => Ok(Photometric::BlackIsZero),
        Some(2) => Ok(Photometric::Rgb),
        Some(3) => Ok(Photometric::Palette),
        Some(5) => Ok(Photometric::Cmyk),
        Some(6) => Ok(Photometric::YCbCr),
        Some(other) => Err(unsupported(format!("TIFF photometric interpretation {other}"))),
        None if matches!(compression, Compression::Group3 | Compression::Group4) => Ok(Photometric::WhiteIsZero),
        None if samples >= 3 => Ok(Photometric::Rgb),
        None => Ok(Photometric::BlackIsZero),
    }
}

fn bits(directory: &Directory<'_>) -> Result<u32, Failure> {
    let all = directory.numbers(258).unwrap_or_else(|| vec![1]);
    match all.as_slice() {
        [first, rest @ ..] if (1..=64).contains(first) && rest.iter().all(|bits| bits == first) => Ok(*first as u32),
        _ => Err(unsupported(format!("TIFF with {:?} bits a sample", &all[..all.len().min(8)]))),
    }
}

fn numbers(directory: &Directory<'_>) -> Result<Numbers, Failure> {
    match directory.number(339).unwrap_or(1) {
        // 4 is "undefined", which everybody reads as unsigned.
        1 | 4 => Ok(Numbers::Unsigned),
        2 => Ok(Numbers::Signed),
        3 => Ok(Numbers::Float),
        other => Err(unsupported(format!("TIFF sample format {other}"))),
    }
}

fn alpha(directory: &Directory<'_>, photometric: Photometric, samples: u64) -> Alpha {
    let colours = match photometric {
        Photometric::WhiteIsZero | Photometric::BlackIsZero => 1,
        Photometric::Rgb => 3,
        Photometric::Palette | Photometric::Cmyk | Photometric::YCbCr => return Alpha::None,
    };
    match directory.number(338) {
        Some(1) if samples > colours => Alpha::Associated,
        Some(2) if samples > colours => Alpha::Unassociated,
        _ => Alpha::None,
    }
}

fn chunk(directory: &Directory<'_>, page: Dimensions) -> Result<Dimensions, Failure> {
    let side = |tag| directory.number(tag).map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    if let Some((width, height)) = side(322).zip(side(323)) {
        let tile = dimensions(width, height)?;
        // Tiles are padded; one that is far larger than its page is an attack.
        let most = (u64::from(page.width) + 4096) * (u64::from(page.height) + 4096);
        return if tile.area_pixels() <= most {
            Ok(tile)
        } else {
            Err(corrupt(format!("the TIFF has tiles of {tile}")))
        };
    }
    let rows = side(278).unwrap_or(page.height);
    dimensions(page.width, rows.min(page.height))
}

fn subsampling(directory: &Directory<'_>) -> (u32, u32) {
    match directory.numbers(530).as_deref() {
        Some([across @ (1 | 2 | 4), down @ (1 | 2 | 4), ..]) => (*across as u32, *down as u32),
        _ => (2, 2),
    }
}

fn weights(directory: &Directory<'_>) -> [f64; 3] {
    let own = directory.fractions(529).and_then(|values| <[f64; 3]>::try_from(values).ok());
    own.filter(|weights| weights.iter().all(|weight| *weight > 0.0 && *weight < 1.0)).unwrap_or([0.299, 0.587, 0.114])
}
