//! What is stale: every representation's recipe held against the one in force.

use std::collections::BTreeMap;

use indicatif::ProgressBar;
use shared::domain::ids::{FileVersionId, Sha256Digest};
use shared::domain::preset::{PresetName, PresetTable, RecipeHash};
use shared::ports::renewal::{RecipeLine, Renewal};

use super::PAGE;
use crate::exit::Failed;
use crate::platform::{Rows, away};
use crate::shutdown::Shutdown;

/// Pages that are remembered for the sample.
const SAMPLE_PAGES_MAX: usize = 64;

/// What a change of presets made stale.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By preset and recipe.
    pub(super) stale: Vec<Stale>,
    /// Representations that were made by the recipe in force.
    pub(super) current: u64,
    /// Representations that are being made anew.
    pub(super) renewing: u64,
    /// Representations of presets that the configuration does not have.
    pub(super) unknown: u64,
    /// File versions that were looked at, rounded up to pages.
    pub(super) looked_at: u64,
    /// Where pages with stale representations begin, spread over all of them.
    pub(super) pages: Vec<Option<FileVersionId>>,
}

/// Representations of one preset, made by one recipe that is not in force.
#[derive(Debug)]
pub(super) struct Stale {
    pub(super) renewal: Renewal,
    pub(super) representations: u64,
    /// Of the first pages.
    pub(super) bytes: u64,
}

impl Plan {
    /// Looks at every version, page by page; `None` when interrupted.
    pub(super) async fn count(
        rows: &Rows,
        table: &PresetTable,
        only: Option<&PresetName>,
        shutdown: &Shutdown,
        bar: &ProgressBar,
    ) -> Result<Option<Self>, Failed> {
        let mut plan = Self::default();
        let mut stale: BTreeMap<(String, String), Stale> = BTreeMap::new();
        let (mut after, mut every) = (None, 1);
        for page_number in 0_usize.. {
            if shutdown.drain.is_cancelled() {
                return Ok(None);
            }
            let page = rows.store.recipes(after, PAGE).await.map_err(away)?;
            let Some(last) = page.last else { break };
            let mut is_stale = false;
            for line in page.lines.iter().filter(|line| only.is_none_or(|only| line.preset == *only)) {
                is_stale |= plan.add(&mut stale, table, line);
            }
            if is_stale && page_number % every == 0 {
                plan.pages.push(after);
            }
            // Twice as sparse from here on, and what is there is thinned out.
            if plan.pages.len() > SAMPLE_PAGES_MAX {
                every *= 2;
                let mut number = 0;
                plan.pages.retain(|_| {
                    number += 1;
                    number % 2 == 1
                });
            }
            plan.looked_at += u64::from(PAGE);
            bar.set_message(format!("{} file versions looked at", plan.looked_at));
            bar.tick();
            after = Some(last);
        }
        plan.stale = stale.into_values().collect();
        Ok(Some(plan))
    }

    /// Whether some of it is stale.
    fn add(&mut self, stale: &mut BTreeMap<(String, String), Stale>, table: &PresetTable, line: &RecipeLine) -> bool {
        let Some(preset) = table.resolve(line.preset.as_str()) else {
            self.unknown += line.representations;
            return false;
        };
        let recipe = preset.recipe_hash();
        self.renewing += line.renewing;
        let left = line.representations - line.renewing.min(line.representations);
        if recipe == line.recipe {
            self.current += left;
            return false;
        }
        let known = stale.entry((line.preset.to_string(), line.recipe.as_str().to_owned())).or_insert_with(|| Stale {
            renewal: Renewal { preset: line.preset.clone(), made_by: line.recipe.clone(), recipe },
            representations: 0,
            bytes: 0,
        });
        known.representations += left;
        known.bytes += line.bytes;
        left > 0
    }

    /// How many representations are stale.
    pub(super) fn representations(&self) -> u64 {
        self.stale.iter().map(|stale| stale.representations).sum()
    }

    /// What is to be made anew.
    pub(super) fn renewals(&self) -> Vec<Renewal> {
        self.stale.iter().map(|stale| stale.renewal.clone()).collect()
    }

    /// Names the cursor of this very change: another one begins at the beginning.
    pub(super) fn cursor(&self) -> String {
        let targets: BTreeMap<&str, &RecipeHash> =
            self.stale.iter().map(|stale| (stale.renewal.preset.as_str(), &stale.renewal.recipe)).collect();
        let text: Vec<String> =
            targets.iter().map(|(preset, recipe)| format!("{preset}={}", recipe.as_str())).collect();
        format!("presets:{}", &Sha256Digest::of(text.join("|").as_bytes()).to_string()[..16])
    }
}
