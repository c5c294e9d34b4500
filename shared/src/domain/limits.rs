//! Every bound on what one source may cost, in one value; section `[limits]` of the configuration.

use serde::{Deserialize, Serialize};

/// What one source may cost. Checked before the cost: length before reading, header before pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Longest source, in bytes.
    pub source_bytes_max: u64,
    /// Most columns of a source.
    pub width_pixels_max: u32,
    /// Most rows of a source.
    pub height_pixels_max: u32,
    /// Most columns times rows of one picture of a source.
    pub area_pixels_max: u64,
    /// Most pages that are rendered of one source.
    pub pages_max: u32,
    /// Most frames of an animation that are looked at to compose the one that is shown.
    pub frames_max: u32,
    /// Address space of one render child, in bytes.
    pub child_memory_bytes_max: u64,
    /// Wall-clock time for one source in the render child, in seconds; then it is killed.
    pub child_seconds_max: u64,
    /// Longest encoded representation (all pages of all presets of one source together), in bytes.
    pub output_bytes_max: u64,
}
