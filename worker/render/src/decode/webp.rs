//! WebP by libwebp: the still picture, or the first frame of an animation on its canvas.

use ::webp::{BitstreamFeatures, Decoder};
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order};
use crate::geometry::Area;
use crate::inspect::webp::WebpPicture;
use crate::inspect::{corrupt, truncated, webp};
use crate::raster::{Layout, Raster, Samples};

/// Decodes the first picture.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let header = webp::header(order.source)?;
    let canvas = order.header.dimensions;
    let file = still(&header.picture).ok_or_else(|| truncated("the WebP ends before its pixels"))?;
    let features = BitstreamFeatures::new(&file).ok_or_else(|| corrupt("the WebP's bitstream cannot be read"))?;
    let own = header.picture.dimensions.filter(|own| (own.width, own.height) == (features.width(), features.height()));
    let own = own.ok_or_else(|| corrupt("the WebP's bitstream and header differ"))?;
    let image = Decoder::new(&file).decode().ok_or_else(|| truncated("the WebP's pixels are cut or damaged"))?;
    let layout = if image.is_alpha() { Layout::Rgba } else { Layout::Rgb };
    let raster = Raster { dimensions: own, layout, samples: Samples::Eight(image.to_vec()) };
    let raster = if own == canvas { raster } else { on_canvas(&raster, header.picture.place, order) };
    Ok(DecodedRaster { raster, covered: Area::whole(canvas), profile: header.profile.map(<[u8]>::to_vec) })
}

/// The first picture as a file of its own, so that libwebp neither sees nor composes the rest of an animation.
fn still(picture: &WebpPicture<'_>) -> Option<Vec<u8>> {
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
    push_chunk(&mut chunks, name, pixels);
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
