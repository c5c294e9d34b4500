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
    /// The dimensions of the picture that the source is a smaller copy of, when it is one. Sizes are worked out from these,
    /// because the copy's are rounded: what is made of it has the size that the picture itself would have come to.
    pub original: Option<Dimensions>,
    /// Where the source's bytes are.
    pub memory: &'a dyn SourceMemory,
}

/// The memory that the source's bytes are in.
pub trait SourceMemory: std::fmt::Debug {
    /// These bytes were read and are hardly needed again: a large source need not stay resident while it is decoded. They
    /// can still be read afterwards.
    fn passed(&self, _bytes: &[u8]) {}
}

/// Memory that stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kept;

impl SourceMemory for Kept {}

impl<'a> Request<'a> {
    /// For a source that is a picture of its own.
    pub fn new(presets: &'a [Preset], limits: &'a LimitsTable) -> Self {
        Self { presets, limits, original: None, memory: &Kept }
    }
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
