//! What the targets share: limits under which one input costs milliseconds.

use shared::domain::limits::{Limits, LimitsTable};

/// Small pictures only: what is slow is not found by fuzzing, but by the corpus.
pub fn limits() -> LimitsTable {
    LimitsTable::same(Limits {
        source_bytes_max: 1 << 20,
        width_pixels_max: 4096,
        height_pixels_max: 4096,
        area_pixels_max: 1 << 18,
        total_pixels_max: 1 << 19,
        pages_max: 3,
        nesting_max: 16,
        child_memory_bytes_max: 1 << 30,
        child_cpu_seconds_max: 10,
        child_seconds_max: 10,
        output_bytes_max: 1 << 24,
    })
}
