//! HEIC and AVIF: tiles decoded one after the other, put together and shrunk row by row, in the picture's own colours.
//!
//! | file | what it does |
//! |---|---|
//! | `av1.rs`, `hevc.rs` | one coded picture to samples |
//! | `mosaic.rs` | which tiles make up an item |
//! | `overlay.rs` | pictures before one another |
//! | `light.rs` | luma and chroma to red, green and blue |

mod av1;
mod hevc;
mod light;
mod mosaic;
mod overlay;

use moxcms::{CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use self::light::{Coded, Light};
use self::mosaic::{Mosaic, Tile};
use super::{DecodedRaster, Order, enough_rows};
use crate::fence::fenced;
use crate::geometry::Area;
use crate::inspect::heif::{Colour, Heif, Property, Shown, shown};
use crate::inspect::{corrupt, within};
use crate::raster::{Layout, Raster};
use crate::shrink::{RowShrink, Sample};

/// Decodes the primary item with its opacity.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let heif = Heif::open(order.source)?;
    let shown = shown(heif.item(heif.primary)?)?;
    within(shown.coded, order.limits)?;
    let is_overlay = heif.item(heif.primary)?.kind == *b"iovl";
    let (raster, covered) = if is_overlay {
        overlay::picture_of(&heif, heif.primary, shown.coded)?
    } else {
        picture(&heif, heif.primary, shown.coded, least_of_all(order.least, &shown))?
    };
    let across = covered.width / f64::from(shown.coded.width);
    let covered = shown.part.scaled(across, covered.height / f64::from(shown.coded.height));
    Ok(DecodedRaster { raster, covered, profile: profile(&heif)? })
}

/// An item with its opacity, at least this large; and the part of it that it covers.
fn picture(heif: &Heif<'_>, id: u32, size: Dimensions, least: Dimensions) -> Result<(Raster, Area), Failure> {
    let mosaic = Mosaic::of(heif, id, size)?;
    let alpha = heif.alpha_of(id).map(|id| opacity(heif, id, &mosaic)).transpose()?.flatten();
    let first = mosaic.decode(heif, 0)?;
    let colour = mosaic.colour(heif, id)?;
    if first.depth > 8 || alpha.as_ref().is_some_and(|alpha| alpha.depth > 8) {
        rows::<u16>(heif, &mosaic, first, alpha.as_ref(), colour, least)
    } else {
        rows::<u8>(heif, &mosaic, first, alpha.as_ref(), colour, least)
    }
}

/// The opacity of every pixel of the mosaic; `None` when it has other dimensions than the picture.
fn opacity(heif: &Heif<'_>, id: u32, of: &Mosaic) -> Result<Option<Coded>, Failure> {
    let mosaic = Mosaic::of(heif, id, of.size)?;
    if mosaic.size != of.size {
        return Ok(None);
    }
    let mut whole = Coded::grey(mosaic.size);
    for index in 0..mosaic.tiles.len() {
        let tile = mosaic.decode(heif, index)?;
        whole.place(&tile, mosaic.place(index));
    }
    whole.full_range = mosaic.colour(heif, id)?.map_or(whole.full_range, |colour| colour.full_range);
    Ok(Some(whole))
}

/// Row of tiles by row of tiles; a cut file shows what is there when it is at least half.
fn rows<T: Light + Sample>(
    heif: &Heif<'_>,
    mosaic: &Mosaic,
    first: Coded,
    alpha: Option<&Coded>,
    colour: Option<Colour>,
    least: Dimensions,
) -> Result<(Raster, Area), Failure> {
    let layout = match (first.is_grey(), alpha.is_some()) {
        (true, false) => Layout::Gray,
        (false, false) => Layout::Rgb,
        (_, true) => Layout::Rgba,
    };
    let mut shrink = RowShrink::<T>::new(mosaic.size, layout, least);
    let mut first = Some(first);
    let mut trouble = None;
    for row in 0..mosaic.rows {
        let decoded = (0..mosaic.columns).map(|column| match first.take() {
            Some(first) => Ok(first),
            None => mosaic.decode(heif, (row * mosaic.columns + column) as usize),
        });
        match decoded.collect::<Result<Vec<_>, _>>() {
            Ok(tiles) => push_rows(&mut shrink, &tiles, mosaic, layout, alpha, colour)?,
            Err(failure) => {
                trouble = Some(failure);
                break;
            }
        }
    }
    enough_rows(shrink.rows(), mosaic.size.height, trouble)?;
    Ok(shrink.finish(&vec![T::default(); layout.channels()]))
}

/// How much is needed of the whole, when the part that is shown needs this much.
fn least_of_all(least: Dimensions, shown: &Shown) -> Dimensions {
    let side = |least: u32, whole: u32, part: f64| {
        (f64::from(least) * f64::from(whole) / part).ceil().min(f64::from(whole)) as u32
    };
    Dimensions {
        width: side(least.width, shown.coded.width, shown.part.width),
        height: side(least.height, shown.coded.height, shown.part.height),
    }
}

/// One row of tiles, side by side.
fn push_rows<T: Light + Sample>(
    shrink: &mut RowShrink<T>,
    tiles: &[Coded],
    mosaic: &Mosaic,
    layout: Layout,
    alpha: Option<&Coded>,
    colour: Option<Colour>,
) -> Result<(), Failure> {
    let width = mosaic.size.width as usize;
    let converters = tiles.iter().map(|tile| tile.converter(colour)).collect::<Result<Vec<_>, _>>()?;
    let mut line = vec![T::default(); width * layout.channels()];
    for y in 0..mosaic.tile.height {
        let row = shrink.rows();
        if row == mosaic.size.height {
            break;
        }
        let cells = line.chunks_mut(mosaic.tile.width as usize * layout.channels());
        for ((tile, converter), cell) in tiles.iter().zip(&converters).zip(cells) {
            tile.write_row(converter, y, layout, cell);
        }
        if let Some(alpha) = alpha {
            let opacities = alpha.luma_row(row).iter().map(|value| T::opacity(*value, alpha));
            line.chunks_exact_mut(4).zip(opacities).for_each(|(pixel, opacity)| pixel[3] = opacity);
        }
        shrink.push(&line);
    }
    Ok(())
}

/// One coded picture. `size` is what its item says.
fn coded(tile: &Tile<'_>) -> Result<Coded, Failure> {
    let coded = fenced(tile.failure_code(), tile.format(), || match &tile.kind {
        b"av01" => av1::decode(&tile.data, tile.size),
        _ => hevc::decode(tile.parameters, &tile.data, tile.size),
    });
    let coded = coded.map_err(|failure| tile.blamed(failure))?;
    if coded.size.width < tile.size.width || coded.size.height < tile.size.height {
        return Err(corrupt("a HEIF item is smaller than it says"));
    }
    Ok(coded)
}

/// The profile of the picture: its own, or one made of the numbers that say which colours it means.
fn profile(heif: &Heif<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let properties = &heif.item(heif.primary)?.properties;
    let own = properties.iter().find_map(|property| match property {
        Property::Profile(profile) => Some(profile.to_vec()),
        _ => None,
    });
    let numbers = properties.iter().find_map(|property| match property {
        Property::Colour(colour) => named(*colour),
        _ => None,
    });
    Ok(own.or(numbers))
}

/// `None` for sRGB and what is near enough to it.
fn named(colour: Colour) -> Option<Vec<u8>> {
    let number = |value: u16| u8::try_from(value).ok();
    let color_primaries = CicpColorPrimaries::try_from(number(colour.primaries)?).ok()?;
    let transfer_characteristics = TransferCharacteristics::try_from(number(colour.transfer)?).ok()?;
    let is_wide = matches!(colour.primaries, 9 | 11 | 12);
    let is_other_curve = matches!(colour.transfer, 4 | 5 | 8 | 16 | 18);
    if !is_wide && !is_other_curve {
        return None;
    }
    let named = CicpProfile {
        color_primaries,
        transfer_characteristics,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    ColorProfile::new_from_cicp(named).encode().ok()
}
