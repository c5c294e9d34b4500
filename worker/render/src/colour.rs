//! Step: whatever the source's colours mean, they become 8-bit sRGB.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout as IccLayout, ToneReprCurve, TransformExecutor, TransformOptions};
use shared::domain::failure::{Failure, FailureCode};

use crate::fence::fenced;
use crate::raster::{Layout, Raster, Samples, narrowed};

/// Profiles longer than this are not profiles of pictures.
const PROFILE_BYTES_MAX: usize = 8 << 20;

/// The picture in 8-bit sRGB (or its grey axis). A profile that cannot be used is ignored, as every viewer does.
pub(crate) fn to_srgb(raster: Raster, profile: Option<&[u8]>) -> Raster {
    let profile = profile.and_then(|bytes| usable(bytes, raster.layout));
    let converted = profile.and_then(|profile| {
        let convert = || converted(&raster, &profile);
        fenced(FailureCode::UnsupportedFeature, "ICC", convert).ok()
    });
    match converted.unwrap_or(raster) {
        Raster { dimensions, layout: Layout::Cmyk, samples } => {
            let samples = Samples::Eight(light_of_ink(&eight(samples)));
            Raster { dimensions, layout: Layout::Rgb, samples }
        }
        Raster { dimensions, layout, samples } => {
            Raster { dimensions, layout, samples: Samples::Eight(eight(samples)) }
        }
    }
}

/// Takes red, green and blue of 8 bits to sRGB, some pixels at a time.
pub(crate) struct Recolour(Arc<dyn TransformExecutor<u8> + Send + Sync>);

impl Recolour {
    /// From this profile's; `None` when it cannot be used, or is sRGB anyway.
    pub(crate) fn of(profile: &[u8]) -> Option<Self> {
        Self::from_space(&usable(profile, Layout::Rgb)?)
    }

    /// From these colours, whichever they are.
    pub(crate) fn from_space(profile: &ColorProfile) -> Option<Self> {
        let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
        let create = || {
            let transform = profile.create_transform_8bit(IccLayout::Rgb, &srgb, IccLayout::Rgb, options);
            transform.map_err(|error| failed(&error))
        };
        fenced(FailureCode::UnsupportedFeature, "ICC", create).ok().map(Self)
    }

    /// Pixels that cannot be taken there, which none are, stay as they are.
    pub(crate) fn apply(&self, pixels: &[u8], recoloured: &mut [u8]) {
        let apply = || self.0.transform(pixels, recoloured).map_err(|error| failed(&error));
        if fenced(FailureCode::UnsupportedFeature, "ICC", apply).is_err() {
            recoloured.copy_from_slice(pixels);
        }
    }
}

fn failed(error: &moxcms::CmsError) -> Failure {
    Failure::new(FailureCode::UnsupportedFeature, format!("ICC: {error}"))
}

/// The profile, when it describes pixels of this layout and is not sRGB anyway.
fn usable(bytes: &[u8], layout: Layout) -> Option<ColorProfile> {
    if bytes.len() > PROFILE_BYTES_MAX {
        return None;
    }
    let read = || ColorProfile::new_from_slice(bytes).map_err(|error| failed(&error));
    let profile = fenced(FailureCode::UnsupportedFeature, "ICC", read).ok()?;
    let fits = match layout {
        Layout::Gray | Layout::GrayAlpha => profile.color_space == DataColorSpace::Gray,
        Layout::Rgb | Layout::Rgba => profile.color_space == DataColorSpace::Rgb && !is_srgb(&profile),
        Layout::Cmyk => profile.color_space == DataColorSpace::Cmyk,
    };
    fits.then_some(profile)
}

/// Whether this is sRGB by another name: many cameras and editors attach one of its dozens of spellings, and converting
/// would cost time to change nothing.
fn is_srgb(profile: &ColorProfile) -> bool {
    const COLORANT_TOLERANCE: f64 = 0.002;
    const CURVE_TOLERANCE: f32 = 0.003;
    let srgb = ColorProfile::new_srgb();
    if !profile.is_matrix_shaper() || profile.lut_a_to_b_perceptual.is_some() {
        return false;
    }
    let near = |a: moxcms::Xyzd, b: moxcms::Xyzd| {
        [a.x - b.x, a.y - b.y, a.z - b.z].iter().all(|difference| difference.abs() < COLORANT_TOLERANCE)
    };
    let curves = |p: &ColorProfile| [p.red_trc.clone(), p.green_trc.clone(), p.blue_trc.clone()];
    near(profile.red_colorant, srgb.red_colorant)
        && near(profile.green_colorant, srgb.green_colorant)
        && near(profile.blue_colorant, srgb.blue_colorant)
        && curves(profile).iter().zip(curves(&srgb)).all(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => same_curve(a, &b, CURVE_TOLERANCE),
            _ => false,
        })
}

fn same_curve(a: &ToneReprCurve, b: &ToneReprCurve, tolerance: f32) -> bool {
    let (Ok(a), Ok(b)) = (a.make_linear_evaluator(), b.make_linear_evaluator()) else { return false };
    (0..=16_u8).map(|step| f32::from(step) / 16.0).all(|at| {
        let difference = a.evaluate_value(at) - b.evaluate_value(at);
        difference.abs() < tolerance
    })
}

/// The same pixels in sRGB. Grey with a profile becomes RGB, because its tone curve is another one.
fn converted(raster: &Raster, profile: &ColorProfile) -> Result<Raster, Failure> {
    let (from, to, layout) = match raster.layout {
        Layout::Gray => (IccLayout::Gray, IccLayout::Rgb, Layout::Rgb),
        Layout::GrayAlpha => (IccLayout::GrayAlpha, IccLayout::Rgba, Layout::Rgba),
        Layout::Rgb => (IccLayout::Rgb, IccLayout::Rgb, Layout::Rgb),
        Layout::Rgba => (IccLayout::Rgba, IccLayout::Rgba, Layout::Rgba),
        Layout::Cmyk => (IccLayout::Rgba, IccLayout::Rgb, Layout::Rgb),
    };
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let length = raster.dimensions.area_pixels() as usize * layout.channels();
    let samples = match &raster.samples {
        Samples::Eight(samples) => {
            let mut target = vec![0; length];
            let transform = profile.create_transform_8bit(from, &srgb, to, options).map_err(|error| failed(&error))?;
            transform.transform(samples, &mut target).map_err(|error| failed(&error))?;
            Samples::Eight(target)
        }
        Samples::Sixteen(samples) => {
            let mut target = vec![0; length];
            let transform = profile.create_transform_16bit(from, &srgb, to, options).map_err(|error| failed(&error))?;
            transform.transform(samples, &mut target).map_err(|error| failed(&error))?;
            Samples::Sixteen(target)
        }
    };
    Ok(Raster { dimensions: raster.dimensions, layout, samples })
}

fn eight(samples: Samples) -> Vec<u8> {
    match samples {
        Samples::Eight(samples) => samples,
        Samples::Sixteen(samples) => samples.into_iter().map(narrowed).collect(),
    }
}

/// Ink without a profile: each colour takes its own light away, and black takes from all.
fn light_of_ink(inks: &[u8]) -> Vec<u8> {
    inks.chunks_exact(4)
        .flat_map(|ink| {
            let paper = 255 - u32::from(ink[3]);
            // A product of two bytes, over 255, is a byte.
            [ink[0], ink[1], ink[2]].map(|colour| (((255 - u32::from(colour)) * paper + 127) / 255) as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::domain::dimensions::Dimensions;

    fn pixel(layout: Layout, samples: Samples) -> Raster {
        Raster { dimensions: Dimensions { width: 1, height: 1 }, layout, samples }
    }

    fn eight_bits(raster: Raster) -> Vec<u8> {
        let Samples::Eight(samples) = raster.samples else { panic!("sRGB has 8 bits here") };
        samples
    }

    #[test]
    fn display_p3_red_is_outside_srgb_and_its_middle_is_not() {
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        let convert = |rgb: [u8; 3]| eight_bits(to_srgb(pixel(Layout::Rgb, Samples::Eight(rgb.to_vec())), Some(&p3)));
        assert_eq!(convert([255, 0, 0])[0], 255);
        // By the published matrices, worked out by hand: linear (0.578, 0.127, 0.127) becomes (0.679, 0.108, 0.118).
        let middle = convert([200, 100, 100]);
        let near = middle.iter().zip([215, 93, 97]).all(|(got, expected)| got.abs_diff(expected) <= 1);
        assert!(near, "{middle:?}");
        assert_eq!(convert([128, 128, 128]), [128, 128, 128]);
    }

    #[test]
    fn srgb_under_any_name_changes_nothing() {
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        assert!(usable(&srgb, Layout::Rgb).is_none());
    }

    #[test]
    fn adobe_rgb_is_not_srgb() {
        let adobe = ColorProfile::new_adobe_rgb().encode().unwrap();
        let green = to_srgb(pixel(Layout::Rgb, Samples::Eight(vec![100, 200, 100])), Some(&adobe));
        assert!(eight_bits(green)[0] < 60);
    }

    #[test]
    fn garbage_and_foreign_profiles_are_ignored() {
        let rgb = || pixel(Layout::Rgb, Samples::Eight(vec![1, 2, 3]));
        let grey = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        assert_eq!(to_srgb(rgb(), Some(b"not a profile")), rgb());
        assert_eq!(to_srgb(rgb(), Some(&grey)), rgb());
    }

    #[test]
    fn grey_with_another_tone_curve_becomes_what_it_looks_like() {
        let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let light = eight_bits(to_srgb(pixel(Layout::Gray, Samples::Eight(vec![55])), Some(&linear)));
        assert_eq!(light.len(), 3);
        assert!(light[0].abs_diff(128) <= 2, "{light:?}");
    }

    #[test]
    fn sixteen_bits_and_ink_become_eight_bits_of_light() {
        assert_eq!(eight_bits(to_srgb(pixel(Layout::Gray, Samples::Sixteen(vec![32_896])), None)), [128]);
        assert_eq!(eight_bits(to_srgb(pixel(Layout::Cmyk, Samples::Eight(vec![255, 0, 0, 0])), None)), [0, 255, 255]);
        assert_eq!(eight_bits(to_srgb(pixel(Layout::Cmyk, Samples::Eight(vec![0, 0, 0, 255])), None)), [0, 0, 0]);
    }
}
