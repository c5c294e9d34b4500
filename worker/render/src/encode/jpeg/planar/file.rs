//! The markers around entropy-coded data (ITU-T T.81, annex B; JFIF 1.01).

use shared::domain::dimensions::Dimensions;

use super::quantiser::Quantiser;
use crate::jpeg::Codes;

/// Everything up to the entropy-coded data: JFIF's header, factors, the frame, codes (of first coefficients of luma and chroma, and of the
/// others) and the scan.
pub(super) fn header(dimensions: Dimensions, quantisers: &[Quantiser; 2], codes: &[Codes<'_>; 4]) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    // JFIF 1.01; pixels are as wide as high; no smaller picture within.
    segment(&mut file, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    for (number, quantiser) in (0..).zip(quantisers) {
        segment(&mut file, 0xdb, &[&[number], &quantiser.in_order()[..]].concat());
    }
    let [.., height1, height0] = dimensions.height.to_be_bytes();
    let [.., width1, width0] = dimensions.width.to_be_bytes();
    // Eight bits, three components: 4 blocks of luma for one of either chroma, with the first factors and the second.
    let frame = [8, height1, height0, width1, width0, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    segment(&mut file, 0xc0, &frame);
    for (number, codes) in [(0x00, &codes[0]), (0x10, &codes[2]), (0x01, &codes[1]), (0x11, &codes[3])] {
        segment(&mut file, 0xc4, &[&[number], &codes.counts[..], &codes.symbols[..]].concat());
    }
    // All components with their codes, all coefficients, all bits.
    segment(&mut file, 0xda, &[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
    file
}

/// The whole file.
pub(super) fn ended(mut file: Vec<u8>) -> Vec<u8> {
    file.extend([0xff, 0xd9]);
    file
}

fn segment(file: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    let length = (payload.len() + 2) as u16;
    file.extend([0xff, marker]);
    file.extend(length.to_be_bytes());
    file.extend(payload);
}
