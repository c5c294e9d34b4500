//! Which coded pictures make up an item: one, or the tiles of a grid.

use std::borrow::Cow;

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};

use super::light::Coded;
use crate::inspect::heif::{Colour, Heif, Item, Property, coded, grid, refuse_unknown};
use crate::inspect::{corrupt, truncated, unsupported};

/// Tiles side by side, from the top left.
#[derive(Debug)]
pub(super) struct Mosaic {
    /// Of the whole; the last tiles may reach beyond.
    pub(super) size: Dimensions,
    /// Of one tile.
    pub(super) tile: Dimensions,
    pub(super) columns: u32,
    pub(super) rows: u32,
    /// Their items, row by row.
    pub(super) tiles: Vec<u32>,
}

/// One coded picture that is to be decoded.
#[derive(Debug)]
pub(super) struct Tile<'a> {
    pub(super) kind: [u8; 4],
    /// As its item says.
    pub(super) size: Dimensions,
    /// The parameter sets that HEVC needs.
    pub(super) parameters: &'a [u8],
    pub(super) data: Cow<'a, [u8]>,
    is_cut: bool,
}

impl Mosaic {
    /// Of an item that is said to have this size.
    pub(super) fn of(heif: &Heif<'_>, id: u32, size: Dimensions) -> Result<Self, Failure> {
        let item = heif.item(id)?;
        match &item.kind {
            b"hvc1" | b"av01" => Ok(Self { size, tile: coded(item)?, columns: 1, rows: 1, tiles: vec![id] }),
            b"grid" => Self::of_grid(heif, id, item),
            other => Err(unsupported(format!("a HEIF whose picture is a {}", String::from_utf8_lossy(other)))),
        }
    }

    fn of_grid(heif: &Heif<'_>, id: u32, item: &Item<'_>) -> Result<Self, Failure> {
        let (columns, rows, size) = grid(&heif.bytes(item)?.0)?;
        let tiles = heif.parts(id).to_vec();
        if tiles.len() != (columns * rows) as usize {
            return Err(corrupt(format!("a HEIF grid of {columns}x{rows} has {} tiles", tiles.len())));
        }
        let tile = coded(heif.item(tiles[0])?)?;
        let covers = |tiles: u32, tile: u32, whole: u32| {
            u64::from(tiles) * u64::from(tile) >= u64::from(whole)
                && u64::from(tiles - 1) * u64::from(tile) < whole.into()
        };
        if !covers(columns, tile.width, size.width) || !covers(rows, tile.height, size.height) || size != coded(item)? {
            return Err(corrupt(format!("a HEIF grid of {columns}x{rows} tiles of {tile} does not make {size}")));
        }
        Ok(Self { size, tile, columns, rows, tiles })
    }

    /// Where a tile's first pixel is.
    pub(super) fn place(&self, index: usize) -> (u32, u32) {
        let index = index as u32;
        (index % self.columns * self.tile.width, index / self.columns * self.tile.height)
    }

    /// Decodes a tile.
    pub(super) fn decode(&self, heif: &Heif<'_>, index: usize) -> Result<Coded, Failure> {
        let item = heif.item(self.tiles[index])?;
        if coded(item)? != self.tile {
            return Err(corrupt("the tiles of a HEIF grid have different sizes"));
        }
        super::coded(&Tile::of(heif, item)?)
    }

    /// How the numbers of an item mean colours: by its own property, else its first tile's.
    pub(super) fn colour(&self, heif: &Heif<'_>, id: u32) -> Result<Option<Colour>, Failure> {
        Ok(colour(heif.item(id)?).or(colour(heif.item(self.tiles[0])?)))
    }
}

fn colour(item: &Item<'_>) -> Option<Colour> {
    item.properties.iter().find_map(|property| match property {
        Property::Colour(colour) => Some(*colour),
        _ => None,
    })
}

impl<'a> Tile<'a> {
    fn of(heif: &Heif<'a>, item: &Item<'a>) -> Result<Self, Failure> {
        refuse_unknown(item)?;
        let parameters = item.properties.iter().find_map(|property| match (&item.kind, property) {
            (b"hvc1", Property::Hevc(parameters)) => Some(*parameters),
            (b"av01", Property::Av1) => Some(&[][..]),
            _ => None,
        });
        let parameters = parameters.ok_or_else(|| corrupt("a HEIF item does not say how it is coded"))?;
        let (data, expected) = heif.bytes(item)?;
        let is_cut = (data.len() as u64) < expected;
        Ok(Self { kind: item.kind, size: coded(item)?, parameters, data, is_cut })
    }

    /// The code of a failure that tells no more.
    pub(super) fn failure_code(&self) -> FailureCode {
        if self.is_cut { FailureCode::Truncated } else { FailureCode::CorruptSource }
    }

    /// What a decoder cannot know: that its data was cut.
    pub(super) fn blamed(&self, failure: Failure) -> Failure {
        if self.is_cut { truncated(format!("{} is cut: {}", self.format(), failure.reason)) } else { failure }
    }

    /// The name of the coding, for people.
    pub(super) fn format(&self) -> &'static str {
        if self.kind == *b"av01" { "AV1" } else { "HEVC" }
    }
}
