//! The flattened picture of a Photoshop document, row by row over all channels at once.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::{DecodedRaster, Order, enough_rows};
use crate::geometry::Area;
use crate::inspect::psd::{self, PsdHeader, PsdMode};
use crate::inspect::{truncated, unsupported};
use crate::raster::Raster;
use crate::shrink::{RowShrink, Sample};

/// Decodes the flattened picture; the rows that a cut file does not have in every channel are black, or clear.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let header = psd::header(order.source)?;
    let (raster, covered) =
        if header.bits == 16 { rows::<u16>(&header, order.least)? } else { rows::<u8>(&header, order.least)? };
    Ok(DecodedRaster { raster, covered, profile: header.profile.map(<[u8]>::to_vec) })
}

fn rows<T: Sample>(header: &PsdHeader<'_>, least: Dimensions) -> Result<(Raster, Area), Failure> {
    let stored = header.page.dimensions;
    let layout = header.layout();
    let used = header.colours() + usize::from(header.alpha);
    let mut channels = channels(header, used)?;
    let mut shrink = RowShrink::<T>::new(stored, layout, least);
    let mut row = Vec::with_capacity(stored.width as usize * layout.channels());
    let (mut planes, mut scratch) = (vec![Vec::new(); used], Vec::new());
    for y in 0..stored.height as usize {
        let complete = channels.iter_mut().zip(&mut planes).all(|(channel, plane)| {
            let read = channel.row(y).map(|bytes| T::of_big_endian(bytes, &mut scratch));
            plane.clear();
            read.map(|samples| plane.extend_from_slice(samples)).is_some()
        });
        if !complete {
            break;
        }
        row.clear();
        (0..stored.width as usize).for_each(|x| push_pixel(&mut row, header, &planes, x));
        shrink.push(&row);
    }
    enough_rows(shrink.rows(), stored.height, None)?;
    let missing = if header.mode == PsdMode::Cmyk { T::from_sum(T::MOST) } else { T::default() };
    Ok(shrink.finish(&vec![missing; layout.channels()]))
}

/// One pixel from its planes.
fn push_pixel<T: Sample>(row: &mut Vec<T>, header: &PsdHeader<'_>, planes: &[Vec<T>], x: usize) {
    let inverted = |sample: T| T::from_sum(T::MOST - Into::<u64>::into(sample));
    match header.mode {
        PsdMode::Bitmap => {
            let byte: u32 = planes[0][x / 8].into();
            row.push(T::from_sum(if byte >> (7 - x % 8) & 1 == 1 { 0 } else { T::MOST }));
        }
        PsdMode::Indexed(palette) => {
            let index: u32 = planes[0][x].into();
            row.extend([0, 256, 512].map(|first| T::from_sum(palette[first + index as usize].into())));
        }
        PsdMode::Cmyk => row.extend(planes.iter().take(4).map(|plane| inverted(plane[x]))),
        PsdMode::Gray | PsdMode::Rgb => {
            let colours = header.colours();
            let alpha = planes.get(colours).map_or(T::MOST, |plane| plane[x].into());
            row.extend(
                planes[..colours].iter().map(|plane| T::from_sum(without_white(plane[x].into(), alpha, T::MOST))),
            );
        }
    }
    if header.alpha {
        row.push(planes[header.colours()][x]);
    }
}

/// Photoshop flattens over white and keeps the opacity beside it, so the white has to be taken out of the colour again.
fn without_white(sample: u64, alpha: u64, most: u64) -> u64 {
    if alpha == 0 || alpha == most {
        return sample;
    }
    ((sample + alpha).saturating_sub(most) * most + alpha / 2) / alpha
}

/// The channels that are used, each with its place in the file.
fn channels<'a>(header: &PsdHeader<'a>, used: usize) -> Result<Vec<Channel<'a>>, Failure> {
    let (width, height) = (header.page.dimensions.width as usize, header.page.dimensions.height as usize);
    let row_bytes = (width * header.bits).div_ceil(8);
    let (coding, data) = header
        .picture
        .split_first_chunk::<2>()
        .ok_or_else(|| truncated("the PSD ends before its flattened picture"))?;
    match u16::from_be_bytes(*coding) {
        0 => {
            let channel = |index: usize| Channel::Plain {
                data: data.get(index * row_bytes * height..).unwrap_or_default(),
                row_bytes,
            };
            Ok((0..used).map(channel).collect())
        }
        1 => packed_channels(header, data, used, row_bytes),
        coding => Err(unsupported(format!("PSD whose flattened picture is coded as {coding}"))),
    }
}

/// `PackBits`: first the lengths of all rows of all channels, then the rows.
fn packed_channels<'a>(
    header: &PsdHeader<'a>,
    data: &'a [u8],
    used: usize,
    row_bytes: usize,
) -> Result<Vec<Channel<'a>>, Failure> {
    let height = header.page.dimensions.height as usize;
    let size = if header.large { 4 } else { 2 };
    let lengths = data.split_at_checked(header.channels * height * size);
    let (lengths, rows) = lengths.ok_or_else(|| truncated("the PSD ends in the lengths of its rows"))?;
    let mut at = 0;
    Ok(lengths
        .chunks_exact(height * size)
        .take(used)
        .map(|lengths| {
            let channel =
                Channel::Packed { lengths, size, rows, at, unpacked: Vec::with_capacity(row_bytes), row_bytes };
            at += lengths.chunks_exact(size).map(number).sum::<usize>();
            channel
        })
        .collect())
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The rows of one channel from the top.
enum Channel<'a> {
    /// As they are.
    Plain { data: &'a [u8], row_bytes: usize },
    /// In run lengths, the next one at `at`.
    Packed { lengths: &'a [u8], size: usize, rows: &'a [u8], at: usize, unpacked: Vec<u8>, row_bytes: usize },
}

impl Channel<'_> {
    /// The next row, which is row `y`; `None` when it is cut or damaged.
    fn row(&mut self, y: usize) -> Option<&[u8]> {
        match self {
            Self::Plain { data, row_bytes } => data.get(y * *row_bytes..(y + 1) * *row_bytes),
            Self::Packed { lengths, size, rows, at, unpacked, row_bytes } => {
                let length = number(lengths.get(y * *size..(y + 1) * *size)?);
                let packed = rows.get(*at..at.checked_add(length)?)?;
                *at += length;
                unpack(packed, unpacked, *row_bytes)?;
                Some(unpacked)
            }
        }
    }
}

/// Opens the run lengths of one row; `None` when they are fewer than the row needs.
fn unpack(mut packed: &[u8], row: &mut Vec<u8>, row_bytes: usize) -> Option<()> {
    row.clear();
    while row.len() < row_bytes {
        let (head, rest) = packed.split_first()?;
        let room = row_bytes - row.len();
        packed = match head {
            0..=127 => {
                let (literal, rest) = rest.split_at_checked(usize::from(*head) + 1)?;
                row.extend(literal.iter().take(room));
                rest
            }
            128 => rest,
            129.. => {
                let (value, rest) = rest.split_first()?;
                row.resize(row.len() + (257 - usize::from(*head)).min(room), *value);
                rest
            }
        };
    }
    Some(())
}
