//! Step: transparency over the matte, for outputs that have none.

use shared::domain::preset::Matte;

use crate::raster::{Layout, Raster, Samples};

/// The picture in front of the matte; without transparency it comes back as it is.
pub(crate) fn flatten(raster: &Raster, Matte(matte): Matte) -> Raster {
    let flat: Vec<u8> = match (&raster.samples, raster.layout) {
        (Samples::Eight(samples), Layout::GrayAlpha) => {
            samples.chunks_exact(2).flat_map(|p| over([p[0]; 3], p[1], matte)).collect()
        }
        (Samples::Eight(samples), Layout::Rgba) => {
            samples.chunks_exact(4).flat_map(|p| over([p[0], p[1], p[2]], p[3], matte)).collect()
        }
        _ => return raster.clone(),
    };
    Raster { dimensions: raster.dimensions, layout: Layout::Rgb, samples: Samples::Eight(flat) }
}

fn over(colour: [u8; 3], alpha: u8, matte: [u8; 3]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    let mix = |colour: u8, matte: u8| {
        // A weighted mean of two bytes is a byte.
        ((u32::from(colour) * alpha + u32::from(matte) * (255 - alpha) + 127) / 255) as u8
    };
    [mix(colour[0], matte[0]), mix(colour[1], matte[1]), mix(colour[2], matte[2])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::domain::dimensions::Dimensions;

    #[test]
    fn the_matte_shows_through_as_much_as_it_should() {
        let raster = |layout, samples| Raster {
            dimensions: Dimensions { width: 3, height: 1 },
            layout,
            samples: Samples::Eight(samples),
        };
        let clear_half_opaque = raster(Layout::Rgba, vec![9, 9, 9, 0, 255, 0, 0, 128, 1, 2, 3, 255]);
        let flat = flatten(&clear_half_opaque, Matte([0, 0, 255]));
        assert_eq!(flat.samples, Samples::Eight(vec![0, 0, 255, 128, 0, 127, 1, 2, 3]));
        let grey = raster(Layout::Gray, vec![1, 2, 3]);
        assert_eq!(flatten(&grey, Matte([0, 0, 255])), grey);
    }
}
