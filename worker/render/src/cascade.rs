//! Step: every size from the smallest larger one that is still large enough to lose nothing visible.

use fast_image_resize::Resizer;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use crate::geometry::Target;
use crate::pixels::Pixels;

/// A picture is a good source for another that is at most its size divided by this. Below, blur of the first downscale
/// would show in the second.
const HEADROOM: f64 = 2.0;

/// The pictures that are there already, largest first; each shows the whole source.
pub(crate) struct Cascade<P> {
    source: Dimensions,
    levels: Vec<P>,
}

impl<P: Pixels> Cascade<P> {
    /// Begins with the largest picture of a source that had these dimensions when oriented.
    pub(crate) fn new(source: Dimensions, largest: P) -> Self {
        Self { source, levels: vec![largest] }
    }

    /// Which level already is this target.
    pub(crate) fn finished(&self, target: &Target) -> Option<&P> {
        self.levels.iter().find(|level| target.whole && level.dimensions() == target.dimensions)
    }

    /// Makes this target from the best level.
    pub(crate) fn make(&self, resizer: &mut Resizer, target: &Target) -> Result<P, Failure> {
        let level = self.level_for(target);
        let across = f64::from(level.dimensions().width) / f64::from(self.source.width);
        let down = f64::from(level.dimensions().height) / f64::from(self.source.height);
        let area = target.area.scaled(across, down).inside(level.dimensions());
        level.resized(resizer, area, target.dimensions)
    }

    /// Keeps a picture of the whole source for the smaller ones to come.
    pub(crate) fn keep(&mut self, pixels: P) {
        self.levels.push(pixels);
    }

    /// The smallest picture that is there, for what needs no detail.
    pub(crate) fn smallest(&self) -> &P {
        self.levels.iter().min_by_key(|level| level.dimensions().area_pixels()).unwrap_or(&self.levels[0])
    }

    fn level_for(&self, target: &Target) -> &P {
        let scale = |level: &P| {
            if self.source.width >= self.source.height {
                f64::from(level.dimensions().width) / f64::from(self.source.width)
            } else {
                f64::from(level.dimensions().height) / f64::from(self.source.height)
            }
        };
        let enough = self.levels.iter().skip(1).filter(|level| scale(level) >= HEADROOM * target.scale());
        enough.min_by(|a, b| scale(a).total_cmp(&scale(b))).unwrap_or(&self.levels[0])
    }
}
