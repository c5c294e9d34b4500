//! HEVC by `heifer-hevc-dec`: one intra picture.

use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use super::av1::pixels_max;
use super::light::Coded;
use crate::inspect::reader::Bytes;
use crate::inspect::{corrupt, unsupported};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Where the arrays of parameter sets begin in an `hvcC` box (ISO/IEC 14496-15, 8.3.3.1.2).
const ARRAYS: usize = 22;

pub(super) fn decode(parameters: &[u8], data: &[u8], size: Dimensions) -> Result<Coded, Failure> {
    let stream = stream(parameters, data).ok_or_else(|| corrupt("HEVC: the parameter sets are damaged"))?;
    let options = DecodeOptions { max_pixels: pixels_max(size), ..DecodeOptions::default() };
    let frame = decode_picture(&stream, options).map_err(|error| match error {
        heifer_hevc_dec::Error::Unimplemented(what) => unsupported(format!("HEVC: {what}")),
        other => corrupt(format!("HEVC: {other}")),
    })?;
    let plane = |index: usize| Dimensions::new(frame.widths[index], frame.heights[index]);
    let size = plane(0).ok_or_else(|| corrupt("HEVC: an empty picture"))?;
    Ok(Coded {
        size,
        chroma: plane(1).filter(|_| frame.chroma_format > 0),
        depth: frame.bit_depth[0],
        matrix: frame.matrix_coeffs.into(),
        full_range: frame.full_range,
        planes: frame.planes,
    })
}

/// The parameter sets and the picture as one stream with start codes: the boxes have lengths instead.
fn stream(parameters: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let bytes = Bytes::big(parameters);
    let length_size = usize::from(bytes.u8(ARRAYS - 1)? & 3) + 1;
    let mut stream = Vec::with_capacity(parameters.len() + data.len() + 64);
    let mut at = ARRAYS + 1;
    for _ in 0..bytes.u8(ARRAYS)? {
        let count = bytes.u16(at + 1)?;
        at += 3;
        for _ in 0..count {
            let length = usize::from(bytes.u16(at)?);
            stream.extend(START_CODE);
            stream.extend_from_slice(bytes.slice(at + 2, length)?);
            at += 2 + length;
        }
    }
    let mut rest = data;
    while let Some((length, following)) = rest.split_at_checked(length_size) {
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let unit = &following[..length.min(following.len())];
        stream.extend(START_CODE);
        stream.extend_from_slice(unit);
        rest = &following[unit.len()..];
    }
    Some(stream)
}
