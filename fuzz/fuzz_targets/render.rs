//! The whole engine, in every output format.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use render::{Request, Silent};
use shared::domain::format::OutputFormat;
use shared::domain::limits::LimitsTable;
use shared::domain::preset::{Preset, PresetTable};

static LIMITS: LazyLock<LimitsTable> = LazyLock::new(thumbline_fuzz::limits);
static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let table = PresetTable::built_in();
    let any = table.get("jpg_160x160").expect("a built-in preset");
    let cover = table.get("jpg_thumb_32x32").expect("a built-in preset").clone();
    OutputFormat::ALL.into_iter().filter(|format| render::writes(*format)).map(|format| Preset { format, ..any.clone() }).chain([cover]).collect()
});

fuzz_target!(|data: &[u8]| {
    let request = Request::new(&PRESETS, &LIMITS);
    let Ok(report) = render::render(data, &request, &mut Silent) else { return };
    for (preset, rendered) in PRESETS.iter().zip(report.renderings) {
        for page in rendered.result.unwrap_or_default() {
            assert!(page.dimensions.width <= preset.width && page.dimensions.height <= preset.height);
            assert!(!page.bytes.is_empty());
        }
    }
});
