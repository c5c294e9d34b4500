//! JFIF's colours: luma and chroma to red, green and blue, and back; a row of blocks of two by two pixels at a time, which share
//! their chroma.

/// Pixels that become red, green and blue at a time: with arrays of this length, compilers know how to put them into registers.
const LANES: usize = 32;
/// Bits behind the point of a factor.
const FRACTION: u32 = 16;
/// Added before those bits are cut off.
const HALF: i32 = 1 << (FRACTION - 1);
/// Chroma of what has no colour.
const GREY: i32 = 128;

/// Fills `rgb` with the red, green and blue of one row of pixels or two.
pub(crate) fn to_rgb(luma: &[u8], [blue, red]: [&[u8]; 2], width: usize, rgb: &mut [[u8; 3]]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the processor has what this was compiled for")]
        // SAFETY: asked just now.
        unsafe {
            return to_rgb_avx2(luma, [blue, red], width, rgb);
        }
    }
    to_rgb_anywhere(luma, [blue, red], width, rgb);
}

/// Fills the planes with the luma of one row of pixels or two, and the chroma of the means of their blocks. Where a block is cut, the
/// pixels that it has count for those that it has not.
pub(crate) fn to_planes(rgb: &[[u8; 3]], width: usize, luma: &mut [u8], [blue, red]: [&mut [u8]; 2]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the processor has what this was compiled for")]
        // SAFETY: asked just now.
        unsafe {
            return to_planes_avx2(rgb, width, luma, [blue, red]);
        }
    }
    to_planes_anywhere(rgb, width, luma, [blue, red]);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn to_rgb_avx2(luma: &[u8], chroma: [&[u8]; 2], width: usize, rgb: &mut [[u8; 3]]) {
    to_rgb_anywhere(luma, chroma, width, rgb);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn to_planes_avx2(rgb: &[[u8; 3]], width: usize, luma: &mut [u8], chroma: [&mut [u8]; 2]) {
    to_planes_anywhere(rgb, width, luma, chroma);
}

#[inline(always)]
fn to_rgb_anywhere(luma: &[u8], [blue, red]: [&[u8]; 2], width: usize, rgb: &mut [[u8; 3]]) {
    for (luma, rgb) in luma.chunks_exact(width).zip(rgb.chunks_exact_mut(width)) {
        let (groups, rest) = rgb.as_chunks_mut();
        let (lumas, luma_rest) = luma.as_chunks();
        let ((blues, blue_rest), (reds, red_rest)) = (blue.as_chunks(), red.as_chunks());
        for (((group, luma), blue), red) in groups.iter_mut().zip(lumas).zip(blues).zip(reds) {
            *group = pixels(luma, &doubled(blue), &doubled(red));
        }
        for ((pixels, luma), (blue, red)) in
            rest.chunks_mut(2).zip(luma_rest.chunks(2)).zip(blue_rest.iter().zip(red_rest))
        {
            pixels.iter_mut().zip(luma).for_each(|(rgb, luma)| *rgb = pixel(*luma, *blue, *red));
        }
    }
}

/// Every sample twice.
#[inline(always)]
fn doubled(row: &[u8; LANES / 2]) -> [u8; LANES] {
    // Not by `from_fn`, which is not always compiled for the processor that its caller is compiled for.
    let mut doubled = [0; LANES];
    for (pair, sample) in doubled.as_chunks_mut::<2>().0.iter_mut().zip(row) {
        *pair = [*sample; 2];
    }
    doubled
}

#[inline(always)]
fn pixels(luma: &[u8; LANES], blue: &[u8; LANES], red: &[u8; LANES]) -> [[u8; 3]; LANES] {
    let mut pixels = [[0; 3]; LANES];
    for (at, rgb) in pixels.iter_mut().enumerate() {
        *rgb = pixel(luma[at], blue[at], red[at]);
    }
    pixels
}

#[inline(always)]
fn to_planes_anywhere(rgb: &[[u8; 3]], width: usize, luma: &mut [u8], [blue, red]: [&mut [u8]; 2]) {
    for (luma, [red, green, blue]) in luma.iter_mut().zip(rgb) {
        *luma = light(19_595 * i32::from(*red) + 38_470 * i32::from(*green) + 7_471 * i32::from(*blue));
    }
    let (above, below) = (&rgb[..width], &rgb[rgb.len() - width..]);
    let (pairs, last) = above.as_chunks::<2>();
    let blocks =
        pairs.iter().zip(below.as_chunks::<2>().0).map(|(above, below)| [above[0], above[1], below[0], below[1]]);
    for (block, (blue, red)) in blocks.zip(blue.iter_mut().zip(red.iter_mut())) {
        [*blue, *red] = chroma(block);
    }
    if let ([above], [.., below], [.., blue], [.., red]) = (last, below, blue, red) {
        [*blue, *red] = chroma([*above, *above, *below, *below]);
    }
}

/// Red, green and blue.
#[inline(always)]
pub(crate) fn pixel(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let (luma, blue, red) = (i32::from(luma) << FRACTION, i32::from(blue) - GREY, i32::from(red) - GREY);
    [light(luma + 91_881 * red), light(luma - 22_554 * blue - 46_802 * red), light(luma + 116_130 * blue)]
}

/// Blue and red chroma of the mean of four pixels.
#[inline(always)]
fn chroma(block: [[u8; 3]; 4]) -> [u8; 2] {
    let sum = |channel: usize| block.iter().map(|pixel| i32::from(pixel[channel])).sum::<i32>();
    let (red, green, blue) = (sum(0), sum(1), sum(2));
    // A quarter of each factor, as there are four times as many.
    let grey = GREY << FRACTION;
    [light(grey - 2_765 * red - 5_427 * green + 8_192 * blue), light(grey + 8_192 * red - 6_860 * green - 1_332 * blue)]
}

/// The nearest byte.
#[inline(always)]
fn light(value: i32) -> u8 {
    ((value + HALF) >> FRACTION).clamp(0, u8::MAX.into()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_jfif() {
        assert_eq!(pixel(76, 85, 255), [254, 0, 0]);
        assert_eq!(pixel(150, 44, 21), [0, 255, 1]);
        assert_eq!(pixel(77, 128, 128), [77, 77, 77]);
    }

    #[test]
    fn there_and_back_is_the_same_within_rounding() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(17) {
                for blue in (0..=255).step_by(5) {
                    let colour = [red, green, blue];
                    let (mut luma, mut chroma, mut back) = ([0; 4], [[0]; 2], [[0; 3]; 4]);
                    to_planes(&[colour; 4], 2, &mut luma, chroma.each_mut().map(|plane| plane.as_mut_slice()));
                    to_rgb(&luma, chroma.each_ref().map(|plane| plane.as_slice()), 2, &mut back);
                    let near = |pixel: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 1);
                    assert!(back.iter().all(near), "{colour:?} came back as {back:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_cut_block_has_counts_for_what_it_has_not() {
        let (dark, light) = ([0_u8; 3], [240_u8, 0, 0]);
        let red_chroma = |red: f64| (0.5 * red + 128.0).round() as u8;
        let of = |rgb: &[[u8; 3]]| {
            let (mut blue, mut red, mut luma) = ([0; 2], [0; 2], vec![0; rgb.len()]);
            to_planes(rgb, 3, &mut luma, [&mut blue, &mut red]);
            red
        };
        assert_eq!(of(&[dark, light, light, light, dark, dark]), [red_chroma(120.0); 2]);
        assert_eq!(of(&[dark, light, light]), [red_chroma(120.0), red_chroma(240.0)]);
    }

    #[test]
    fn pixels_of_a_block_share_their_chroma() {
        // Two rows, each as wide as a group and some more, and an odd one.
        let width = LANES + 5;
        let shades = |count: usize, by: usize| (0..count).map(|n| (n * by % 256) as u8).collect::<Vec<_>>();
        let (luma, blue, red) = (shades(2 * width, 7), shades(width.div_ceil(2), 11), shades(width.div_ceil(2), 13));
        let mut rgb = vec![[0; 3]; 2 * width];
        to_rgb(&luma, [&blue, &red], width, &mut rgb);
        for (at, (rgb, luma)) in rgb.iter().zip(luma).enumerate() {
            let block = at % width / 2;
            assert_eq!(*rgb, pixel(luma, blue[block], red[block]), "pixel {at}");
        }
    }
}
