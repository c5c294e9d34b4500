//! Step: what clients paint until the picture has loaded: a ThumbHash and the dominant colour, from a very small picture.

use std::f64::consts::PI;

use shared::domain::dimensions::{Bounds, Dimensions};
use shared::domain::placeholder::{Colour, Placeholder, ThumbHash};

/// Both are made from a picture of at most this many pixels each way: a ThumbHash keeps seven waves of it.
pub(crate) const BOUNDS: Bounds = Bounds { width: 48, height: 48 };

/// Of a picture of red, green, blue and opacity.
pub(crate) fn placeholder(dimensions: Dimensions, pixels: &[[u8; 4]]) -> Option<Placeholder> {
    let thumbhash = ThumbHash::new(&thumbhash(dimensions, pixels))?;
    Some(Placeholder { thumbhash, dominant_color: dominant(pixels) })
}

/// The mean of the most frequent among 512 coarse colours, so that a sky is its own blue and not the average of sky and
/// meadow. What nobody sees does not count; a picture of nothing is white.
fn dominant(pixels: &[[u8; 4]]) -> Colour {
    let mut bins = vec![[0_u32; 4]; 512];
    for [r, g, b, alpha] in pixels {
        let coarse = |light: &u8| usize::from(light >> 5);
        let bin = &mut bins[coarse(r) << 6 | coarse(g) << 3 | coarse(b)];
        let weight = u32::from(*alpha);
        for (sum, value) in bin.iter_mut().zip([r, g, b]) {
            *sum += u32::from(*value) * weight;
        }
        bin[3] += weight;
    }
    let fullest = bins.into_iter().max_by_key(|bin| bin[3]).filter(|bin| bin[3] > 0);
    // A weighted mean of bytes is a byte.
    Colour(fullest.map_or([255; 3], |[r, g, b, weight]| [r, g, b].map(|sum| ((sum + weight / 2) / weight) as u8)))
}

/// A channel as cosines.
struct Waves {
    constant: f64,
    /// From 0 to 1, where a half is none.
    others: Vec<f64>,
    /// The strongest of them.
    scale: f64,
}

/// The bytes of a ThumbHash: a header with the constants and scales, then four bits for every cosine.
fn thumbhash(dimensions: Dimensions, pixels: &[[u8; 4]]) -> Vec<u8> {
    let (channels, has_alpha) = channels(pixels);
    let (width, height) = (dimensions.width as f64, dimensions.height as f64);
    let steps = |side: f64| ((if has_alpha { 5.0 } else { 7.0 }) * side / width.max(height)).round().max(1.0) as usize;
    let (across, down) = (steps(width), steps(height));
    let [luma, yellow_blue, red_green, alpha] = channels;
    let luma = waves(&luma, dimensions, across.max(3), down.max(3));
    let yellow_blue = waves(&yellow_blue, dimensions, 3, 3);
    let red_green = waves(&red_green, dimensions, 3, 3);

    let is_landscape = dimensions.width > dimensions.height;
    let bits = |value: f64, most: f64| (value * most).round().clamp(0.0, most) as u32;
    let signed = |value: f64, half: f64| (half + half * value).round().clamp(0.0, half * 2.0) as u32;
    let first = bits(luma.constant, 63.0)
        | signed(yellow_blue.constant, 31.5) << 6
        | signed(red_green.constant, 31.5) << 12
        | bits(luma.scale, 31.0) << 18
        | u32::from(has_alpha) << 23;
    let short = if is_landscape { down } else { across } as u32;
    let second =
        short | bits(yellow_blue.scale, 63.0) << 3 | bits(red_green.scale, 63.0) << 9 | u32::from(is_landscape) << 15;
    let mut hash = [&first.to_le_bytes()[..3], &second.to_le_bytes()[..2]].concat();
    let mut all = [luma.others, yellow_blue.others, red_green.others].concat();
    if has_alpha {
        let alpha = waves(&alpha, dimensions, 5, 5);
        hash.push((bits(alpha.constant, 15.0) | bits(alpha.scale, 15.0) << 4) as u8);
        all.extend(alpha.others);
    }
    let nibble = |wave: &f64| bits(*wave, 15.0) as u8;
    hash.extend(all.chunks(2).map(|pair| nibble(&pair[0]) | pair.get(1).map_or(0, nibble) << 4));
    hash
}

/// Light, yellow against blue, red against green, and opacity, of the picture before its own mean colour; and whether it
/// has any transparency.
fn channels(pixels: &[[u8; 4]]) -> ([Vec<f64>; 4], bool) {
    // In the reference's order of operations, so that waves which cancel out round as there.
    let unit = |value: u8| f64::from(value) / 255.0;
    let lit = |alpha: f64, value: u8| alpha / 255.0 * f64::from(value);
    let mut mean = [0.0; 3];
    let mut opacity = 0.0;
    for pixel in pixels {
        let alpha = unit(pixel[3]);
        opacity += alpha;
        mean.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += lit(alpha, *value));
    }
    if opacity > 0.0 {
        mean = mean.map(|sum| sum / opacity);
    }
    let mut channels = [const { Vec::new() }; 4];
    for pixel in pixels {
        let alpha = unit(pixel[3]);
        let [r, g, b] = [0, 1, 2].map(|index| mean[index] * (1.0 - alpha) + lit(alpha, pixel[index]));
        let values = [(r + g + b) / 3.0, (r + g) / 2.0 - b, r - g, alpha];
        channels.iter_mut().zip(values).for_each(|(channel, value)| channel.push(value));
    }
    (channels, pixels.iter().any(|pixel| pixel[3] != u8::MAX))
}

fn waves(channel: &[f64], dimensions: Dimensions, across: usize, down: usize) -> Waves {
    let (width, height) = (dimensions.width as usize, dimensions.height as usize);
    let cosine = |step: usize, at: usize, length: usize| (PI / length as f64 * step as f64 * (at as f64 + 0.5)).cos();
    let strength = |(x, y): (usize, usize)| {
        let columns: Vec<f64> = (0..width).map(|at| cosine(x, at, width)).collect();
        let rows = channel.chunks_exact(width).enumerate();
        let sum = rows.fold(0.0, |sum, (at, line)| {
            let row = cosine(y, at, height);
            line.iter().zip(&columns).fold(sum, |sum, (value, column)| sum + value * column * row)
        });
        sum / (width * height) as f64
    };
    let mut others: Vec<f64> = ThumbHash::cosines(across, down).map(strength).collect();
    let scale = others.iter().fold(0.0_f64, |most, wave| most.max(wave.abs()));
    if scale > 0.0 {
        others.iter_mut().for_each(|wave| *wave = 0.5 + 0.5 / scale * *wave);
    }
    Waves { constant: strength((0, 0)), others, scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Placeholder {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels: Vec<_> = places.map(|(x, y)| pixel(x, y)).collect();
        placeholder(Dimensions { width, height }, &pixels).unwrap()
    }

    /// What the format's reference implementation (JavaScript, 1.0) made of the same pixels.
    #[test]
    fn hashes_are_those_of_the_reference() {
        let hills = |x: u32, y: u32| {
            [((x * x + 3 * y) % 200) as u8, ((x * 5 + y * y) % 220) as u8, ((x * y + 7 * x) % 250) as u8, 255]
        };
        assert_eq!(of(32, 24, hills).thumbhash.to_string(), REFERENCE[0]);
        assert_eq!(of(24, 32, hills).thumbhash.to_string(), REFERENCE[1]);
        let clear = |x: u32, y: u32| {
            let [r, g, b, _] = hills(x, y);
            [r, g, b, ((x * 3 + y * y) % 256) as u8]
        };
        assert_eq!(of(32, 32, clear).thumbhash.to_string(), REFERENCE[2]);
    }

    const REFERENCE: [&str; 3] =
        ["mecFFYQgU4ZGdplWmGiXh/p1hoH7", "mecFFQQgY0SGWoZZhnZ5iP6FVHDH", "WueBDQIXMTBpiGtqZ/1ZZwJ1dXdAiGEXZw=="];

    #[test]
    fn one_pixel_is_enough() {
        let pixel = of(1, 1, |_, _| [9, 9, 9, 255]);
        assert_eq!((pixel.dominant_color, pixel.thumbhash.as_bytes()[0] & 63), (Colour([9; 3]), 2));
    }

    #[test]
    fn the_dominant_colour_is_one_that_is_there() {
        let sky = of(30, 30, |_, y| if y < 20 { [100, 160, 230, 255] } else { [40, 120, 30, 255] });
        assert_eq!(sky.dominant_color, Colour([100, 160, 230]));
        let logo = of(30, 30, |x, _| if x < 25 { [0, 0, 0, 0] } else { [200, 10, 10, 255] });
        assert_eq!(logo.dominant_color, Colour([200, 10, 10]));
        assert_eq!(of(3, 3, |_, _| [1, 2, 3, 0]).dominant_color, Colour([255; 3]));
    }
}
