//! Sniff, and the header of every format, whatever the bytes look like.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::domain::format::SourceFormat;

fuzz_target!(|data: &[u8]| {
    let limits = thumbline_fuzz::limits();
    let sniffed = render::sniff(data);
    for format in SourceFormat::ALL {
        let inspected = render::inspect(data, format, limits.of(format));
        if let (Ok(picture), true) = (inspected, sniffed == Some(format)) {
            assert!(picture.dimensions.area_pixels() <= limits.of(format).area_pixels_max);
            assert!(picture.pages > 0);
        }
    }
});
