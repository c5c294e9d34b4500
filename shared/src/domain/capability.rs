//! What this installation can read and write, as it proved when it started.

use super::format::{OutputFormat, SourceFormat};
use super::limits::LimitsTable;

/// What came of the proof, for each format that the program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Formats that sources may have.
    pub sources: Vec<Capability<SourceFormat>>,
    /// Formats that representations are written in.
    pub outputs: Vec<Capability<OutputFormat>>,
    /// What one source may cost, by class.
    pub limits: LimitsTable,
    /// Whether JPEG is decoded and encoded with SIMD.
    pub has_simd_jpeg: bool,
}

/// One format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability<Format> {
    /// Which one.
    pub format: Format,
    /// What went wrong with a sample in a render child; `None`: it was rendered.
    pub problem: Option<String>,
}

impl<Format> Capability<Format> {
    /// Whether the proof succeeded.
    pub fn is_proven(&self) -> bool {
        self.problem.is_none()
    }
}
