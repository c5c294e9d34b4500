//! Luma and chroma of any depth and sampling to red, green and blue of 8 or 16 bits.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use crate::inspect::heif::Colour;
use crate::inspect::unsupported;
use crate::raster::Layout;

/// One decoded picture.
#[derive(Debug)]
pub(super) struct Coded {
    pub(super) size: Dimensions,
    /// The size of the chroma planes; `None` for grey.
    pub(super) chroma: Option<Dimensions>,
    /// Luma, blue and red, row by row; two are empty for grey.
    pub(super) planes: [Vec<u16>; 3],
    /// Bits of a sample.
    pub(super) depth: u8,
    /// By ISO/IEC 23091-2.
    pub(super) matrix: u16,
    pub(super) full_range: bool,
}

/// From samples to light, all as fractions of the output's range.
#[derive(Debug)]
pub(super) struct Converter {
    black: f32,
    luma: f32,
    middle: f32,
    chroma: f32,
    red_of_red: f32,
    green_of_red: f32,
    green_of_blue: f32,
    blue_of_blue: f32,
    is_identity: bool,
}

/// A sample of the output.
pub(super) trait Light: Copy + Default {
    /// From 0 to 1, and what overshoots.
    fn of(light: f32) -> Self;

    /// The opacity that this sample of `alpha` means.
    fn opacity(sample: u16, alpha: &Coded) -> Self {
        let (black, luma) = alpha.luma_range();
        Self::of((f32::from(sample) - black) * luma)
    }
}

// Casts from floats saturate.
impl Light for u8 {
    fn of(light: f32) -> Self {
        (light * 255.0 + 0.5) as Self
    }
}

impl Light for u16 {
    fn of(light: f32) -> Self {
        (light * 65_535.0 + 0.5) as Self
    }
}

impl Coded {
    /// A black picture to place tiles on.
    pub(super) fn grey(size: Dimensions) -> Self {
        let luma = vec![0; size.area_pixels() as usize];
        Self { size, chroma: None, planes: [luma, Vec::new(), Vec::new()], depth: 8, matrix: 2, full_range: true }
    }

    /// Puts the luma of a tile here, and takes over its depth and range.
    pub(super) fn place(&mut self, tile: &Self, (left, top): (u32, u32)) {
        (self.depth, self.full_range) = (tile.depth, tile.full_range);
        let columns = (self.size.width.saturating_sub(left)).min(tile.size.width) as usize;
        let rows = self.planes[0].chunks_exact_mut(self.size.width as usize).skip(top as usize);
        for (y, row) in rows.enumerate().take(tile.size.height as usize) {
            row[left as usize..left as usize + columns].copy_from_slice(&tile.luma_row(y as u32)[..columns]);
        }
    }

    pub(super) fn is_grey(&self) -> bool {
        self.chroma.is_none()
    }

    /// The luma of one row.
    pub(super) fn luma_row(&self, y: u32) -> &[u16] {
        let width = self.size.width as usize;
        &self.planes[0][y as usize * width..][..width]
    }

    /// The sample that is black, and what turns the distance from it into a fraction of white.
    fn luma_range(&self) -> (f32, f32) {
        let scale = f32::from(1_u16 << (self.depth - 8));
        match self.full_range {
            true => (0.0, 1.0 / (256.0 * scale - 1.0)),
            false => (16.0 * scale, 1.0 / (219.0 * scale)),
        }
    }

    /// How this picture's numbers mean colours; what the file says goes before what the coding says.
    pub(super) fn converter(&self, said: Option<Colour>) -> Result<Converter, Failure> {
        let matrix = said.map_or(self.matrix, |colour| colour.matrix);
        let full_range = said.map_or(self.full_range, |colour| colour.full_range);
        let (red, blue) = match matrix {
            0 => (0.0, 0.0),
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            2 | 3 | 5 | 6 | 12 | 13 => (0.299, 0.114),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            other => return Err(unsupported(format!("HEIF colours by matrix {other}"))),
        };
        let green = 1.0 - red - blue;
        let (black, luma) = Self { full_range, planes: Default::default(), ..*self }.luma_range();
        let scale = f32::from(1_u16 << (self.depth - 8));
        let chroma = if full_range { luma } else { 1.0 / (224.0 * scale) };
        Ok(Converter {
            black,
            luma,
            middle: 128.0 * scale,
            chroma,
            red_of_red: 2.0 * (1.0 - red),
            green_of_red: -2.0 * red * (1.0 - red) / green,
            green_of_blue: -2.0 * blue * (1.0 - blue) / green,
            blue_of_blue: 2.0 * (1.0 - blue),
            is_identity: matrix == 0,
        })
    }

    /// Writes the beginning of one row, as much as `cell` holds; full opacity where there is any.
    pub(super) fn write_row<T: Light>(&self, converter: &Converter, y: u32, layout: Layout, cell: &mut [T]) {
        let luma = self.luma_row(y);
        let Some(chroma) = self.chroma else {
            let light = luma.iter().map(|luma| T::of((f32::from(*luma) - converter.black) * converter.luma));
            for (pixel, light) in cell.chunks_exact_mut(layout.channels()).zip(light) {
                pixel.fill(light);
                opaque(pixel, layout);
            }
            return;
        };
        let columns = cell.len() / layout.channels();
        let [blue, red] = [1, 2].map(|plane| self.chroma_row(plane, chroma, y, columns));
        let pixels = cell.chunks_exact_mut(layout.channels()).zip(luma.iter().zip(blue.iter().zip(&red)));
        for (pixel, (luma, (blue, red))) in pixels {
            pixel[..3].copy_from_slice(&converter.light(f32::from(*luma), *blue, *red).map(T::of));
            opaque(pixel, layout);
        }
    }

    /// One row of chroma at the size of luma, between its samples by distance.
    fn chroma_row(&self, plane: usize, size: Dimensions, y: u32, columns: usize) -> Vec<f32> {
        let width = size.width as usize;
        let row = |y: u32| &self.planes[plane][y.min(size.height - 1) as usize * width..][..width];
        let down = size.height < self.size.height;
        // Centred samples: an even row lies a quarter below the one before, an odd one a quarter above the one after.
        let (near, far) = match (down, y % 2) {
            (false, _) => (row(y), row(y)),
            (true, 0) => (row(y / 2), row((y / 2).saturating_sub(1))),
            (true, _) => (row(y / 2), row(y / 2 + 1)),
        };
        let blended = near.iter().zip(far).map(|(near, far)| f32::from(*near) * 0.75 + f32::from(*far) * 0.25);
        let blended: Vec<f32> = blended.collect();
        if size.width == self.size.width {
            return blended;
        }
        let at = |x: usize| blended[x.min(width - 1)];
        let between = |x: usize| {
            let other = if x.is_multiple_of(2) { (x / 2).saturating_sub(1) } else { x / 2 + 1 };
            at(x / 2) * 0.75 + at(other) * 0.25
        };
        (0..columns).map(between).collect()
    }
}

impl Converter {
    fn light(&self, luma: f32, blue: f32, red: f32) -> [f32; 3] {
        let luma = (luma - self.black) * self.luma;
        if self.is_identity {
            // The planes are green, blue, red.
            return [(red - self.black) * self.luma, luma, (blue - self.black) * self.luma];
        }
        let (blue, red) = ((blue - self.middle) * self.chroma, (red - self.middle) * self.chroma);
        [
            luma + self.red_of_red * red,
            luma + self.green_of_red * red + self.green_of_blue * blue,
            luma + self.blue_of_blue * blue,
        ]
    }
}

fn opaque<T: Light>(pixel: &mut [T], layout: Layout) {
    if layout == Layout::Rgba {
        pixel[3] = T::of(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(full_range: bool, depth: u8, values: [u16; 3]) -> Coded {
        let size = Dimensions { width: 1, height: 1 };
        let planes = values.map(|value| vec![value]);
        Coded { size, chroma: Some(size), planes, depth, matrix: 6, full_range }
    }

    fn pixel(coded: &Coded) -> [u8; 3] {
        let mut pixel = [0; 3];
        coded.write_row(&coded.converter(None).unwrap(), 0, Layout::Rgb, &mut pixel);
        pixel
    }

    #[test]
    fn ranges_and_depths_mean_the_same_light() {
        assert_eq!(pixel(&coded(true, 8, [76, 85, 255])), [254, 0, 0]);
        assert_eq!(pixel(&coded(false, 8, [235, 128, 128])), [255; 3]);
        assert_eq!(pixel(&coded(false, 10, [64, 512, 512])), [0; 3]);
        assert_eq!(pixel(&coded(true, 12, [4095, 2048, 2048])), [255; 3]);
    }

    #[test]
    fn what_the_file_says_goes_before_what_the_coding_says() {
        let said = Colour { primaries: 1, transfer: 13, matrix: 0, full_range: true };
        let coded = coded(false, 8, [10, 20, 30]);
        let mut pixel = [0_u8; 3];
        coded.write_row(&coded.converter(Some(said)).unwrap(), 0, Layout::Rgb, &mut pixel);
        assert_eq!(pixel, [30, 10, 20]);
    }

    #[test]
    fn chroma_lies_between_its_samples() {
        let size = Dimensions { width: 4, height: 2 };
        let chroma = Dimensions { width: 2, height: 1 };
        let planes = [vec![0; 8], vec![100, 200], vec![0, 0]];
        let coded = Coded { size, chroma: Some(chroma), planes, depth: 8, matrix: 6, full_range: true };
        assert_eq!(coded.chroma_row(1, chroma, 0, 4), [100.0, 125.0, 175.0, 200.0]);
    }
}
