//! The files that are uploaded: small pictures of many formats, each of its own, and a hostile share.

use std::io::Cursor;
use std::path::Path;

use anyhow::Context as _;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// Keeps contents apart from the plan, which has the same seed.
const STREAM: u64 = 0xC0_47E4;
const HOSTILE: f64 = 0.08;
const DAMAGED: f64 = 0.08;
/// Sides of a picture, pixels.
const SIDES: std::ops::Range<u32> = 24..360;
/// Longer files of a corpus are left out: a run is to have many files rather than large ones.
const FILE_BYTES_MAX: u64 = 512 * 1024;
const FORMATS: [(ImageFormat, &str); 6] = [
    (ImageFormat::Jpeg, "jpg"),
    (ImageFormat::Jpeg, "jpg"),
    (ImageFormat::Png, "png"),
    (ImageFormat::WebP, "webp"),
    (ImageFormat::Bmp, "bmp"),
    (ImageFormat::Gif, "gif"),
];

/// Bytes with the ending of their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) extension: String,
}

/// Where contents come from.
#[derive(Debug)]
pub(crate) struct Contents {
    seed: u64,
    /// Files that were made to do harm, and what else a directory has.
    files: Vec<Content>,
}

impl Contents {
    /// The hostile fixtures, and the files of `corpus`.
    pub(crate) fn new(seed: u64, corpus: Option<&Path>) -> anyhow::Result<Self> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
        let mut files = read(&fixtures.join("corpus/hostile"))?;
        files.extend(read(&fixtures.join("orientation"))?);
        if let Some(corpus) = corpus {
            files.extend(read(corpus)?);
        }
        Ok(Self { seed, files })
    }

    /// The content of this number: the same whenever it is asked for.
    pub(crate) fn get(&self, number: u32) -> anyhow::Result<Content> {
        let mut random = StdRng::seed_from_u64(self.seed ^ STREAM ^ (u64::from(number) << 20));
        if random.random_bool(HOSTILE)
            && let Some(file) = self.files.choose(&mut random)
        {
            return Ok(file.clone());
        }
        let mut content = picture(&mut random, number)?;
        if random.random_bool(DAMAGED) {
            damage(&mut random, &mut content.bytes);
        }
        Ok(content)
    }
}

fn read(directory: &Path) -> anyhow::Result<Vec<Content>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= FILE_BYTES_MAX));
    paths.sort();
    let content = |path: &std::path::PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("bin").to_owned();
        Ok(Content { bytes: std::fs::read(path)?, extension })
    };
    paths.iter().map(content).collect()
}

/// A gradient with a few blocks; no two numbers have the same.
fn picture(random: &mut StdRng, number: u32) -> anyhow::Result<Content> {
    let (width, height) = (random.random_range(SIDES), random.random_range(SIDES));
    let [r, g, b, step]: [u8; 4] = [random.random(), random.random(), random.random(), random.random_range(8..64)];
    let noise = number.to_le_bytes();
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let block = (x / u32::from(step) + y / u32::from(step)) as u8;
        let own = noise[(x as usize + y as usize) % noise.len()];
        Rgb([
            r.wrapping_add((x * 255 / width) as u8),
            g.wrapping_add((y * 255 / height) as u8) ^ own,
            b.wrapping_add(block.wrapping_mul(31)),
        ])
    });
    let (format, extension) = FORMATS.choose(random).copied().unwrap_or(FORMATS[0]);
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, format).context("a picture cannot be encoded")?;
    Ok(Content { bytes: bytes.into_inner(), extension: extension.to_owned() })
}

/// Cut somewhere, or a few bytes changed.
fn damage(random: &mut StdRng, bytes: &mut Vec<u8>) {
    if random.random_bool(0.5) {
        bytes.truncate(random.random_range(0..bytes.len()));
    } else {
        for _ in 0..8 {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_the_same_each_time_and_differ_from_one_another() {
        let contents = Contents::new(9, None).unwrap();
        let some: Vec<Content> = (0..40).map(|number| contents.get(number).unwrap()).collect();
        assert_eq!(some[7], contents.get(7).unwrap());
        let pictures = some.iter().filter(|content| image::load_from_memory(&content.bytes).is_ok()).count();
        assert!(pictures > 20, "{pictures} of 40 are sound");
        assert!(some.windows(2).filter(|two| two[0] == two[1]).count() < 3);
    }
}
