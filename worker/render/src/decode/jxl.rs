//! JPEG XL by `jxl-oxide`: the first frame that is shown, upright, in the picture's own colours.

use jxl_oxide::{JxlImage, PixelFormat, Render};
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order};
use crate::geometry::Area;
use crate::inspect::{corrupt, jxl, truncated, unsupported};
use crate::raster::{Layout, Raster};
use crate::shrink::{RowShrink, Sample};

/// Decodes the first frame; where a cut one has no pixels yet it shows the coarse ones that come first, once half of it
/// is there.
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
    let render = if image.num_loaded_keyframes() > 0 {
        image.render_frame(0).map_err(|e| failed(&*e))?
    } else {
        half_there(&image)?;
        image.render_loading_frame().map_err(|e| truncated(format!("JPEG XL: {e}")))?
    };
    let (raster, covered) =
        if bits(&image) > 8 { rows::<u16>(&render, order, layout)? } else { rows::<u8>(&render, order, layout)? };
    Ok(DecodedRaster { raster, covered, profile: Some(image.rendered_icc()) })
}

/// Whether half of the frame that is being loaded is there. Its parts are squares of 256 pixels, all of about one length
/// in bytes, behind coarse pixels for all of it; a picture of one square has one part.
fn half_there(image: &JxlImage) -> Result<(), Failure> {
    let ends = || truncated("the JPEG XL ends in its first frame");
    let frame = image.frame(image.num_loaded_frames()).ok_or_else(ends)?;
    let parts = frame.toc().iter_bitstream_order();
    let there: usize = parts.filter_map(|part| frame.data(part.kind)).map(<[u8]>::len).sum();
    if there * 2 >= frame.toc().total_byte_size() { Ok(()) } else { Err(ends()) }
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
