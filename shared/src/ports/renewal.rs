//! Preset changes: which representations are stale, making them anew, and the way back.

use std::time::Duration;

use async_trait::async_trait;

use super::state_store::StoreError;
use crate::domain::file::FileState;
use crate::domain::ids::FileVersionId;
use crate::domain::preset::{PresetName, RecipeHash};

/// Representations that were made by a recipe that is not in force any more. While one is made anew, what there was goes
/// on being read; when that fails, it stays. What was replaced is kept for the way back.
///
/// All walks go by version id, page after page, so that any process can go on where another one stopped.
#[async_trait]
pub trait RenewalStore: Send + Sync + 'static {
    /// By which recipes the representations of the next `limit` versions after `after` were made; without the trash.
    async fn recipes(&self, after: Option<FileVersionId>, limit: u32) -> Result<RecipePage, StoreError>;

    /// The next versions after `after` that have one of these, at most `limit`, to take a sample.
    async fn stale(
        &self,
        renewals: &[Renewal],
        after: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError>;

    /// Has these made anew, on the lane `backfill`, of the next versions after `after` that have one, at most `limit`.
    async fn renew(
        &self,
        renewals: &[Renewal],
        after: Option<FileVersionId>,
        limit: u32,
    ) -> Result<Renewed, StoreError>;

    /// Puts back what was replaced, or is to be, of at most `limit` versions; of one preset, or all. Called until it
    /// finds nothing.
    async fn roll_back(&self, preset: Option<&PresetName>, limit: u32) -> Result<Renewed, StoreError>;

    /// Gives up the way back for what was replaced longer ago than `keep`, at most `limit`; returns how many.
    async fn forget_former(&self, keep: Duration, limit: u32) -> Result<u64, StoreError>;
}

/// What is to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Which preset.
    pub preset: PresetName,
    /// The recipe that it was made by.
    pub made_by: RecipeHash,
    /// The recipe that it is to be made by.
    pub recipe: RecipeHash,
}

/// The recipes of some versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipePage {
    /// How many representations there are of each preset and recipe.
    pub lines: Vec<RecipeLine>,
    /// The last version of this page; `None` when there was none any more.
    pub last: Option<FileVersionId>,
}

/// Representations of one preset that were made by one recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeLine {
    /// Which preset.
    pub preset: PresetName,
    /// Made by this recipe.
    pub recipe: RecipeHash,
    /// How many.
    pub representations: u64,
    /// Of them, how many are being made anew.
    pub renewing: u64,
    /// Bytes of their first pages together.
    pub bytes: u64,
}

/// What a step has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Representations.
    pub representations: u64,
    /// Versions that they belong to.
    pub versions: u64,
    /// The last of them; `None` when there was none.
    pub last: Option<FileVersionId>,
}
