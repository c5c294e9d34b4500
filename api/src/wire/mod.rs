//! What answers look like, converted by hand from domain values.

pub(crate) mod box_entry;
pub(crate) mod box_file;
pub(crate) mod box_folder;
pub(crate) mod jira;
pub(crate) mod own_file;
pub(crate) mod parked;
mod timestamp;
pub(crate) mod webhook;

use shared::domain::file::FileState;
use shared::domain::fit_preset;
use shared::domain::preset::{Preset, PresetTable};

/// The presets that this version has, or can have, in listing order.
pub(crate) fn available<'a>(presets: &'a PresetTable, state: &FileState) -> Vec<&'a Preset> {
    let is_shown = |preset: &&Preset| preset.listed || state.representation(&preset.name).is_some();
    presets.iter().filter(|preset| is_available(preset, state)).filter(is_shown).collect()
}

/// The presets that were made up as somebody asked for them, smallest first.
pub(crate) fn fitted(state: &FileState) -> Vec<Preset> {
    let mut presets: Vec<_> =
        state.representations.iter().filter_map(|row| fit_preset::by_name(row.preset.as_str())).collect();
    presets.sort_by_key(|preset| (preset.width, preset.height));
    presets
}

/// Whether this version has, or can have, this representation. The content decides once it was looked at; what was
/// asked for before and ended as an error then is still told.
pub(crate) fn is_available(preset: &Preset, state: &FileState) -> bool {
    preset.exists_for(state.version.known_or_declared_format()) || state.representation(&preset.name).is_some()
}
