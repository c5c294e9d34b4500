//! WebP by libwebp: the still picture, or the first frame of an animation on its canvas.

use ::webp::{BitstreamFeatures, Decoder, WebPImage};
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order, enough_rows};
use crate::geometry::Area;
use crate::inspect::webp::WebpPicture;
use crate::inspect::{corrupt, truncated, webp};
use crate::raster::{Layout, Raster, Samples};

/// Decodes the first picture.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let header = webp::header(order.source)?;
    let canvas = order.header.dimensions;
    let file = still(&header.picture, &[]).ok_or_else(|| truncated("the WebP ends before its pixels"))?;
    let features = BitstreamFeatures::new(&file).ok_or_else(|| corrupt("the WebP's bitstream cannot be read"))?;
    let own = header.picture.dimensions.filter(|own| (own.width, own.height) == (features.width(), features.height()));
    let own = own.ok_or_else(|| corrupt("the WebP's bitstream and header differ"))?;
    let (image, rows) = match Decoder::new(&file).decode() {
        Some(image) => (image, own.height),
        None => cut(&header.picture)?,
    };
    let layout = if image.is_alpha() { Layout::Rgba } else { Layout::Rgb };
    let mut samples = image.to_vec();
    samples[rows as usize * own.width as usize * layout.channels()..].fill(0);
    let raster = Raster { dimensions: own, layout, samples: Samples::Eight(samples) };
    let raster = if own == canvas { raster } else { on_canvas(&raster, header.picture.place, order) };
    Ok(DecodedRaster { raster, covered: Area::whole(canvas), profile: header.profile.map(<[u8]>::to_vec) })
}

/// What a cut file has, and how many of its rows. libwebp wants all bytes or none, so what is missing is made up twice,
/// differently: rows that come out alike do not depend on it.
fn cut(picture: &WebpPicture<'_>) -> Result<(WebPImage, u32), Failure> {
    /// Not every one leads to a picture: some mean things that cannot be.
    const MADE_UP: [u8; 4] = [0, 0xff, 0x55, 0x92];
    let damaged = || truncated("the WebP's pixels are cut or damaged");
    // More than what is there is no half of a picture.
    if !(1..=picture.pixels.map_or(0, |(_, pixels)| pixels.len() * 4)).contains(&picture.missing_bytes) {
        return Err(damaged());
    }
    let made = |byte: u8| Decoder::new(&still(picture, &vec![byte; picture.missing_bytes])?).decode();
    let mut made = MADE_UP.into_iter().filter_map(made);
    let (one, other) = made.next().zip(made.next()).ok_or_else(damaged)?;
    let stride = one.len() / one.height() as usize;
    let alike = one.chunks_exact(stride).zip(other.chunks_exact(stride)).take_while(|(a, b)| a == b).count();
    enough_rows(alike as u32, one.height(), None)?;
    Ok((one, alike as u32))
}

/// The first picture as a file of its own, so that libwebp neither sees nor composes the rest of an animation; at its end
/// what was made up.
fn still(picture: &WebpPicture<'_>, made_up: &[u8]) -> Option<Vec<u8>> {
    const ALPHA_FLAG: u8 = 0x10;
    let (name, pixels) = picture.pixels?;
    let size = picture.dimensions?;
    let mut chunks = Vec::with_capacity(pixels.len() + 64);
    if let Some(alpha) = picture.alpha.filter(|_| name == b"VP8 ") {
        let mut extended = vec![ALPHA_FLAG, 0, 0, 0];
        extended.extend_from_slice(&(size.width - 1).to_le_bytes()[..3]);
        extended.extend_from_slice(&(size.height - 1).to_le_bytes()[..3]);
        push_chunk(&mut chunks, b"VP8X", &extended);
        push_chunk(&mut chunks, b"ALPH", alpha);
    }
    push_chunk(&mut chunks, name, &[pixels, made_up].concat());
    let length = u32::try_from(chunks.len() + 4).ok()?;
    Some([b"RIFF", length.to_le_bytes().as_slice(), b"WEBP", &chunks].concat())
}

fn push_chunk(file: &mut Vec<u8>, name: &[u8], content: &[u8]) {
    file.extend_from_slice(name);
    // Slices of a source are shorter than 4 GiB, as RIFF lengths are.
    file.extend_from_slice(&(content.len() as u32).to_le_bytes());
    file.extend_from_slice(content);
    file.resize(file.len() + (content.len() & 1), 0);
}

/// A frame that is smaller than its canvas; the rest is transparent.
fn on_canvas(frame: &Raster, place: (u32, u32), order: &Order<'_>) -> Raster {
    let canvas = order.header.dimensions;
    let mut samples = vec![0; canvas.area_pixels() as usize * 4];
    if let Samples::Eight(pixels) = &frame.samples {
        let channels = frame.layout.channels();
        let rows = samples.chunks_exact_mut(canvas.width as usize * 4).skip(place.1 as usize);
        for (row, line) in rows.zip(pixels.chunks_exact(frame.dimensions.width as usize * channels)) {
            for (target, pixel) in row.chunks_exact_mut(4).skip(place.0 as usize).zip(line.chunks_exact(channels)) {
                target[3] = u8::MAX;
                target[..channels].copy_from_slice(pixel);
            }
        }
    }
    Raster { dimensions: canvas, layout: Layout::Rgba, samples: Samples::Eight(samples) }
}
