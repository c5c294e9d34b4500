//! What a file version should have and has not: source facts and the preset table, minus the rows.

use super::file::{FileState, Wanted};
use super::format::SourceFormat;
use super::preset::{Preset, PresetTable, Trigger};

/// The presets to make for a new file version: the eager ones that exist, or could exist, for its format.
pub fn eager(table: &PresetTable, format: Option<SourceFormat>) -> Vec<Wanted> {
    table.existing_for(format).filter(|preset| preset.trigger == Trigger::Eager).map(wanted).collect()
}

/// The eager presets that this file version has no row for; not empty when the format turned out to be another than
/// the declared one, or when presets were added.
pub fn missing(table: &PresetTable, state: &FileState) -> Vec<Wanted> {
    let format = state.version.picture.map(|picture| picture.format);
    let absent = |wanted: &Wanted| state.representation(&wanted.preset).is_none();
    eager(table, format).into_iter().filter(absent).collect()
}

/// A preset with the recipe in force now.
pub fn wanted(preset: &Preset) -> Wanted {
    Wanted { preset: preset.name.clone(), recipe: preset.recipe_hash() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn eager_presets_of_other_formats_are_left_out() {
        let jpeg_only = Preset {
            name: "jpeg_only".parse().unwrap(),
            sources: BTreeSet::from([SourceFormat::Jpeg]),
            ..PresetTable::built_in().get("jpg_320x320").unwrap().clone()
        };
        let table = PresetTable::new(vec![jpeg_only]).unwrap();
        let names = |format| eager(&table, format).into_iter().map(|w| w.preset.to_string()).collect::<Vec<_>>();
        let built_in = ["jpg_thumb_32x32", "jpg_thumb_94x94", "jpg_160x160", "jpg_320x320", "jpg_1024x1024"];
        assert_eq!(names(Some(SourceFormat::Png)), built_in);
        assert!(names(Some(SourceFormat::Jpeg)).contains(&"jpeg_only".to_owned()));
        assert!(names(None).contains(&"jpeg_only".to_owned()));
    }
}
