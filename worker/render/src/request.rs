//! What the engine is asked for and what it answers.

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;
use shared::domain::limits::LimitsTable;
use shared::domain::preset::{Preset, PresetName};

/// What a source shows: its facts, learned from the header.
pub use shared::domain::file::PictureFacts as Picture;

/// What to make of one source.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The recipes; the report answers in this order.
    pub presets: &'a [Preset],
    /// What a source may cost; the format that is found decides which limits hold.
    pub limits: &'a LimitsTable,
}

/// Everything that came of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the source shows.
    pub picture: Picture,
    /// One answer for each preset of the request, in its order.
    pub renderings: Vec<Rendered>,
}

/// What came of one preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Which one.
    pub preset: PresetName,
    /// Its pages (exactly one when the preset is not paged), or why there are none.
    pub result: Result<Vec<Page>, Failure>,
}

/// One encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its actual dimensions.
    pub dimensions: Dimensions,
    /// The file.
    pub bytes: Vec<u8>,
}
