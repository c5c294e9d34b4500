//! Presets made up as they are asked for: `fit_{w}x{h}`, the whole picture inside a box of the client's choice.

use super::dimensions::{Bounds, Dimensions};
use super::format::OutputFormat;
use super::preset::{Fit, Preset, PresetName, PresetTable, Trigger};

/// What the names begin with; no configured preset may be called so.
pub const PREFIX: &str = "fit_";
/// Most of them that are kept of one file version: boxes are the client's invention, storage is ours.
pub const KEPT_MAX: u32 = 16;
/// The metric label of all of them: labels are bounded, boxes are not.
pub const METRIC_LABEL: &str = "fit";

/// Up to here, in pixels, a box is small: its picture is exact, and scaled from a larger representation. Half of the
/// largest eager preset, so that there is one with pixels enough.
const SMALL_MAX: u32 = 512;
/// Larger boxes are rounded up to multiples of this, so that boxes that differ little share a representation.
const STEP: u32 = 64;
/// The largest side, in pixels: as of configured presets. A multiple of [`STEP`].
const SIDE_MAX: u32 = 16_384;

/// The preset that shows a picture of these dimensions inside `bounds`. It never asks for more than the picture has, and
/// boxes in which the picture looks the same are one preset.
pub fn for_box(picture: Dimensions, bounds: Bounds) -> Preset {
    let shown = picture.fit_inside(bounds);
    if shown.width.max(shown.height) <= SMALL_MAX {
        return of(Bounds { width: shown.width, height: shown.height });
    }
    let rounded = |side: u32| side.min(SIDE_MAX).next_multiple_of(STEP);
    of(Bounds { width: rounded(shown.width), height: rounded(shown.height) })
}

/// The preset of this name; `None` when [`for_box`] makes none that is called so.
pub fn by_name(name: &str) -> Option<Preset> {
    let (width, height) = name.strip_prefix(PREFIX)?.split_once('x')?;
    let bounds = Bounds { width: side(width)?, height: side(height)? };
    let is_stepped = bounds.width.is_multiple_of(STEP) && bounds.height.is_multiple_of(STEP);
    (is_small(bounds) || is_stepped).then(|| of(bounds))
}

/// Whether the name is of this kind.
pub fn is_name(name: &PresetName) -> bool {
    by_name(name.as_str()).is_some()
}

/// Whether its picture is scaled from a larger representation rather than made from the source, where there is one.
pub fn is_small(bounds: Bounds) -> bool {
    bounds.width.max(bounds.height) <= SMALL_MAX
}

fn side(digits: &str) -> Option<u32> {
    let is_plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|side| is_plain && (1..=SIDE_MAX).contains(side))
}

/// As a JPEG with the encoder options of the built-in presets.
fn of(bounds: Bounds) -> Preset {
    let name = PresetName::of_bounds(PREFIX, bounds);
    let (width, height) = (bounds.width, bounds.height);
    Preset { width, height, ..PresetTable::plain(name, OutputFormat::Jpg, Fit::Contain, Trigger::Lazy) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(picture: (u32, u32), bounds: (u32, u32)) -> String {
        let picture = Dimensions::new(picture.0, picture.1).unwrap();
        for_box(picture, Bounds { width: bounds.0, height: bounds.1 }).name.to_string()
    }

    #[test]
    fn small_boxes_are_exact_and_larger_ones_rounded_up() {
        assert_eq!(name((4000, 3000), (200, 200)), "fit_200x150");
        assert_eq!(name((4000, 3000), (512, 512)), "fit_512x384");
        assert_eq!(name((4000, 3000), (640, 480)), "fit_640x512");
        assert_eq!(name((3000, 4000), (1200, 900)), "fit_704x960");
    }

    #[test]
    fn never_more_than_the_picture_has() {
        assert_eq!(name((300, 200), (1200, 1200)), "fit_300x200");
        assert_eq!(name((1000, 600), (u32::MAX, u32::MAX)), "fit_1024x640");
        assert_eq!(name((100_000, 2), (u32::MAX, 1)), "fit_16384x64");
    }

    #[test]
    fn boxes_that_look_the_same_are_one() {
        assert_eq!(name((4000, 3000), (200, 4000)), name((4000, 3000), (200, 150)));
    }

    #[test]
    fn other_names_are_nobodys() {
        for other in
            ["fit_0x1", "fit_01x1", "fit_600x100", "fit_16448x64", "fit_64", "fit_64x64x64", "fit_+1x1", "fitx"]
        {
            assert!(by_name(other).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_name_that_is_given_out_is_known(w in 1u32..100_000, h in 1u32..100_000, bw in 1u32.., bh in 1u32..) {
            let preset = for_box(Dimensions { width: w, height: h }, Bounds { width: bw, height: bh });
            prop_assert_eq!(by_name(preset.name.as_str()), Some(preset));
        }
    }
}
