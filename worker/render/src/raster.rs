//! Pixels in memory: row by row, samples interleaved, without padding; transparency is never premultiplied.

use shared::domain::dimensions::Dimensions;

/// Which samples make up a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Light only.
    Gray,
    /// Light and opacity.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, opacity.
    Rgba,
    /// Cyan, magenta, yellow, black as amounts of ink: 0 is the bare paper.
    Cmyk,
}

impl Layout {
    /// Samples in a pixel.
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    /// Whether the last sample is opacity.
    pub(crate) fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// The samples, in one of the two depths that the engine works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Samples {
    /// 0 to 255.
    Eight(Vec<u8>),
    /// 0 to 65535.
    Sixteen(Vec<u16>),
}

/// A picture in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raster {
    /// Columns and rows.
    pub(crate) dimensions: Dimensions,
    /// What a pixel is.
    pub(crate) layout: Layout,
    /// Exactly columns × rows × channels of them.
    pub(crate) samples: Samples,
}

impl Raster {
    /// Whether no pixel lets anything through.
    pub(crate) fn is_opaque(&self) -> bool {
        let channels = self.layout.channels();
        match &self.samples {
            _ if !self.layout.has_alpha() => true,
            Samples::Eight(samples) => samples.iter().skip(channels - 1).step_by(channels).all(|a| *a == u8::MAX),
            Samples::Sixteen(samples) => samples.iter().skip(channels - 1).step_by(channels).all(|a| *a == u16::MAX),
        }
    }

    /// The same colours without their opacity.
    pub(crate) fn without_alpha(self) -> Self {
        let layout = match self.layout {
            Layout::GrayAlpha => Layout::Gray,
            Layout::Rgba => Layout::Rgb,
            Layout::Gray | Layout::Rgb | Layout::Cmyk => return self,
        };
        let samples = match &self.samples {
            Samples::Eight(samples) => Samples::Eight(without_last(samples, self.layout.channels())),
            Samples::Sixteen(samples) => Samples::Sixteen(without_last(samples, self.layout.channels())),
        };
        Self { dimensions: self.dimensions, layout, samples }
    }
}

fn without_last<T: Copy>(samples: &[T], channels: usize) -> Vec<T> {
    samples.chunks_exact(channels).flat_map(|pixel| &pixel[..channels - 1]).copied().collect()
}

/// 16 bits to 8, rounded.
pub(crate) fn narrowed(sample: u16) -> u8 {
    // 65535 / 255 is 257; the result is at most 255, so the cast cannot truncate.
    ((u32::from(sample) + 128) / 257) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_meets_both_ends_and_rounds() {
        assert_eq!([narrowed(0), narrowed(128), narrowed(129), narrowed(65_535)], [0, 0, 1, 255]);
    }

    #[test]
    fn one_clear_pixel_is_enough_not_to_be_opaque() {
        let raster = |alpha| Raster {
            dimensions: Dimensions { width: 2, height: 1 },
            layout: Layout::GrayAlpha,
            samples: Samples::Eight(vec![1, 255, 2, alpha]),
        };
        assert!(raster(255).is_opaque());
        assert!(!raster(254).is_opaque());
        assert_eq!(raster(255).without_alpha().samples, Samples::Eight(vec![1, 2]));
    }
}
