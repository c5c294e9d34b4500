//! What a drawing may cost: filters and layers turn a few bytes into any amount of work, so it is estimated first.

use resvg::usvg::filter::Kind;
use resvg::usvg::{Group, Node, Tree};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};

/// Simple operations on pixels, all filters and layers together: some ten seconds.
const OPERATIONS_MAX: f64 = 4e9;
/// Layers within one another; each is a picture in memory.
const LAYERS_MAX: usize = 24;

/// Refuses what would take too long, or too much memory, at this scale.
pub(super) fn check(tree: &Tree, scale: f32, canvas: Dimensions) -> Result<(), Failure> {
    let mut cost = Cost { scale: scale.into(), canvas: canvas.area_pixels() as f64, operations: 0.0, layers: 0 };
    cost.add(tree.root(), 0);
    if cost.operations > OPERATIONS_MAX || cost.layers > LAYERS_MAX {
        let reason = format!("drawing the SVG takes {:.1e} operations on {} layers", cost.operations, cost.layers);
        return Err(Failure::new(FailureCode::TooManyPixels, reason));
    }
    Ok(())
}

struct Cost {
    scale: f64,
    canvas: f64,
    operations: f64,
    layers: usize,
}

impl Cost {
    fn add(&mut self, group: &Group, layers: usize) {
        let layers = layers + usize::from(group.should_isolate());
        self.layers = self.layers.max(layers);
        if layers > LAYERS_MAX || self.operations > OPERATIONS_MAX {
            return;
        }
        let bounds = group.abs_layer_bounding_box();
        if group.should_isolate() {
            self.operations += self.pixels(bounds.width(), bounds.height()) * 8.0;
        }
        let (across, down) = group.abs_transform().get_scale();
        for filter in group.filters() {
            let region = self.pixels(filter.rect().width() * across, filter.rect().height() * down);
            let work: f64 = filter.primitives().iter().map(|primitive| work(primitive.kind(), self.scale)).sum();
            self.operations += region * work;
        }
        for below in group.clip_path().map(|clip| clip.root()).into_iter().chain(group.mask().map(|mask| mask.root())) {
            self.add(below, layers + 1);
        }
        for node in group.children() {
            if let Node::Group(group) = node {
                self.add(group, layers);
            }
        }
    }

    /// Pixels of a part, which is never drawn beyond the canvas.
    fn pixels(&self, width: f32, height: f32) -> f64 {
        (f64::from(width) * f64::from(height) * self.scale * self.scale).min(self.canvas)
    }
}

/// Operations for each pixel.
fn work(kind: &Kind, scale: f64) -> f64 {
    let window = |across: f32, down: f32| {
        ((f64::from(across) * scale * 2.0 + 1.0) * (f64::from(down) * scale * 2.0 + 1.0)).max(1.0)
    };
    match kind {
        Kind::Turbulence(turbulence) => f64::from(turbulence.num_octaves().max(1)) * 200.0,
        Kind::Morphology(morphology) => window(morphology.radius_x().get(), morphology.radius_y().get()) * 4.0,
        Kind::ConvolveMatrix(matrix) => f64::from(matrix.matrix().columns()) * f64::from(matrix.matrix().rows()) * 8.0,
        Kind::GaussianBlur(_) | Kind::DropShadow(_) => 60.0,
        Kind::DiffuseLighting(_) | Kind::SpecularLighting(_) => 60.0,
        _ => 16.0,
    }
}
