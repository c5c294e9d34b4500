//! JPEG XL by `jxl-oxide`: the first frame that is shown, upright, in the picture's own colours.

use jxl_oxide::{JxlImage, PixelFormat, Render};
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order};
use crate::geometry::Area;
use crate::inspect::{corrupt, jxl, truncated, unsupported};
use crate::raster::{Layout, Raster};
use crate::shrink::{RowShrink, Sample};

/// Decodes the first frame; a cut one is refused, because its passes are spread over the file and not its rows.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let stored = order.header.dimensions;
    let (mut image, taken) = jxl::open_for(order.source, stored.area_pixels())?;
    let layout = match image.pixel_format() {
        PixelFormat::Gray => Layout::Gray,
        PixelFormat::Graya => Layout::GrayAlpha,
        PixelFormat::Rgb => Layout::Rgb,
        PixelFormat::Rgba => Layout::Rgba,
        other => return Err(unsupported(format!("JPEG XL with {other:?} pixels"))),
    };
    let failed = |e: &dyn std::fmt::Display| corrupt(format!("JPEG XL: {e}"));
    image.feed_bytes(&order.source[taken..]).map_err(|e| failed(&e))?;
    if image.num_loaded_keyframes() == 0 {
        return Err(truncated("the JPEG XL ends in its first frame"));
    }
    let render = image.render_frame(0).map_err(|e| failed(&*e))?;
    let (raster, covered) =
        if bits(&image) > 8 { rows::<u16>(&render, order, layout)? } else { rows::<u8>(&render, order, layout)? };
    Ok(DecodedRaster { raster, covered, profile: Some(image.rendered_icc()) })
}

fn bits(image: &JxlImage) -> u32 {
    image.image_header().metadata.bit_depth.bits_per_sample()
}

/// Samples of 8 or 16 bits that the decoder can write.
trait JxlSample: Sample + jxl_oxide::FrameBufferSample {}
impl JxlSample for u8 {}
impl JxlSample for u16 {}

fn rows<T: JxlSample>(render: &Render, order: &Order<'_>, layout: Layout) -> Result<(Raster, Area), Failure> {
    let stored = order.header.dimensions;
    let mut stream = render.stream();
    let written = (stream.width(), stream.height(), stream.channels() as usize);
    if written != (stored.width, stored.height, layout.channels()) {
        return Err(corrupt("the JPEG XL's frame contradicts its header"));
    }
    let mut shrink = RowShrink::<T>::new(stored, layout, order.least);
    let mut row = vec![T::default(); stored.width as usize * layout.channels()];
    for _ in 0..stored.height {
        stream.write_to_buffer(&mut row);
        shrink.push(&row);
    }
    Ok(shrink.finish(&vec![T::default(); layout.channels()]))
}
