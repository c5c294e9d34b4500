//! AV1 by `re_rav1d`: the first picture that the data shows.

use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{Decoder, Error, Picture, PixelLayout, PlanarImageComponent, Settings};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::light::Coded;
use crate::inspect::corrupt;

/// Data units of one picture that the decoder may ask to be fed.
const ROUNDS_MAX: usize = 16;

pub(super) fn decode(data: &[u8], size: Dimensions) -> Result<Coded, Failure> {
    let failed = |error: Error| corrupt(format!("AV1: {error}"));
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(u32::try_from(pixels_max(size)).unwrap_or(u32::MAX));
    let mut decoder = Decoder::with_settings(&settings).map_err(failed)?;
    let mut fed = decoder.send_data(data.to_vec(), None, None, None);
    for _ in 0..ROUNDS_MAX {
        match decoder.get_picture() {
            Ok(picture) => return planes(&picture),
            Err(Error::Again) if matches!(fed, Err(Error::Again)) => fed = decoder.send_pending_data(),
            Err(Error::Again) => break,
            Err(error) => return Err(failed(error)),
        }
        if let Err(error) = fed
            && !matches!(error, Error::Again)
        {
            return Err(failed(error));
        }
    }
    Err(corrupt("the AV1 data shows no picture"))
}

/// Codecs round sizes up to their largest blocks.
pub(super) fn pixels_max(size: Dimensions) -> u64 {
    const BLOCK: u64 = 128;
    let rounded = |side: u32| u64::from(side).next_multiple_of(BLOCK);
    rounded(size.width) * rounded(size.height)
}

fn planes(picture: &Picture) -> Result<Coded, Failure> {
    let size = Dimensions::new(picture.width(), picture.height()).ok_or_else(|| corrupt("AV1: an empty picture"))?;
    let (across, down) = match picture.pixel_layout() {
        PixelLayout::I400 => (0, 0),
        PixelLayout::I420 => (2, 2),
        PixelLayout::I422 => (2, 1),
        PixelLayout::I444 => (1, 1),
    };
    let depth = picture.bit_depth() as u8;
    let chroma =
        (across > 0).then(|| Dimensions { width: size.width.div_ceil(across), height: size.height.div_ceil(down) });
    let mut planes = [plane(picture, PlanarImageComponent::Y, size, depth), Vec::new(), Vec::new()];
    if let Some(chroma) = chroma {
        planes[1] = plane(picture, PlanarImageComponent::U, chroma, depth);
        planes[2] = plane(picture, PlanarImageComponent::V, chroma, depth);
    }
    let full_range = picture.color_range() == YUVRange::Full;
    Ok(Coded { size, chroma, planes, depth, matrix: picture.matrix_coefficients() as u16, full_range })
}

/// The samples without the decoder's padding.
fn plane(picture: &Picture, component: PlanarImageComponent, size: Dimensions, depth: u8) -> Vec<u16> {
    let stride = picture.stride(component) as usize;
    let plane = picture.plane(component);
    let rows = plane.chunks(stride).take(size.height as usize);
    let width = size.width as usize;
    if depth == 8 {
        rows.flat_map(|row| row[..width].iter().map(|sample| u16::from(*sample))).collect()
    } else {
        rows.flat_map(|row| row.as_chunks::<2>().0[..width].iter().map(|pair| u16::from_ne_bytes(*pair))).collect()
    }
}
