//! Step: every size from the smallest larger one that is still large enough to lose nothing visible.

use fast_image_resize::Resizer;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use crate::geometry::{Area, Target};
use crate::raster::Raster;
use crate::resize::resized;

/// A picture is a good source for another that is at most its size divided by this. Below, blur of the first downscale
/// would show in the second.
const HEADROOM: f64 = 2.0;

/// The pictures that are there already, largest first; each shows the whole source.
pub(crate) struct Cascade {
    source: Dimensions,
    levels: Vec<Raster>,
}

impl Cascade {
    /// Begins with the largest picture of a source that had these dimensions when oriented.
    pub(crate) fn new(source: Dimensions, largest: Raster) -> Self {
        Self { source, levels: vec![largest] }
    }

    /// Which level already is this target.
    pub(crate) fn finished(&self, target: &Target) -> Option<&Raster> {
        self.levels.iter().find(|level| target.whole && level.dimensions == target.dimensions)
    }

    /// Makes this target from the best level.
    pub(crate) fn make(&self, resizer: &mut Resizer, target: &Target) -> Result<Raster, Failure> {
        let level = self.level_for(target);
        let across = f64::from(level.dimensions.width) / f64::from(self.source.width);
        let down = f64::from(level.dimensions.height) / f64::from(self.source.height);
        let area = inside(target.area.scaled(across, down), level.dimensions);
        resized(resizer, level, area, target.dimensions)
    }

    /// Keeps a picture of the whole source for the smaller ones to come.
    pub(crate) fn keep(&mut self, raster: Raster) {
        self.levels.push(raster);
    }

    fn level_for(&self, target: &Target) -> &Raster {
        let scale = |level: &Raster| {
            if self.source.width >= self.source.height {
                f64::from(level.dimensions.width) / f64::from(self.source.width)
            } else {
                f64::from(level.dimensions.height) / f64::from(self.source.height)
            }
        };
        let enough = self.levels.iter().skip(1).filter(|level| scale(level) >= HEADROOM * target.scale());
        enough.min_by(|a, b| scale(a).total_cmp(&scale(b))).unwrap_or(&self.levels[0])
    }
}

/// The area without what rounding put outside the picture.
fn inside(area: Area, dimensions: Dimensions) -> Area {
    let whole = Area::whole(dimensions);
    let left = area.left.clamp(0.0, (whole.width - 1.0).max(0.0));
    let top = area.top.clamp(0.0, (whole.height - 1.0).max(0.0));
    Area {
        left,
        top,
        width: area.width.clamp(1.0_f64.min(whole.width), whole.width - left),
        height: area.height.clamp(1.0_f64.min(whole.height), whole.height - top),
    }
}
