//! Resizes pixels: Lanczos, on premultiplied colours where there is transparency, in the depth that they come in.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeAlg, ResizeOptions, Resizer};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};

use crate::geometry::Area;
use crate::lanczos::lanczos;
use crate::raster::{Layout, Raster, Samples};
use crate::resize_plane::PlaneFilter;

/// A part of the picture at these dimensions. Opaque pictures lose their alpha channel on the way.
pub(crate) fn resized(
    resizer: &mut Resizer,
    raster: &Raster,
    area: Area,
    dimensions: Dimensions,
) -> Result<Raster, Failure> {
    match (raster.layout, &raster.samples) {
        (Layout::Gray, Samples::Eight(_)) => {
            PlaneFilter::new(raster.dimensions, area, dimensions).apply(resizer, raster)
        }
        _ => filtered(resizer, raster, area, dimensions),
    }
}

/// The same for any layout and depth; a single channel of bytes has a faster way.
pub(crate) fn filtered(
    resizer: &mut Resizer,
    raster: &Raster,
    area: Area,
    dimensions: Dimensions,
) -> Result<Raster, Failure> {
    let opaque = raster.is_opaque();
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(lanczos())).use_alpha(!opaque).crop(
        area.left,
        area.top,
        area.width,
        area.height,
    );
    let pixel_type = pixel_type(raster);
    let length = dimensions.area_pixels() as usize * raster.layout.channels();
    let samples = match &raster.samples {
        Samples::Eight(samples) => {
            let mut target = vec![0; length];
            run(resizer, raster.dimensions, samples, dimensions, &mut target, pixel_type, &options)?;
            Samples::Eight(target)
        }
        Samples::Sixteen(samples) => {
            let mut target = vec![0_u16; length];
            let source = bytemuck::cast_slice(samples);
            let bytes = bytemuck::cast_slice_mut(&mut target);
            run(resizer, raster.dimensions, source, dimensions, bytes, pixel_type, &options)?;
            Samples::Sixteen(target)
        }
    };
    let result = Raster { dimensions, layout: raster.layout, samples };
    Ok(if opaque { result.without_alpha() } else { result })
}

fn run(
    resizer: &mut Resizer,
    from: Dimensions,
    source: &[u8],
    to: Dimensions,
    target: &mut [u8],
    pixel_type: PixelType,
    options: &ResizeOptions,
) -> Result<(), Failure> {
    let wrong = |problem: &dyn std::fmt::Display| {
        Failure::new(FailureCode::EncodeFailed, format!("cannot resize {from} to {to}: {problem}"))
    };
    let source = ImageRef::new(from.width, from.height, source, pixel_type).map_err(|e| wrong(&e))?;
    let mut target = Image::from_slice_u8(to.width, to.height, target, pixel_type).map_err(|e| wrong(&e))?;
    resizer.resize(&source, &mut target, Some(options)).map_err(|e| wrong(&e))
}

fn pixel_type(raster: &Raster) -> PixelType {
    match (&raster.samples, raster.layout) {
        (Samples::Eight(_), Layout::Gray) => PixelType::U8,
        (Samples::Eight(_), Layout::GrayAlpha) => PixelType::U8x2,
        (Samples::Eight(_), Layout::Rgb) => PixelType::U8x3,
        (Samples::Eight(_), Layout::Rgba | Layout::Cmyk) => PixelType::U8x4,
        (Samples::Sixteen(_), Layout::Gray) => PixelType::U16,
        (Samples::Sixteen(_), Layout::GrayAlpha) => PixelType::U16x2,
        (Samples::Sixteen(_), Layout::Rgb) => PixelType::U16x3,
        (Samples::Sixteen(_), Layout::Rgba | Layout::Cmyk) => PixelType::U16x4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halved(layout: Layout, samples: Vec<u8>) -> Raster {
        let side = ((samples.len() / layout.channels()) as f64).sqrt() as u32;
        let dimensions = Dimensions { width: side, height: side };
        let raster = Raster { dimensions, layout, samples: Samples::Eight(samples) };
        let half = Dimensions { width: side / 2, height: side / 2 };
        resized(&mut Resizer::new(), &raster, Area::whole(dimensions), half).unwrap()
    }

    #[test]
    fn the_colour_of_what_is_invisible_does_not_bleed() {
        // Red on the left; on the right fully transparent green, which must not tint the border.
        let row: Vec<u8> = [[255, 0, 0, 255]; 7].into_iter().chain([[0, 255, 0, 0]; 9]).flatten().collect();
        let half = halved(Layout::Rgba, row.repeat(16));
        let Samples::Eight(samples) = half.samples else { panic!("8 bits stay 8 bits") };
        for pixel in samples.chunks(4).filter(|pixel| pixel[3] > 0) {
            assert!(pixel[0] >= 250 && pixel[1] == 0, "{pixel:?}");
        }
    }

    #[test]
    fn ink_is_not_taken_for_transparency() {
        let half = halved(Layout::Cmyk, [10, 20, 30, 0].repeat(64));
        assert_eq!(half.samples, Samples::Eight([10, 20, 30, 0].repeat(16)));
    }

    #[test]
    fn an_alpha_channel_without_transparency_is_dropped() {
        assert_eq!(halved(Layout::Rgba, [10, 20, 30, 255].repeat(64)).layout, Layout::Rgb);
    }
}
