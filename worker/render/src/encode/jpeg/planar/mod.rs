//! Writes planes as baseline JPEG in 4:2:0, by an encoder of our own: the same file as libjpeg-turbo's, to the bit, in less
//! time. (From quality 24 on: below, libjpeg's factors no longer fit baseline JPEG, and ours stop at 255.)

mod codes;
mod file;
mod forward;
mod quantiser;
mod symbols;
mod writer;

#[cfg(test)]
mod tests;

use self::codes::{CodeTable, optimal};
use self::forward::{Anywhere, Forward};
use self::quantiser::Quantiser;
use self::symbols::{Counted, Sink, Written, scan};
use self::writer::Writer;
use crate::jpeg::{Codes, FIRST, OTHERS};
use crate::planes::Planes;
#[cfg(target_arch = "x86_64")]
use crate::processor::Avx2;

/// The file, with codes made for the picture or with the usual ones.
pub(super) fn encode(planes: &Planes, quality: u8, own_codes: bool) -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::found() {
        #[expect(unsafe_code, reason = "the processor has what this was compiled for")]
        // SAFETY: found just now.
        return unsafe { encode_by_avx2(planes, quality, own_codes, avx2) };
    }
    encode_by(planes, quality, own_codes, Anywhere)
}

/// All of it once more, for processors that also count zeros in one instruction.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn encode_by_avx2(planes: &Planes, quality: u8, own_codes: bool, transform: Avx2) -> Vec<u8> {
    encode_by(planes, quality, own_codes, transform)
}

#[inline(always)]
fn encode_by<F: Forward>(planes: &Planes, quality: u8, own_codes: bool, transform: F) -> Vec<u8> {
    let quantisers = [Quantiser::luma(quality), Quantiser::chroma(quality)];
    let begun = |codes: &[Codes<'_>; 4]| Writer::new(file::header(planes.dimensions, &quantisers, codes));
    if own_codes {
        let mut counted = Counted::default();
        scan(planes, &quantisers, transform, &mut counted);
        let codes = counted.counts().each_ref().map(optimal);
        let mut written = Written { tables: &codes.each_ref().map(CodeTable::new), writer: begun(&codes) };
        written.take(counted.symbols());
        file::ended(written.writer.finish())
    } else {
        let codes = usual();
        let mut written = Written { tables: &codes.each_ref().map(CodeTable::new), writer: begun(&codes) };
        scan(planes, &quantisers, transform, &mut written);
        file::ended(written.writer.finish())
    }
}

/// The usual codes, in the order that symbols name their tables.
fn usual() -> [Codes<'static>; 4] {
    let ([first_luma, first_chroma], [luma, chroma]) = (FIRST, OTHERS);
    [first_luma, first_chroma, luma, chroma]
}
