//! Step: dimensions, orientation and pages from the header alone, and every limit before anything is allocated.

pub(crate) mod bmp;
mod boxes;
pub(crate) mod gif;
pub(crate) mod heif;
pub(crate) mod ico;
pub(crate) mod jpeg;
pub(crate) mod jxl;
pub(crate) mod png;
pub(crate) mod pnm;
pub(crate) mod psd;
pub(crate) mod qoi;
pub(crate) mod raw;
pub(crate) mod reader;
pub(crate) mod svg;
pub(crate) mod tga;
pub(crate) mod tiff;
pub(crate) mod webp;

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::SourceFormat;
use shared::domain::limits::Limits;

use crate::orient::Orientation;
use crate::request::Picture;
use crate::sniff::sniff;

/// What the header says of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// As stored.
    pub(crate) dimensions: Dimensions,
    /// What makes it upright.
    pub(crate) orientation: Orientation,
}

/// The format, or why there is nothing to render.
pub(crate) fn identified(source: &[u8]) -> Result<SourceFormat, Failure> {
    if source.is_empty() {
        return Err(Failure::new(FailureCode::ZeroBytes, "the source has no bytes"));
    }
    sniff(source)
        .ok_or_else(|| Failure::new(FailureCode::UnsupportedFormat, "the content is of no format that is rendered"))
}

/// The facts of a source of this format, from its header; an error when it is broken or beyond the limits.
pub fn inspect(source: &[u8], format: SourceFormat, limits: &Limits) -> Result<Picture, Failure> {
    if source.len() as u64 > limits.source_bytes_max {
        let reason = format!("source is {} bytes long, the limit is {}", source.len(), limits.source_bytes_max);
        return Err(Failure::new(FailureCode::TooManyBytes, reason));
    }
    let header = page_header(source, format, 0, limits)?;
    let pages = if format == SourceFormat::Tiff { tiff::page_count(source) } else { 1 };
    let dimensions = header.orientation.applied(header.dimensions);
    Ok(Picture { format, dimensions, pages, placeholder: None })
}

/// The header of one page, within the limits.
pub(crate) fn page_header(
    source: &[u8],
    format: SourceFormat,
    page: u32,
    limits: &Limits,
) -> Result<PageHeader, Failure> {
    let header = match format {
        SourceFormat::Jpeg => jpeg::header(source)?.page,
        SourceFormat::Png => png::header(source)?,
        SourceFormat::Gif => gif::header(source)?,
        SourceFormat::Webp => webp::header(source)?.page,
        SourceFormat::Bmp => bmp::header(source)?,
        SourceFormat::Ico => ico::largest(source)?.page,
        SourceFormat::Tga => tga::header(source)?.page,
        SourceFormat::Pnm => pnm::header(source)?.page,
        SourceFormat::Qoi => qoi::header(source)?,
        SourceFormat::Raw => raw::preview(source, limits.nesting_max)?.page,
        SourceFormat::Psd => psd::header(source)?.page,
        SourceFormat::Jxl => jxl::header(source)?,
        SourceFormat::Avif | SourceFormat::Heic => heif::header(source)?,
        SourceFormat::Svg => svg::header(source, limits.nesting_max)?,
        SourceFormat::Tiff => tiff::page(source, page)?.header(),
    };
    within(header.dimensions, limits)?;
    Ok(header)
}

/// Refuses dimensions beyond the limits.
pub(crate) fn within(dimensions: Dimensions, limits: &Limits) -> Result<(), Failure> {
    let too_many = |reason: String| Err(Failure::new(FailureCode::TooManyPixels, reason));
    let Dimensions { width, height } = dimensions;
    if width > limits.width_pixels_max {
        return too_many(format!("source is {width} pixels wide, the limit is {}", limits.width_pixels_max));
    }
    if height > limits.height_pixels_max {
        return too_many(format!("source is {height} pixels high, the limit is {}", limits.height_pixels_max));
    }
    let area = dimensions.area_pixels();
    if area > limits.area_pixels_max {
        return too_many(format!("source has {area} pixels ({dimensions}), the limit is {}", limits.area_pixels_max));
    }
    Ok(())
}

/// A header that contradicts its format.
pub(crate) fn corrupt(reason: impl Into<String>) -> Failure {
    Failure::new(FailureCode::CorruptSource, reason)
}

/// Content that ends too early.
pub(crate) fn truncated(reason: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Truncated, reason)
}

/// A variant of the format that the engine does not read.
pub(crate) fn unsupported(reason: impl Into<String>) -> Failure {
    Failure::new(FailureCode::UnsupportedFeature, reason)
}

/// Dimensions from a header, where zero is a contradiction.
pub(crate) fn dimensions(width: u32, height: u32) -> Result<Dimensions, Failure> {
    Dimensions::new(width, height).ok_or_else(|| corrupt(format!("the header says {width}x{height} pixels")))
}
