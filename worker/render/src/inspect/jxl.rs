//! The header of a JPEG XL, naked or in its container, as its decoder reads it; no frame is decoded for that.

use jxl_oxide::{AllocTracker, InitializeResult, JxlImage, JxlThreadPool};
use shared::domain::failure::{Failure, FailureCode};

use super::{PageHeader, corrupt, dimensions, truncated};
use crate::fence::fenced;
use crate::orient::Orientation;

/// What the decoder may allocate besides the pixels.
const FIXED_BYTES: usize = 64 << 20;
/// Per pixel: four channels of 32 bits, in three copies (decoded, filtered, kept for reference).
const PIXEL_BYTES: usize = 48;
/// Enough for most headers, profile included; the rest is only looked at when it is needed.
const FIRST_BYTES: usize = 64 << 10;

/// Reads dimensions. The decoder turns the picture itself, so they are as shown and nothing is left to turn.
pub(crate) fn header(source: &[u8]) -> Result<PageHeader, Failure> {
    fenced(FailureCode::CorruptSource, "JPEG XL", || {
        let (image, _) = open(source, FIXED_BYTES)?;
        Ok(PageHeader { dimensions: dimensions(image.width(), image.height())?, orientation: Orientation::NORMAL })
    })
}

/// The decoder after the header, without threads, with a bound on its memory for a picture of so many pixels; and how
/// many bytes it took.
pub(crate) fn open_for(source: &[u8], area_pixels: u64) -> Result<(JxlImage, usize), Failure> {
    open(source, (area_pixels as usize).saturating_mul(PIXEL_BYTES).saturating_add(FIXED_BYTES))
}

fn open(source: &[u8], bytes_max: usize) -> Result<(JxlImage, usize), Failure> {
    let tracker = AllocTracker::with_limit(bytes_max);
    let mut reader = JxlImage::builder().pool(JxlThreadPool::none()).alloc_tracker(tracker).build_uninit();
    let mut taken = 0;
    let mut end = FIRST_BYTES.min(source.len());
    loop {
        taken += reader.feed_bytes(&source[taken..end]).map_err(|e| corrupt(format!("JPEG XL: {e}")))?;
        match reader.try_init().map_err(|e| corrupt(format!("JPEG XL: {e}")))? {
            InitializeResult::Initialized(image) => return Ok((image, taken)),
            InitializeResult::NeedMoreData(_) if end == source.len() => {
                return Err(truncated("the JPEG XL ends in its header"));
            }
            InitializeResult::NeedMoreData(again) => reader = again,
        }
        end = source.len();
    }
}
