//! Step: which part of the picture each preset shows, and how large. All in pixels of the oriented, full-size source.

use shared::domain::dimensions::{Bounds, Dimensions};
use shared::domain::preset::{Fit, Preset};

/// Taller than this many times its width, a picture is a page or a screenshot, and its top says what it is.
const TALL: u64 = 3;

/// A part of a picture, in its pixels and fractions of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    /// Columns before it.
    pub(crate) left: f64,
    /// Rows before it.
    pub(crate) top: f64,
    /// Its columns.
    pub(crate) width: f64,
    /// Its rows.
    pub(crate) height: f64,
}

impl Area {
    /// All of a picture.
    pub(crate) fn whole(dimensions: Dimensions) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(dimensions.width), height: f64::from(dimensions.height) }
    }

    /// The same part of a picture that is this many times as wide and as high.
    pub(crate) fn scaled(self, across: f64, down: f64) -> Self {
        Self { left: self.left * across, top: self.top * down, width: self.width * across, height: self.height * down }
    }

    /// The area without what rounding put outside a picture of these dimensions.
    pub(crate) fn inside(self, dimensions: Dimensions) -> Self {
        let whole = Self::whole(dimensions);
        let left = self.left.clamp(0.0, (whole.width - 1.0).max(0.0));
        let top = self.top.clamp(0.0, (whole.height - 1.0).max(0.0));
        Self {
            left,
            top,
            width: self.width.clamp(1.0_f64.min(whole.width), whole.width - left),
            height: self.height.clamp(1.0_f64.min(whole.height), whole.height - top),
        }
    }
}

/// What one preset makes of one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    /// The dimensions of the representation.
    pub(crate) dimensions: Dimensions,
    /// What it shows.
    pub(crate) area: Area,
    /// Whether it shows all of the picture.
    pub(crate) whole: bool,
}

impl Target {
    /// What `preset` makes of a source of these dimensions. Never larger than the source, at least 1 pixel each way.
    pub(crate) fn of(preset: &Preset, source: Dimensions) -> Self {
        match preset.fit {
            Fit::Contain => {
                Self { dimensions: source.fit_inside(preset.bounds()), area: Area::whole(source), whole: true }
            }
            Fit::Cover => cover(source, preset.bounds()),
        }
    }

    /// What `preset` makes of a picture of these dimensions, of which only a copy is at hand: what that is too small for is
    /// made as if the copy were all there ever was.
    pub(crate) fn of_copy(preset: &Preset, original: Dimensions, copy: Dimensions) -> Self {
        let across = f64::from(copy.width) / f64::from(original.width);
        let down = f64::from(copy.height) / f64::from(original.height);
        let target = Self::of(preset, original);
        let there = target.area.scaled(across, down);
        let Dimensions { width, height } = target.dimensions;
        if f64::from(width) <= there.width.round().max(1.0) && f64::from(height) <= there.height.round().max(1.0) {
            return target;
        }
        let own = Self::of(preset, copy);
        Self { area: own.area.scaled(1.0 / across, 1.0 / down), ..own }
    }

    /// Pixels of the representation for one of the source, along the longer side: at most 1.
    pub(crate) fn scale(&self) -> f64 {
        if self.area.width >= self.area.height {
            f64::from(self.dimensions.width) / self.area.width
        } else {
            f64::from(self.dimensions.height) / self.area.height
        }
    }
}

/// The largest part with the shape of the bounds: in the middle, or at the top of what is very tall.
fn cover(source: Dimensions, bounds: Bounds) -> Target {
    let whole = Area::whole(source);
    let shape = f64::from(bounds.width) / f64::from(bounds.height);
    let width = whole.width.min(whole.height * shape).max(1.0);
    let height = (width / shape).clamp(1.0, whole.height);
    let tall = u64::from(source.height) > TALL * u64::from(source.width);
    let area = Area {
        left: (whole.width - width) / 2.0,
        top: if tall { 0.0 } else { (whole.height - height) / 2.0 },
        width,
        height,
    };
    // Both are at most the bounds, which are 32-bit, and at least 1.
    let dimensions = Dimensions {
        width: f64::from(bounds.width).min(width.round()).max(1.0) as u32,
        height: f64::from(bounds.height).min(height.round()).max(1.0) as u32,
    };
    Target { dimensions, area, whole: area == whole }
}

/// Of each side, the smaller one.
pub(crate) fn smaller(a: Dimensions, b: Dimensions) -> Dimensions {
    Dimensions { width: a.width.min(b.width), height: a.height.min(b.height) }
}

/// The smallest dimensions of the whole picture from which every target can be made without enlarging.
pub(crate) fn least_whole<'a>(source: Dimensions, targets: impl Iterator<Item = &'a Target>) -> Dimensions {
    let largest = targets.max_by(|a, b| a.scale().total_cmp(&b.scale()));
    match largest {
        None => Dimensions { width: 1, height: 1 },
        Some(target) if target.whole => target.dimensions,
        Some(target) => {
            // The scale is at most 1, so neither side can become larger than the source's.
            let side = |length: u32| ((f64::from(length) * target.scale()).ceil() as u32).clamp(1, length);
            Dimensions { width: side(source.width), height: side(source.height) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::domain::preset::PresetTable;

    fn target(name: &str, width: u32, height: u32) -> Target {
        Target::of(PresetTable::built_in().get(name).unwrap(), Dimensions { width, height })
    }

    fn size(width: u32, height: u32) -> Dimensions {
        Dimensions { width, height }
    }

    #[test]
    fn squares_come_from_the_centre() {
        let target = target("jpg_thumb_94x94", 4000, 3000);
        assert_eq!(target.dimensions, size(94, 94));
        assert_eq!(target.area, Area { left: 500.0, top: 0.0, width: 3000.0, height: 3000.0 });
    }

    #[test]
    fn what_is_very_tall_shows_its_top() {
        assert_eq!(target("jpg_thumb_94x94", 1000, 3001).area.top, 0.0);
        assert_eq!(target("jpg_thumb_94x94", 1000, 3000).area.top, 1000.0);
    }

    #[test]
    fn nothing_is_enlarged_and_nothing_vanishes() {
        assert_eq!(target("jpg_thumb_94x94", 50, 70).dimensions, size(50, 50));
        assert_eq!(target("jpg_thumb_32x32", 1, 65_500).dimensions, size(1, 1));
        assert_eq!(target("jpg_320x320", 1, 65_500).dimensions, size(1, 320));
        assert_eq!(target("jpg_320x320", 65_500, 1).dimensions, size(320, 1));
        assert_eq!(target("jpg_1024x1024", 300, 200).dimensions, size(300, 200));
    }

    #[test]
    fn a_cover_that_is_not_square_keeps_its_shape_when_the_source_is_small() {
        let bounds = Bounds { width: 300, height: 100 };
        assert_eq!(cover(size(150, 150), bounds).dimensions, size(150, 50));
        assert_eq!(cover(size(1000, 60), bounds).dimensions, size(180, 60));
    }

    #[test]
    fn the_whole_is_large_enough_for_every_target() {
        let source = size(20_000, 1000);
        let targets = [target("jpg_320x320", 20_000, 1000), target("jpg_thumb_94x94", 20_000, 1000)];
        assert_eq!(least_whole(source, targets.iter()), size(1880, 94));
        assert_eq!(least_whole(source, targets[..1].iter()), size(320, 16));
    }
}
