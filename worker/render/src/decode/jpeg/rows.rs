//! Reading the rows of a JPEG, and noticing when the file has no more of them: libjpeg only invents an end and goes on.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use mozjpeg::decompress::DecompressStarted;
use mozjpeg::{ColorSpace, Decompress};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;

use crate::decode::enough_rows;
use crate::inspect::jpeg::JpegHeader;
use crate::inspect::{corrupt, jpeg, truncated};

/// Rows of the largest block that is decoded at once.
const BLOCK_ROWS: u32 = 16;

/// The decoder of a file that it has not begun to decode.
pub(super) fn opened<'a>(
    source: &'a [u8],
    header: &JpegHeader,
    ended: &'a Cell<bool>,
) -> Result<Decompress<Watched<'a>>, Failure> {
    let decompress = Decompress::new_reader(Watched { source, ended }).map_err(failed)?;
    let stored = header.page.dimensions;
    if decompress.size() != (stored.width as usize, stored.height as usize) {
        return Err(corrupt("the JPEG has two frame headers"));
    }
    Ok(decompress)
}

/// Gives all rows to `sink`, at this scale. What a cut file does not have is grey, as libjpeg leaves it, when at least half
/// is there.
pub(super) fn rows(
    source: &[u8],
    header: &JpegHeader,
    eighths: u8,
    space: ColorSpace,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<Dimensions, Failure> {
    let ended = Cell::new(false);
    let mut decompress = opened(source, header, &ended)?;
    decompress.scale(eighths);
    let mut started = decompress.to_colorspace(space).map_err(failed)?;
    if ended.get() && jpeg::scans(source) < 2 {
        return Err(truncated(if header.progressive {
            "the JPEG ends in its first, coarsest pass"
        } else {
            "the JPEG ends before its pixels"
        }));
    }
    let whole_file_was_read = ended.get();
    let dimensions = size(&started)?;
    let mut row = vec![0; started.min_flat_buffer_size() / dimensions.height as usize];
    let mut good = dimensions.height;
    for number in 0..dimensions.height {
        started.read_scanlines_into(&mut row).map_err(failed)?;
        if ended.get() && !whole_file_was_read && good == dimensions.height {
            good = (number + BLOCK_ROWS * u32::from(eighths) / 8).min(dimensions.height);
        }
        sink(&row);
    }
    enough_rows(good, dimensions.height, None)?;
    Ok(dimensions)
}

/// Columns and rows at the scale of the decoder.
fn size<R>(started: &DecompressStarted<R>) -> Result<Dimensions, Failure> {
    Dimensions::new(started.width() as u32, started.height() as u32).ok_or_else(|| corrupt("the JPEG has no pixels"))
}

/// What libjpeg's reader says.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn failed(problem: io::Error) -> Failure {
    corrupt(format!("JPEG: {problem}"))
}

/// The source as a reader that notes when more was asked for than there is.
pub(super) struct Watched<'a> {
    source: &'a [u8],
    ended: &'a Cell<bool>,
}

impl Read for Watched<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.source.read(target)
    }
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.source.is_empty() {
            self.ended.set(true);
        }
        Ok(self.source)
    }

    fn consume(&mut self, amount: usize) {
        self.source = self.source.get(amount..).unwrap_or_default();
    }
}
