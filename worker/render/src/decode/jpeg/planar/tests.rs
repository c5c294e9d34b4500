//! Planes against those of libjpeg, and of files that are damaged.

use mozjpeg::{ColorSpace, CompInfoExt, Compress, Decompress};
use shared::domain::dimensions::Dimensions;

use super::idct::{Anywhere, Idct};
use super::{File, Wanted, planes};

/// A file with markers from which decoders begin anew every few blocks.
const RESTARTS: &[u8] = include_bytes!("../../../../../../tests/fixtures/jpeg/restarts.jpg");
/// The same once a row of blocks, in many passes.
const RESTARTS_PROGRESSIVE: &[u8] = include_bytes!("../../../../../../tests/fixtures/jpeg/restarts-progressive.jpg");

/// How a test's file is written.
#[derive(Debug, Clone, Copy)]
struct Written {
    size: (u32, u32),
    /// Samples of luma for one of chroma.
    sampling: (u8, u8),
    quality: f32,
    progressive: bool,
    own_tables: bool,
}

const WRITTEN: Written =
    Written { size: (203, 117), sampling: (2, 2), quality: 85.0, progressive: false, own_tables: false };

impl Written {
    /// Gradients, edges and noise; the less of it, the lower the picture.
    fn file(&self) -> Vec<u8> {
        let (width, height) = self.size;
        let mut noise = 1_u32;
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let shade = (noise >> 24) as i32 * (height - y) as i32 / (4 * height) as i32;
                let edge = if (x / 23 + y / 19) % 2 == 0 { 70 } else { 0 };
                let light = |base: u32| (base as i32 % 150 + edge + shade).clamp(0, 255) as u8;
                pixels.extend([light(x), light(y + 20), light(x / 2 + y)]);
            }
        }
        let mut compress = Compress::new(ColorSpace::JCS_RGB);
        compress.set_fastest_defaults();
        compress.set_size(width as usize, height as usize);
        compress.set_quality(self.quality);
        compress.set_chroma_sampling_pixel_sizes(self.sampling, self.sampling);
        compress.set_optimize_coding(self.own_tables || self.progressive);
        if self.progressive {
            compress.set_progressive_mode();
        }
        let mut started = compress.start_compress(Vec::new()).unwrap();
        started.write_scanlines(&pixels).unwrap();
        started.finish().unwrap()
    }
}

/// The file without its codes, as films have their pictures.
fn without_codes(file: &[u8]) -> Vec<u8> {
    let (mut rest, mut kept) = (file, Vec::new());
    while let Some(at) = rest.windows(2).position(|marker| marker == [0xff, 0xc4]) {
        let length = usize::from(u16::from_be_bytes([rest[at + 2], rest[at + 3]]));
        kept.extend(&rest[..at]);
        rest = &rest[at + 2 + length..];
    }
    [&kept, rest].concat()
}

/// All kinds of files that it is for.
fn files() -> Vec<(String, Vec<u8>)> {
    let all = [
        WRITTEN,
        Written { sampling: (1, 1), ..WRITTEN },
        Written { sampling: (2, 1), ..WRITTEN },
        Written { sampling: (1, 2), ..WRITTEN },
        Written { sampling: (4, 1), ..WRITTEN },
        Written { size: (1, 1), ..WRITTEN },
        Written { size: (17, 300), ..WRITTEN },
        Written { size: (300, 15), sampling: (2, 1), ..WRITTEN },
        Written { quality: 100.0, own_tables: true, ..WRITTEN },
        Written { quality: 100.0, ..WRITTEN },
        Written { quality: 8.0, own_tables: true, ..WRITTEN },
        Written { progressive: true, ..WRITTEN },
        Written { progressive: true, sampling: (1, 1), quality: 97.0, ..WRITTEN },
        Written { progressive: true, sampling: (2, 1), size: (17, 300), ..WRITTEN },
        Written { progressive: true, quality: 8.0, ..WRITTEN },
    ];
    let film = without_codes(&WRITTEN.file());
    let fixed =
        [("restarts", RESTARTS), ("restarts, progressive", RESTARTS_PROGRESSIVE), ("without codes", film.as_slice())];
    let written = all.iter().map(|written| (format!("{written:?}"), written.file()));
    written.chain(fixed.map(|(name, file)| (name.to_owned(), file.to_vec()))).collect()
}

/// Columns, rows and samples of each component, by libjpeg.
fn by_libjpeg(file: &[u8]) -> (Dimensions, [(Dimensions, Vec<u8>); 3]) {
    let decompress = Decompress::new_mem(file).unwrap();
    let (width, height) = decompress.size();
    let whole = Dimensions { width: width as u32, height: height as u32 };
    let mut started = decompress.raw().unwrap();
    let mut padded: [Vec<u8>; 3] = Default::default();
    started.read_raw_data(&mut padded.each_mut());
    let most = &started.components()[0];
    let planes = [0, 1, 2].map(|index| {
        let component = &started.components()[index];
        let side = |length: u32, factor: i32, most: i32| (length * factor as u32).div_ceil(most as u32);
        let size = Dimensions {
            width: side(whole.width, component.h_samp_factor, most.h_samp_factor),
            height: side(whole.height, component.v_samp_factor, most.v_samp_factor),
        };
        let rows = padded[index].chunks_exact(component.row_stride()).take(size.height as usize);
        (size, rows.flat_map(|row| &row[..size.width as usize]).copied().collect())
    });
    (whole, planes)
}

fn wanted(sizes: &[(Dimensions, Vec<u8>); 3], eighths: u8) -> [Wanted; 3] {
    let side = |length: u32| (length * u32::from(eighths)).div_ceil(8);
    [0, 1, 2].map(|index| {
        let Dimensions { width, height } = sizes[index].0;
        Wanted { eighths, size: Dimensions { width: side(width), height: side(height) } }
    })
}

#[test]
fn planes_are_those_of_libjpeg_to_the_bit() {
    for (name, file) in files() {
        let (whole, theirs) = by_libjpeg(&file);
        let wanted = wanted(&theirs, 8);
        let ours = planes(&file, whole, &wanted).unwrap_or_else(|| panic!("{name}: not decoded"));
        let plain = File::new(&file, whole).and_then(|file| file.planes(Anywhere, &wanted));
        assert_eq!(plain.as_ref(), Some(&ours), "{name}: by AVX2, and in plain numbers");
        for (index, (ours, (_, theirs))) in ours.iter().zip(&theirs).enumerate() {
            assert!(ours == theirs, "{name}: component {index}");
        }
    }
}

#[test]
fn smaller_planes_are_means_of_whole_ones() {
    for (name, file) in files() {
        let (whole, theirs) = by_libjpeg(&file);
        for eighths in [1, 2, 4] {
            let wanted = wanted(&theirs, eighths);
            let ours = planes(&file, whole, &wanted).unwrap();
            for (index, ((samples, wanted), (size, theirs))) in ours.iter().zip(wanted).zip(&theirs).enumerate() {
                let (side, columns) = (8 / usize::from(eighths), wanted.size.width as usize);
                for (at, sample) in samples.iter().enumerate() {
                    let (left, top) = (at % columns * side, at / columns * side);
                    if left + side > size.width as usize || top + side > size.height as usize {
                        continue;
                    }
                    let row = |row: usize| &theirs[(top + row) * size.width as usize + left..][..side];
                    let all: Vec<u8> = (0..side).flat_map(row).copied().collect();
                    if all.iter().any(|sample| matches!(sample, 0 | 255)) {
                        // Cut off before they became a mean.
                        continue;
                    }
                    let mean = all.iter().copied().map(f64::from).sum::<f64>() / all.len() as f64;
                    let difference = (f64::from(*sample) - mean).abs();
                    assert!(difference <= 1.01, "{name}: {eighths}/8, component {index}, sample {at}: {difference}");
                }
            }
        }
    }
}

#[test]
fn components_have_scales_of_their_own() {
    let file = Written { sampling: (1, 1), ..WRITTEN }.file();
    let (whole, theirs) = by_libjpeg(&file);
    let (all, half) = (wanted(&theirs, 8), wanted(&theirs, 4));
    let [luma, blue, red] = planes(&file, whole, &[all[0], half[1], half[2]]).unwrap();
    let smaller = planes(&file, whole, &half).unwrap();
    assert!(luma == theirs[0].1);
    assert!([&blue, &red] == [&smaller[1], &smaller[2]]);
    // Of chroma only first coefficients are kept, whatever codes the others have.
    let file = Written { sampling: (1, 1), quality: 100.0, ..WRITTEN }.file();
    let (whole, theirs) = by_libjpeg(&file);
    let (quarter, eighth) = (wanted(&theirs, 2), wanted(&theirs, 1));
    let mixed = planes(&file, whole, &[quarter[0], eighth[1], eighth[2]]).unwrap();
    assert!(mixed[0] == planes(&file, whole, &quarter).unwrap()[0]);
    assert!(mixed[1..] == planes(&file, whole, &eighth).unwrap()[1..]);
}

#[test]
fn a_progressive_file_that_lacks_a_pass_is_left_to_libjpeg() {
    let file = Written { progressive: true, ..WRITTEN }.file();
    let (whole, theirs) = by_libjpeg(&file);
    let wanted = wanted(&theirs, 8);
    let scans: Vec<usize> = (0..file.len() - 1).filter(|at| file[*at..].starts_with(&[0xff, 0xda])).collect();
    assert!(scans.len() > 5 && planes(&file, whole, &wanted).is_some());
    for scan in &scans[1..] {
        // Codes come before their scan, and do no harm without it.
        let shorter = [&file[..*scan], &[0xff, 0xd9]].concat();
        assert_eq!(planes(&shorter, whole, &wanted), None, "without what begins at {scan}");
    }
}

#[test]
fn what_is_damaged_or_of_another_kind_is_left_to_libjpeg() {
    for (name, file) in files() {
        let (whole, theirs) = by_libjpeg(&file);
        let wanted = wanted(&theirs, 8);
        let other = Dimensions { width: whole.width + 1, height: whole.height };
        assert_eq!(planes(&file, other, &wanted), None, "{name}: other dimensions");
        for cut in (2..file.len() - 8).step_by(1 + file.len() / 97) {
            assert_eq!(planes(&file[..cut], whole, &wanted), None, "{name}: cut at {cut}");
        }
        // Anything may come of these but a panic: coefficients that no picture has come to other samples than libjpeg's.
        for at in (2..file.len()).step_by(1 + file.len() / 149) {
            for flipped in [1, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= flipped;
                let _ = planes(&damaged, whole, &wanted);
            }
        }
    }
    let one = Dimensions { width: 1, height: 1 };
    assert_eq!(planes(b"\xff\xd8\xff\xd9", one, &[Wanted { eighths: 8, size: one }; 3]), None);
}

/// What a block comes to in exact numbers.
fn exact(block: &[f64; 64], side: usize, row: usize, column: usize) -> f64 {
    use std::f64::consts::{FRAC_1_SQRT_2, PI};
    let cosine = |place: usize, points: usize, frequency: usize| {
        let scale = if frequency == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        scale * ((2 * place + 1) as f64 * frequency as f64 * PI / (2 * points) as f64).cos()
    };
    // Halves, quarters and eighths are means of what 8 points have; others have so many points themselves.
    let factor = |place: usize, frequency: usize| match side {
        1 | 2 | 4 => {
            let each = 8 / side;
            (0..each).map(|at| cosine(place * each + at, 8, frequency)).sum::<f64>() / each as f64
        }
        _ if frequency < side => cosine(place, side, frequency),
        _ => 0.0,
    };
    let sum: f64 = (0..64).map(|at| block[at] * factor(row, at / 8) * factor(column, at % 8)).sum();
    (sum / 4.0 + 128.0).clamp(0.0, 255.0)
}

#[test]
fn transforms_are_those_of_exact_numbers() {
    let mut noise = 7_u32;
    let mut next = |range: u32| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 16) % range
    };
    for round in 0..300 {
        let (mut block, mut factors, mut numbers) = ([0; 64], [1; 64], [0.0; 64]);
        for _ in 0..round % 20 {
            let (row, column) = (next(8) as usize, next(8) as usize);
            let (value, factor) = (next(41) as i16 - 20, next(12) as i16 + 1);
            let place = super::frame::place(row, column);
            (block[place], factors[place]) = (value, factor);
            numbers[row * 8 + column] = f64::from(value * factor);
        }
        for side in 1..=8 {
            let mut plain = [0; 100];
            Anywhere.inverse(side, &block, &factors, &mut plain, 10);
            #[cfg(target_arch = "x86_64")]
            if let Some(avx2) = crate::processor::Avx2::found() {
                let mut same = [0; 100];
                avx2.inverse(side, &block, &factors, &mut same, 10);
                assert_eq!(plain, same, "{side} samples");
            }
            for (at, sample) in plain.iter().enumerate() {
                let (row, column) = (at / 10, at % 10);
                if row >= side || column >= side {
                    assert_eq!(*sample, 0, "{side} samples: written outside");
                    continue;
                }
                let exact = exact(&numbers, side, row, column);
                assert!((f64::from(*sample) - exact).abs() < 0.8, "{side} samples: {sample} for {exact}");
            }
        }
    }
}
