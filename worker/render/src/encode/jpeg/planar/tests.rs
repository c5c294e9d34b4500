//! Files against those of libjpeg.

use shared::domain::dimensions::Dimensions;
use shared::domain::preset::{Preset, PresetTable};

use super::super::{OWN_TABLES_PIXELS_MAX, encode_planes, encode_planes_by_libjpeg};
use super::forward::Anywhere;
use super::{encode, encode_by};
use crate::geometry::Area;
use crate::planes::{Plane, Planes};

fn preset(quality: u8) -> Preset {
    Preset { quality, ..PresetTable::built_in().get("jpg_1024x1024").unwrap().clone() }
}

/// Gradients and edges, and noise that grows to this much.
fn planes(width: u32, height: u32, noisy: u32) -> Planes {
    let mut state = 3_u32;
    let mut plane = |width: u32, height: u32, base: u32| {
        let dimensions = Dimensions { width, height };
        let mut samples = Vec::new();
        for y in 0..height {
            for x in 0..width {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 24) * noisy * y / (256 * height);
                let edge = if (x / 13 + y / 11) % 3 == 0 { 90 } else { 0 };
                samples.push((base + x / 3 + y / 2 + noise + edge).min(255) as u8);
            }
        }
        Plane::new(dimensions, samples, Area::whole(dimensions))
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let planes = [plane(width, height, 0), plane(half_width, half_height, 60), plane(half_width, half_height, 100)];
    Planes { dimensions: Dimensions { width, height }, planes }
}

#[test]
fn files_are_those_of_libjpeg_to_the_bit() {
    let sizes = [(1, 1), (7, 9), (8, 8), (16, 16), (17, 33), (24, 40), (203, 117), (300, 15), (9, 250), (700, 400)];
    for (width, height) in sizes {
        for quality in [24, 50, 80, 95, 100] {
            for noisy in [0, 40, 255] {
                let planes = planes(width, height, noisy);
                let theirs = encode_planes_by_libjpeg(&planes, &preset(quality)).unwrap();
                let own_codes = u64::from(width) * u64::from(height) <= OWN_TABLES_PIXELS_MAX;
                let ours = encode(&planes, quality, own_codes);
                let case = format!("{width}x{height}, quality {quality}, noise {noisy}");
                assert_eq!(ours.len(), theirs.len(), "{case}");
                assert!(ours == theirs, "{case}");
                assert!(encode_by(&planes, quality, own_codes, Anywhere) == ours, "{case}, in plain numbers");
            }
        }
    }
}

#[test]
fn sides_that_no_jpeg_has_are_refused() {
    let file = |width: u32| encode_planes(&planes(width, 1, 0), &preset(80));
    assert!(image::load_from_memory(&file(65_500).unwrap()).unwrap().width() == 65_500);
    assert!(file(65_501).unwrap_err().to_string().contains("65501x1"));
}

#[test]
fn codes_made_for_the_picture_change_nothing_but_the_size() {
    let planes = planes(160, 120, 60);
    let pixels = |file: &[u8]| image::load_from_memory(file).unwrap().into_rgb8();
    let (own, usual) = (encode(&planes, 80, true), encode(&planes, 80, false));
    assert!(own.len() < usual.len());
    assert_eq!(pixels(&own), pixels(&usual));
}
