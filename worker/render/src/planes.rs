//! Luma and chroma apart, as JPEG keeps them: from one JPEG to another, colours are neither converted nor enlarged.

use fast_image_resize::Resizer;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;
use shared::domain::format::OutputFormat;
use shared::domain::preset::{Preset, Subsampling};

use crate::colour::Recolour;
use crate::geometry::Area;
use crate::jfif;
use crate::orient::{Orientation, orient};
use crate::raster::{Layout, Raster, Samples};
use crate::resize_plane::PlaneFilter;

/// One component.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane {
    /// A grey picture of 8 bits.
    pub(crate) raster: Raster,
    /// The part of it that shows the picture: the last column and row may be covered in part.
    pub(crate) covered: Area,
}

impl Plane {
    /// Of samples that show the picture only in this part.
    pub(crate) fn new(dimensions: Dimensions, samples: Vec<u8>, covered: Area) -> Self {
        Self { raster: Raster { dimensions, layout: Layout::Gray, samples: Samples::Eight(samples) }, covered }
    }

    /// The samples, row by row.
    pub(crate) fn samples(&self) -> &[u8] {
        match &self.raster.samples {
            Samples::Eight(samples) => samples,
            // `new` is the only way to make one.
            Samples::Sixteen(_) => &[],
        }
    }

    /// What makes this part of it (in fractions of the picture) a plane of these dimensions.
    fn filter(&self, part: Area, dimensions: Dimensions) -> PlaneFilter {
        let area = part.scaled(self.covered.width, self.covered.height).inside(self.raster.dimensions);
        PlaneFilter::new(self.raster.dimensions, area, dimensions)
    }

    fn resized(&self, resizer: &mut Resizer, filter: &PlaneFilter) -> Result<Self, Failure> {
        let raster = filter.apply(resizer, &self.raster)?;
        Ok(Self { covered: Area::whole(raster.dimensions), raster })
    }
}

/// A picture in JFIF's YCbCr. Every plane shows all of it, with as many samples as it has; both chroma planes have as many.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planes {
    /// Of the picture.
    pub(crate) dimensions: Dimensions,
    /// Luma, blue chroma, red chroma.
    pub(crate) planes: [Plane; 3],
}

impl Planes {
    /// Whether a preset's file can be written from planes.
    pub(crate) fn suit(preset: &Preset) -> bool {
        preset.format == OutputFormat::Jpg && preset.subsampling == Subsampling::Quarter
    }

    /// A part of the picture (in its pixels), with half as many chroma samples each way, as 4:2:0 has.
    pub(crate) fn resized(&self, resizer: &mut Resizer, area: Area, dimensions: Dimensions) -> Result<Self, Failure> {
        let part = area.scaled(1.0 / f64::from(self.dimensions.width), 1.0 / f64::from(self.dimensions.height));
        let half = Dimensions { width: dimensions.width.div_ceil(2), height: dimensions.height.div_ceil(2) };
        let [luma, blue, red] = &self.planes;
        // Both chroma planes have the same size, and weights take longer to work out than to apply.
        let chroma = blue.filter(part, half);
        let planes = [
            luma.resized(resizer, &luma.filter(part, dimensions))?,
            blue.resized(resizer, &chroma)?,
            red.resized(resizer, &chroma)?,
        ];
        Ok(Self { dimensions, planes })
    }

    /// Upright. The planes must show nothing but the picture.
    pub(crate) fn oriented(self, orientation: Orientation) -> Self {
        let dimensions = orientation.applied(self.dimensions);
        let turned = |plane: Plane| {
            let raster = orient(plane.raster, orientation);
            Plane { covered: Area::whole(raster.dimensions), raster }
        };
        Self { dimensions, planes: self.planes.map(turned) }
    }

    /// In other colours. The planes must show nothing but the picture, in 4:2:0.
    pub(crate) fn recoloured(&self, recolour: &Recolour) -> Self {
        let width = self.dimensions.width as usize;
        let mut recoloured = self.planes.each_ref().map(|plane| vec![0; plane.samples().len()]);
        let [luma, blue, red] = self.planes.each_ref().map(Plane::samples);
        let half = width.div_ceil(2);
        let chroma = blue.chunks_exact(half).zip(red.chunks_exact(half));
        let [new_luma, new_blue, new_red] = &mut recoloured;
        let new_chroma = new_blue.chunks_exact_mut(half).zip(new_red.chunks_exact_mut(half));
        let rows = luma.chunks(2 * width).zip(chroma).zip(new_luma.chunks_mut(2 * width).zip(new_chroma));
        // As much as the nearest cache holds, for all rows.
        let (mut before, mut after) = (vec![[0; 3]; 2 * width], vec![[0; 3]; 2 * width]);
        for ((luma, (blue, red)), (new_luma, (new_blue, new_red))) in rows {
            let (before, after) = (&mut before[..luma.len()], &mut after[..luma.len()]);
            jfif::to_rgb(luma, [blue, red], width, before);
            recolour.apply(before.as_flattened(), after.as_flattened_mut());
            jfif::to_planes(after, width, new_luma, [new_blue, new_red]);
        }
        let mut samples = recoloured.into_iter();
        let planes = self
            .planes
            .each_ref()
            .map(|plane| Plane::new(plane.raster.dimensions, samples.next().unwrap_or_default(), plane.covered));
        Self { dimensions: self.dimensions, planes }
    }

    /// Red, green, blue and full opacity of every pixel; chroma is not smoothed, which is enough for a placeholder.
    pub(crate) fn pixels(&self) -> Vec<[u8; 4]> {
        let [luma, blue, red] = &self.planes;
        let chroma = blue.raster.dimensions;
        let (width, height) = (self.dimensions.width, self.dimensions.height);
        let place = |x: u32, y: u32| {
            let row = u64::from(y) * u64::from(chroma.height) / u64::from(height);
            let column = u64::from(x) * u64::from(chroma.width) / u64::from(width);
            (row * u64::from(chroma.width) + column) as usize
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixel = |(luma, (x, y)): (&u8, _)| {
            let [r, g, b] = jfif::pixel(*luma, blue.samples()[place(x, y)], red.samples()[place(x, y)]);
            [r, g, b, u8::MAX]
        };
        luma.samples().iter().zip(places).map(pixel).collect()
    }
}

#[cfg(test)]
mod tests {
    use moxcms::ColorProfile;

    use super::*;

    fn plane(dimensions: Dimensions, covered: Area, value: impl Fn(u32, u32) -> u8) -> Plane {
        let places = (0..dimensions.height).flat_map(|y| (0..dimensions.width).map(move |x| (x, y)));
        Plane::new(dimensions, places.map(|(x, y)| value(x, y)).collect(), covered)
    }

    #[test]
    fn chroma_has_half_the_samples_each_way() {
        let size = |width, height| Dimensions { width, height };
        let part = |width, height| Area { left: 0.0, top: 0.0, width, height };
        let luma = plane(size(19, 11), part(19.0, 11.0), |_, _| 100);
        let chroma = || plane(size(10, 6), part(9.5, 5.5), |_, _| 50);
        let planes = Planes { dimensions: size(19, 11), planes: [luma, chroma(), chroma()] };
        let small = planes.resized(&mut Resizer::new(), Area::whole(size(19, 11)), size(5, 3)).unwrap();
        assert_eq!(small.planes[0].samples(), [100; 15]);
        assert_eq!(small.planes[1].raster.dimensions, size(3, 2));
        assert_eq!(small.planes[2].samples(), [50; 6]);
    }

    #[test]
    fn what_keeps_its_colours_stays_the_same_picture() {
        let size = |width, height| Dimensions { width, height };
        let shade = |seed: u32| move |x: u32, y: u32| (100 + (x * 7 + y * 13 + seed) % 40) as u8;
        let whole = |dimensions, seed| plane(dimensions, Area::whole(dimensions), shade(seed));
        let planes = [whole(size(9, 5), 1), whole(size(5, 3), 2), whole(size(5, 3), 3)];
        let planes = Planes { dimensions: size(9, 5), planes };
        let same = Recolour::from_space(&ColorProfile::new_srgb()).unwrap();
        let recoloured = planes.recoloured(&same);
        for (before, after) in planes.planes.iter().zip(&recoloured.planes) {
            assert_eq!(before.raster.dimensions, after.raster.dimensions);
            let near = before.samples().iter().zip(after.samples()).all(|(a, b)| a.abs_diff(*b) <= 2);
            assert!(near, "{:?}\n{:?}", before.samples(), after.samples());
        }
    }
}
