//! `X-Rep-Hints`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::domain::hint::Hints;
use shared::domain::preset::PresetTable;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(hints) = Hints::parse(text) {
        let table = PresetTable::built_in();
        let available: Vec<_> = table.iter().collect();
        assert!(hints.select(&available).len() <= available.len());
    }
});
