//! Step: from 8-bit sRGB pixels to a file in the preset's format, with nothing in it but the picture.

mod avif;
mod jpeg;
mod png;
mod webp;

use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::OutputFormat;
use shared::domain::preset::Preset;

use crate::planes::Planes;
use crate::raster::{Raster, Samples};

/// Whether this build has the encoder.
pub const fn writes(format: OutputFormat) -> bool {
    match format {
        OutputFormat::Jpg | OutputFormat::Png | OutputFormat::Webp => true,
        OutputFormat::Avif => cfg!(feature = "avif"),
    }
}

/// The file.
pub(crate) fn encode(raster: &Raster, preset: &Preset) -> Result<Vec<u8>, Failure> {
    let Samples::Eight(samples) = &raster.samples else {
        return Err(Failure::new(FailureCode::EncodeFailed, "only 8-bit pixels can be written"));
    };
    match preset.format {
        OutputFormat::Jpg => jpeg::encode(raster, samples, preset),
        OutputFormat::Png => png::encode(raster, samples),
        OutputFormat::Webp => webp::encode(raster, samples, preset),
        OutputFormat::Avif => avif::encode(raster, samples, preset),
    }
}

/// The JPEG of planes.
pub(crate) fn encode_planes(planes: &Planes, preset: &Preset) -> Result<Vec<u8>, Failure> {
    jpeg::encode_planes(planes, preset)
}

fn failed(format: &str, problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureCode::EncodeFailed, format!("{format} encoder: {problem}"))
}
