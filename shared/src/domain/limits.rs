//! Every bound on what one source may cost, one set for each class of formats; section `[limits]` of the configuration.

use serde::{Deserialize, Serialize};

use super::format::SourceFormat;
use crate::config::Problem;

/// Formats that cost alike and are bounded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatClass {
    /// Pictures made of pixels: the header says what decoding costs.
    Raster,
    /// Drawings: the header says nothing of the cost, so time bounds it.
    Vector,
}

impl FormatClass {
    /// Every class, in the order of the configuration.
    pub const ALL: [Self; 2] = [Self::Raster, Self::Vector];

    /// The name in configuration and our own API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raster => "raster",
            Self::Vector => "vector",
        }
    }

    /// The class of a format.
    pub fn of(format: SourceFormat) -> Self {
        match format {
            SourceFormat::Jpeg
            | SourceFormat::Png
            | SourceFormat::Gif
            | SourceFormat::Webp
            | SourceFormat::Tiff
            | SourceFormat::Bmp
            | SourceFormat::Ico
            | SourceFormat::Tga
            | SourceFormat::Pnm
            | SourceFormat::Qoi
            | SourceFormat::Raw
            | SourceFormat::Psd
            | SourceFormat::Jxl => Self::Raster,
        }
    }
}

/// What one source of one class may cost. Checked before the cost: length before reading, header before pixels.
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
    /// Most columns times rows of all pages and frames of a source that are decoded, together.
    pub total_pixels_max: u64,
    /// Most pages that are rendered of one source.
    pub pages_max: u32,
    /// Most levels of containers or elements within one another that are followed.
    pub nesting_max: u32,
    /// Address space of the render child while it works on one source, in bytes.
    pub child_memory_bytes_max: u64,
    /// Processor time for one source in the render child, in whole seconds; then the kernel ends it.
    pub child_cpu_seconds_max: u64,
    /// Wall-clock time for one source in the render child, in seconds; then it is killed.
    pub child_seconds_max: u64,
    /// Longest encoded output (all pages of all presets of one source together), in bytes.
    pub output_bytes_max: u64,
}

/// The limits of every class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsTable {
    /// Of [`FormatClass::Raster`].
    pub raster: Limits,
    /// Of [`FormatClass::Vector`].
    pub vector: Limits,
}

/// Below this a child cannot even load its own code and the codecs' tables.
const CHILD_MEMORY_BYTES_MIN: u64 = 128 << 20;

impl LimitsTable {
    /// The same limits for every class.
    pub fn same(limits: Limits) -> Self {
        Self { raster: limits.clone(), vector: limits }
    }

    /// The limits of a class.
    pub fn class(&self, class: FormatClass) -> &Limits {
        match class {
            FormatClass::Raster => &self.raster,
            FormatClass::Vector => &self.vector,
        }
    }

    /// The limits of a format's class.
    pub fn of(&self, format: SourceFormat) -> &Limits {
        self.class(FormatClass::of(format))
    }

    /// The largest of each limit: what holds before the format of a source is known.
    pub fn widest(&self) -> Limits {
        let Self { raster, vector } = self;
        Limits {
            source_bytes_max: raster.source_bytes_max.max(vector.source_bytes_max),
            width_pixels_max: raster.width_pixels_max.max(vector.width_pixels_max),
            height_pixels_max: raster.height_pixels_max.max(vector.height_pixels_max),
            area_pixels_max: raster.area_pixels_max.max(vector.area_pixels_max),
            total_pixels_max: raster.total_pixels_max.max(vector.total_pixels_max),
            pages_max: raster.pages_max.max(vector.pages_max),
            nesting_max: raster.nesting_max.max(vector.nesting_max),
            child_memory_bytes_max: raster.child_memory_bytes_max.max(vector.child_memory_bytes_max),
            child_cpu_seconds_max: raster.child_cpu_seconds_max.max(vector.child_cpu_seconds_max),
            child_seconds_max: raster.child_seconds_max.max(vector.child_seconds_max),
            output_bytes_max: raster.output_bytes_max.max(vector.output_bytes_max),
        }
    }

    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        for class in FormatClass::ALL {
            let limits = self.class(class);
            let least: [(&str, u64, u64); 11] = [
                ("source_bytes_max", limits.source_bytes_max, 1),
                ("width_pixels_max", limits.width_pixels_max.into(), 1),
                ("height_pixels_max", limits.height_pixels_max.into(), 1),
                ("area_pixels_max", limits.area_pixels_max, 1),
                ("total_pixels_max", limits.total_pixels_max, limits.area_pixels_max),
                ("pages_max", limits.pages_max.into(), 1),
                ("nesting_max", limits.nesting_max.into(), 1),
                ("child_memory_bytes_max", limits.child_memory_bytes_max, CHILD_MEMORY_BYTES_MIN),
                ("child_cpu_seconds_max", limits.child_cpu_seconds_max, 1),
                ("child_seconds_max", limits.child_seconds_max, 1),
                ("output_bytes_max", limits.output_bytes_max, 1024),
            ];
            for (key, value, minimum) in least.into_iter().filter(|(_, value, minimum)| value < minimum) {
                let key = format!("limits.{}.{key}", class.name());
                problems.push(Problem::new(key, value, format!("at least {minimum}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(amount: u64) -> Limits {
        let small = u32::try_from(amount).unwrap();
        Limits {
            source_bytes_max: amount,
            width_pixels_max: small,
            height_pixels_max: small,
            area_pixels_max: amount,
            total_pixels_max: amount,
            pages_max: small,
            nesting_max: small,
            child_memory_bytes_max: amount,
            child_cpu_seconds_max: amount,
            child_seconds_max: amount,
            output_bytes_max: amount,
        }
    }

    #[test]
    fn classes_have_limits_of_their_own() {
        let table = LimitsTable { raster: limits(2), vector: Limits { pages_max: 9, ..limits(1) } };
        assert_eq!(table.of(SourceFormat::Jpeg), &table.raster);
        assert_eq!(table.widest(), Limits { pages_max: 9, ..limits(2) });
    }

    #[test]
    fn what_could_render_nothing_is_told_with_its_class() {
        let mut problems = Vec::new();
        LimitsTable { raster: limits(1 << 30), vector: limits(0) }.check(&mut problems);
        assert_eq!(problems.len(), 10, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.key.starts_with("limits.vector.")));
    }
}
