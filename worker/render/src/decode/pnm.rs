//! Netpbm pictures row by row, with every depth brought to full 8 or 16 bits.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order, enough_rows};
use crate::geometry::Area;
use crate::inspect::pnm::{self, PnmCoding, PnmHeader, Words};
use crate::raster::Raster;
use crate::shrink::{RowShrink, Sample};

/// Decodes the first picture of the file; what a cut one does not have is black, or clear where there is opacity.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let header = pnm::header(order.source)?;
    let (raster, covered) =
        if header.most > 255 { rows::<u16>(&header, order.least)? } else { rows::<u8>(&header, order.least)? };
    Ok(DecodedRaster { raster, covered, profile: None })
}

fn rows<T: Sample>(header: &PnmHeader<'_>, least: Dimensions) -> Result<(Raster, Area), Failure> {
    let stored = header.page.dimensions;
    let length = stored.width as usize * header.layout.channels();
    let mut shrink = RowShrink::<T>::new(stored, header.layout, least);
    let mut samples = SampleRows::new(header, length);
    let mut row = Vec::with_capacity(length);
    let most = u64::from(header.most);
    for _ in 0..stored.height {
        let Some(values) = samples.next_row() else { break };
        row.clear();
        row.extend(values.iter().map(|value| T::from_sum((u64::from(*value) * T::MOST + most / 2) / most)));
        shrink.push(&row);
    }
    enough_rows(shrink.rows(), stored.height, None)?;
    Ok(shrink.finish(&vec![T::default(); header.layout.channels()]))
}

/// The rows as they are written: samples from 0 to the header's most.
struct SampleRows<'a> {
    coding: PnmCoding,
    wide: bool,
    rest: &'a [u8],
    words: Words<'a>,
    length: usize,
    row: Vec<u16>,
}

impl<'a> SampleRows<'a> {
    fn new(header: &PnmHeader<'a>, length: usize) -> Self {
        let words = Words::new(header.pixels);
        let row = Vec::with_capacity(length);
        Self { coding: header.coding, wide: header.most > 255, rest: header.pixels, words, length, row }
    }

    /// The next row, `None` when it is not there as a whole.
    fn next_row(&mut self) -> Option<&[u16]> {
        self.row.clear();
        match self.coding {
            PnmCoding::PlainBits => {
                for _ in 0..self.length {
                    self.row.push(u16::from(!self.words.bit()?));
                }
            }
            PnmCoding::PlainNumbers => {
                for _ in 0..self.length {
                    self.row.push(u16::try_from(self.words.number()?).unwrap_or(u16::MAX));
                }
            }
            PnmCoding::Bits => {
                let packed = self.take(self.length.div_ceil(8))?;
                self.row.extend((0..self.length).map(|x| u16::from(packed[x / 8] >> (7 - x % 8) & 1 == 0)));
            }
            PnmCoding::Binary if self.wide => {
                let pairs = self.take(self.length * 2)?.as_chunks::<2>().0;
                self.row.extend(pairs.iter().map(|pair| u16::from_be_bytes(*pair)));
            }
            PnmCoding::Binary => {
                let bytes = self.take(self.length)?;
                self.row.extend(bytes.iter().map(|byte| u16::from(*byte)));
            }
        }
        Some(&self.row)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}
