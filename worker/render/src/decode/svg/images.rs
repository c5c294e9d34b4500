//! Pictures inside an SVG: only those that it carries itself, and only within bounds, which resvg's decoders have not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use resvg::usvg::{ImageHrefDataResolverFn, ImageKind};
use shared::domain::format::SourceFormat;

use crate::inspect::{gif, jpeg, png, webp};
use crate::sniff::sniff;

/// Pixels of all pictures of a drawing together.
const PIXELS_MAX: u64 = 32_000_000;

/// Accepts what fits into what is left of the budget; the rest of the drawing is shown without the others.
pub(super) fn embedded() -> ImageHrefDataResolverFn<'static> {
    let spent = AtomicU64::new(0);
    Box::new(move |_, data: Arc<Vec<u8>>, _| {
        let format = sniff(&data)?;
        let page = match format {
            SourceFormat::Jpeg => jpeg::header(&data).ok()?.page,
            SourceFormat::Png => png::header(&data).ok()?,
            SourceFormat::Gif => gif::header(&data).ok()?,
            SourceFormat::Webp => webp::header(&data).ok()?.page,
            _ => return None,
        };
        let pixels = page.dimensions.area_pixels();
        if spent.fetch_add(pixels, Ordering::Relaxed).saturating_add(pixels) > PIXELS_MAX {
            return None;
        }
        Some(match format {
            SourceFormat::Jpeg => ImageKind::JPEG(data),
            SourceFormat::Png => ImageKind::PNG(data),
            SourceFormat::Gif => ImageKind::GIF(data),
            _ => ImageKind::WEBP(data),
        })
    })
}
