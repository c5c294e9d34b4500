//! Collects what the presets came to, under the limit on all of it together.

use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::SourceFormat;
use shared::domain::limits::Limits;
use shared::domain::preset::Preset;

use crate::request::{Page, Rendered};

/// One answer in the making for each preset.
pub(crate) struct Outputs<'a> {
    limits: &'a Limits,
    bytes: u64,
    renderings: Vec<Rendered>,
}

impl<'a> Outputs<'a> {
    /// Nothing yet; presets that do not exist for this format are answered at once.
    pub(crate) fn new(presets: &[Preset], format: SourceFormat, limits: &'a Limits) -> Self {
        let begin = |preset: &Preset| Rendered {
            preset: preset.name.clone(),
            result: if preset.exists_for(Some(format)) {
                Ok(Vec::new())
            } else {
                let reason = format!("preset {} does not exist for {} sources", preset.name, format.name());
                Err(Failure::new(FailureCode::NotForThisFormat, reason))
            },
        };
        Self { limits, bytes: 0, renderings: presets.iter().map(begin).collect() }
    }

    /// Whether this preset can still get pages.
    pub(crate) fn is_open(&self, index: usize) -> bool {
        self.renderings[index].result.is_ok()
    }

    /// The next page of this preset, or why the preset fails.
    pub(crate) fn add(&mut self, index: usize, page: Result<Page, Failure>) {
        let page = page.and_then(|page| {
            self.bytes += page.bytes.len() as u64;
            if self.bytes > self.limits.output_bytes_max { Err(self.too_large()) } else { Ok(page) }
        });
        let result = &mut self.renderings[index].result;
        match page {
            Ok(page) => {
                if let Ok(pages) = result {
                    pages.push(page);
                }
            }
            Err(failure) => *result = Err(failure),
        }
    }

    /// The answers, in the order of the presets.
    pub(crate) fn finish(self) -> Vec<Rendered> {
        self.renderings
    }

    fn too_large(&self) -> Failure {
        let limit = self.limits.output_bytes_max;
        Failure::new(FailureCode::TooManyBytes, format!("the representations have more than {limit} bytes together"))
    }
}
