//! Pixels: actual dimensions, bounding boxes, and the arithmetic between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Actual width and height in pixels, each at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dimensions {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Dimensions {
    /// Refuses zero.
    pub fn new(width: u32, height: u32) -> Option<Self> {
        (width > 0 && height > 0).then_some(Self { width, height })
    }

    /// Width times height; cannot overflow 64 bits.
    pub fn area_pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The same picture after a quarter turn.
    pub fn turned(self) -> Self {
        Self { width: self.height, height: self.width }
    }

    /// The largest dimensions with this aspect ratio, to the pixel, inside `bounds`: never larger than `self`, at least 1 pixel
    /// each way. Bounds that are such dimensions themselves are filled.
    pub fn fit_inside(self, bounds: Bounds) -> Self {
        if self.width <= bounds.width && self.height <= bounds.height {
            return self;
        }
        let (w, h) = (u64::from(self.width), u64::from(self.height));
        let (bw, bh) = (u64::from(bounds.width), u64::from(bounds.height));
        let rounded = |value: u64, times: u64, by: u64| ((value * times + by / 2) / by).max(1);
        // Both sides are at most the bounds, which are 32-bit, so the casts cannot truncate.
        let (width, height) =
            if rounded(h, bw, w) <= bh { (bw, rounded(h, bw, w)) } else { (rounded(w, bh, h).min(bw), bh) };
        Self { width: width as u32, height: height as u32 }
    }
}

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// The box that a representation must fit, in pixels; Box's `properties.dimensions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bounds {
    /// Most columns.
    pub width: u32,
    /// Most rows.
    pub height: u32,
}

impl Bounds {
    /// A square box.
    pub const fn square(side: u32) -> Self {
        Self { width: side, height: side }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(width: u32, height: u32) -> Dimensions {
        Dimensions::new(width, height).unwrap()
    }

    #[test]
    fn fits_by_the_longer_side_and_never_upscales() {
        assert_eq!(size(4032, 3024).fit_inside(Bounds::square(1024)), size(1024, 768));
        assert_eq!(size(100, 60).fit_inside(Bounds::square(1024)), size(100, 60));
        assert_eq!(size(1, 65_500).fit_inside(Bounds::square(320)), size(1, 320));
    }

    proptest! {
        #[test]
        fn the_result_is_inside_and_keeps_the_shape(w in 1u32..70_000, h in 1u32..70_000, bw in 1u32..4096, bh in 1u32..4096) {
            let source = size(w, h);
            let fitted = source.fit_inside(Bounds { width: bw, height: bh });
            prop_assert!(fitted.width >= 1 && fitted.height >= 1);
            prop_assert!(fitted.width <= bw.max(1) && fitted.height <= bh.max(1));
            prop_assert!(fitted.width <= w && fitted.height <= h);
            // One side touches the box unless nothing had to shrink; the other is within half a pixel of exact.
            if fitted != source {
                prop_assert!(fitted.width == bw || fitted.height == bh);
                let scale = (f64::from(bw) / f64::from(w)).min(f64::from(bh) / f64::from(h));
                prop_assert!((f64::from(fitted.width) - f64::from(w) * scale).abs() <= 1.0);
                prop_assert!((f64::from(fitted.height) - f64::from(h) * scale).abs() <= 1.0);
            }
        }
    }
}
