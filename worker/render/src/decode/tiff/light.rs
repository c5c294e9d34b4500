//! What the samples of a TIFF mean, row by row: grey, RGB or ink, with or without opacity.

use super::numbers::Number;
use crate::inspect::tiff::{Alpha, Compression, Photometric, TiffPage};
use crate::raster::Layout;

/// How the pixels of a page are read.
pub(super) struct Light<'a> {
    page: &'a TiffPage<'a>,
    layout: Layout,
    /// Red, green and blue by index.
    palette: Vec<[u8; 3]>,
}

impl<'a> Light<'a> {
    /// How this page is read.
    pub(super) fn of(page: &'a TiffPage<'a>) -> Self {
        let alpha = page.alpha != Alpha::None;
        let layout = match page.photometric {
            Photometric::WhiteIsZero | Photometric::BlackIsZero if alpha => Layout::GrayAlpha,
            Photometric::WhiteIsZero | Photometric::BlackIsZero => Layout::Gray,
            Photometric::Rgb if alpha => Layout::Rgba,
            Photometric::Rgb | Photometric::Palette | Photometric::YCbCr => Layout::Rgb,
            Photometric::Cmyk => Layout::Cmyk,
        };
        Self { page, layout, palette: palette(page) }
    }

    /// What a pixel becomes.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// A pixel of bare paper, for what a cut file does not have.
    pub(super) fn missing<T: Number>(&self) -> Vec<T> {
        let paper = if self.layout == Layout::Cmyk { 0 } else { T::MOST };
        vec![T::from_sum(paper); self.layout.channels()]
    }

    /// One row of the page as one row of a raster.
    pub(super) fn convert<T: Number>(&self, row: &[T], target: &mut Vec<T>) {
        target.clear();
        let samples = self.page.samples;
        let channels = self.layout.channels();
        let pixels = row.chunks_exact(samples);
        match self.page.photometric {
            Photometric::Palette => {
                let colour = |pixel: &[T]| {
                    let index: u64 = pixel[0].into();
                    self.palette.get(index as usize).copied().unwrap_or([0; 3])
                };
                target.extend(pixels.flat_map(colour).map(T::of_byte));
            }
            Photometric::YCbCr if self.page.compression != Compression::Jpeg => {
                target.extend(pixels.flat_map(|pixel| self.rgb(pixel)));
            }
            _ if samples == channels => target.extend_from_slice(row),
            _ => target.extend(pixels.flat_map(|pixel| &pixel[..channels]).copied()),
        }
        if self.page.photometric == Photometric::WhiteIsZero {
            let colours = target.iter_mut().step_by(channels);
            colours.for_each(|sample| *sample = T::from_sum(T::MOST - Into::<u64>::into(*sample)));
        }
        if self.page.alpha == Alpha::Associated {
            target.chunks_exact_mut(channels).for_each(unassociate);
        }
    }

    /// Brightness and differences to light, by the page's own weights.
    fn rgb<T: Number>(&self, pixel: &[T]) -> [T; 3] {
        let part = |sample: T| {
            let value: u64 = sample.into();
            value as f64 / T::MOST as f64
        };
        let [red, green, blue] = self.page.weights;
        let middle = T::MOST.div_ceil(2) as f64 / T::MOST as f64;
        let (y, cb, cr) = (part(pixel[0]), part(pixel[1]) - middle, part(pixel[2]) - middle);
        let (r, b) = (y + cr * (2.0 - 2.0 * red), y + cb * (2.0 - 2.0 * blue));
        [r, (y - red * r - blue * b) / green, b].map(T::of_part)
    }
}

/// Takes the opacity out of the colours again.
fn unassociate<T: Number>(pixel: &mut [T]) {
    if let [colours @ .., alpha] = pixel {
        let alpha: u64 = (*alpha).into();
        for colour in colours {
            let value: u64 = (*colour).into();
            *colour = T::from_sum((value * T::MOST + alpha / 2).checked_div(alpha).unwrap_or(0));
        }
    }
}

/// The colour map, which has all reds first. Some writers put 8-bit values into its 16 bits.
fn palette(page: &TiffPage<'_>) -> Vec<[u8; 3]> {
    if page.photometric != Photometric::Palette {
        return Vec::new();
    }
    let shift = if page.colour_map.iter().all(|value| *value < 256) { 0 } else { 8 };
    let count = page.colour_map.len() / 3;
    let colour = |at: usize| (page.colour_map[at] >> shift).min(255) as u8;
    (0..count).map(|index| [colour(index), colour(count + index), colour(2 * count + index)]).collect()
}
