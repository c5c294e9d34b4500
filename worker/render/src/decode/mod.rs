//! Step: from the source's bytes to pixels, already shrunk as far as the codec can for free. One file for each family.

mod bmp;
mod forward;
mod gif;
mod heif;
mod ico;
pub(crate) mod jpeg;
mod jxl;
mod png;
mod pnm;
mod psd;
mod qoi;
mod raw;
pub(crate) mod svg;
mod tga;
mod tiff;
mod webp;

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::SourceFormat;
use shared::domain::limits::Limits;

use crate::fence::fenced;
use crate::geometry::Area;
use crate::inspect::{PageHeader, truncated};
use crate::planes::Planes;
use crate::raster::Raster;
use crate::request::SourceMemory;

/// What a decoder is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    /// The whole file.
    pub(crate) source: &'a [u8],
    /// Counted from 0.
    pub(crate) page: u32,
    /// What the header says of this page; within the limits.
    pub(crate) header: &'a PageHeader,
    /// The decoder may hand over fewer pixels than the page has, but at least this many each way. As stored.
    pub(crate) least: Dimensions,
    /// For what only shows while decoding.
    pub(crate) limits: &'a Limits,
    /// What is told which parts of the source were passed.
    pub(crate) memory: &'a dyn SourceMemory,
}

/// What a decoder hands over.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// Any kind of pixels.
    Raster(DecodedRaster),
    /// Luma and chroma apart.
    Planes(DecodedPlanes),
}

/// Pixels as stored (not turned yet), in the source's own colours.
#[derive(Debug)]
pub(crate) struct DecodedRaster {
    /// At least as large as ordered.
    pub(crate) raster: Raster,
    /// The part of the raster that the page covers: shrinking may leave the last column and row covered in part.
    pub(crate) covered: Area,
    /// The ICC profile, unchecked.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Planes as stored (not turned yet), in the YCbCr of the source's own colours.
#[derive(Debug)]
pub(crate) struct DecodedPlanes {
    /// At least as large as ordered.
    pub(crate) planes: Planes,
    /// The ICC profile, unchecked.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Decodes one page; into planes, where the caller can use them and the source has them. A panic in a codec is a corrupt
/// source.
pub(crate) fn decode(format: SourceFormat, order: &Order<'_>, in_planes: bool) -> Result<Decoded, Failure> {
    fenced(FailureCode::CorruptSource, format.name(), || {
        let planes = match format {
            SourceFormat::Jpeg if in_planes => jpeg::planes(order)?,
            SourceFormat::Raw if in_planes => raw::planes(order)?,
            _ => None,
        };
        match planes {
            Some(planes) => Ok(Decoded::Planes(planes)),
            None => Ok(Decoded::Raster(raster(format, order)?)),
        }
    })
}

fn raster(format: SourceFormat, order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    match format {
        SourceFormat::Jpeg => jpeg::decode(order),
        SourceFormat::Png => png::decode(order),
        SourceFormat::Gif => gif::decode(order),
        SourceFormat::Webp => webp::decode(order),
        SourceFormat::Tiff => tiff::decode(order),
        SourceFormat::Bmp => bmp::decode(order),
        SourceFormat::Ico => ico::decode(order),
        SourceFormat::Tga => tga::decode(order),
        SourceFormat::Pnm => pnm::decode(order),
        SourceFormat::Qoi => qoi::decode(order),
        SourceFormat::Raw => raw::decode(order),
        SourceFormat::Psd => psd::decode(order),
        SourceFormat::Jxl => jxl::decode(order),
        SourceFormat::Avif | SourceFormat::Heic => heif::decode(order),
        SourceFormat::Svg => svg::decode(order),
    }
}

/// A picture that is shown although it is cut needs at least half of its rows, as in browsers; otherwise it fails as
/// `why`, or as truncated.
fn enough_rows(rows: u32, of: u32, why: Option<Failure>) -> Result<(), Failure> {
    if u64::from(rows) * 2 >= u64::from(of) {
        return Ok(());
    }
    Err(why.unwrap_or_else(|| truncated(format!("only {rows} of {of} rows could be decoded"))))
}
