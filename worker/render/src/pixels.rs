//! The two ways in which the engine holds a decoded picture, and what the later steps ask of either.

use fast_image_resize::Resizer;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::OutputFormat;
use shared::domain::preset::Preset;

use crate::encode::{encode, encode_planes};
use crate::flatten::flatten;
use crate::geometry::Area;
use crate::planes::Planes;
use crate::raster::{Layout, Raster, Samples};
use crate::resize::resized;
use crate::step::{Step, StepObserver};

/// A picture that can be resized and written.
pub(crate) trait Pixels: Sized {
    /// Of the picture.
    fn dimensions(&self) -> Dimensions;
    /// A part of the picture at these dimensions.
    fn resized(&self, resizer: &mut Resizer, area: Area, dimensions: Dimensions) -> Result<Self, Failure>;
    /// The file of a preset.
    fn file(&self, preset: &Preset, observer: &mut dyn StepObserver) -> Result<Vec<u8>, Failure>;
    /// Red, green, blue and opacity of every pixel.
    fn rgba(&self) -> Vec<[u8; 4]>;
}

impl Pixels for Raster {
    fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    fn resized(&self, resizer: &mut Resizer, area: Area, dimensions: Dimensions) -> Result<Self, Failure> {
        resized(resizer, self, area, dimensions)
    }

    fn file(&self, preset: &Preset, observer: &mut dyn StepObserver) -> Result<Vec<u8>, Failure> {
        let flat = (preset.format == OutputFormat::Jpg && self.layout.has_alpha()).then(|| {
            observer.step(Step::Flatten);
            flatten(self, preset.matte)
        });
        observer.step(Step::Encode);
        encode(flat.as_ref().unwrap_or(self), preset)
    }

    fn rgba(&self) -> Vec<[u8; 4]> {
        let Samples::Eight(samples) = &self.samples else { return Vec::new() };
        let pixel = |pixel: &[u8]| match (self.layout, pixel) {
            (Layout::Rgb, [r, g, b]) => [*r, *g, *b, u8::MAX],
            (Layout::Rgba, [r, g, b, alpha]) => [*r, *g, *b, *alpha],
            (Layout::GrayAlpha, [light, alpha]) => [*light, *light, *light, *alpha],
            _ => [pixel[0], pixel[0], pixel[0], u8::MAX],
        };
        samples.chunks_exact(self.layout.channels()).map(pixel).collect()
    }
}

impl Pixels for Planes {
    fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    fn resized(&self, resizer: &mut Resizer, area: Area, dimensions: Dimensions) -> Result<Self, Failure> {
        self.resized(resizer, area, dimensions)
    }

    fn file(&self, preset: &Preset, observer: &mut dyn StepObserver) -> Result<Vec<u8>, Failure> {
        if !Planes::suit(preset) {
            return Err(Failure::new(FailureCode::EncodeFailed, "planes become JPEG in 4:2:0 only"));
        }
        observer.step(Step::Encode);
        encode_planes(self, preset)
    }

    fn rgba(&self) -> Vec<[u8; 4]> {
        self.pixels()
    }
}
