//! What a file version should have and has not: source facts and the preset table, minus the rows.

use super::file::{FileState, Wanted};
use super::fit_preset;
use super::format::{OutputFormat, SourceFormat};
use super::preset::{Fit, Preset, PresetTable, Trigger};
use super::representation::{PageContent, Representation, State};

/// A picture is a good source for another that is at most its size divided by this: below, blur and artefacts of the
/// first would show in the second.
const HEADROOM: u32 = 2;

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

/// What to render so that these look as they always do, these first. A source is decoded once, as large as its largest
/// size needs, and small sizes are made from larger ones: which sizes are made together shows in each of them. So the
/// eager ones are made with all of their siblings, also when some of them are there already.
pub fn with_siblings(table: &PresetTable, format: Option<SourceFormat>, presets: &[Preset]) -> Vec<Preset> {
    let is_one_of = |presets: &[Preset], name: &Preset| presets.iter().any(|preset| preset.name == name.name);
    let eager: Vec<Preset> =
        table.existing_for(format).filter(|preset| preset.trigger == Trigger::Eager).cloned().collect();
    let mut all = presets.to_vec();
    if presets.iter().any(|preset| is_one_of(&eager, preset)) {
        all.extend(eager.into_iter().filter(|preset| !is_one_of(presets, preset)));
    }
    all
}

/// The smallest representation from which all of these can be scaled, so that the source need not be read: when all
/// of them are small boxes, and the version has one of the whole picture, by the recipe in force now, that is large enough.
pub fn larger<'a>(table: &PresetTable, state: &'a FileState, presets: &[Preset]) -> Option<&'a PageContent> {
    let all_small =
        presets.iter().all(|preset| fit_preset::is_name(&preset.name) && fit_preset::is_small(preset.bounds()));
    let width = presets.iter().map(|preset| preset.width).max().filter(|_| all_small)?.saturating_mul(HEADROOM);
    let height = presets.iter().map(|preset| preset.height).max()?.saturating_mul(HEADROOM);
    let fits = |page: &&PageContent| page.dimensions.width >= width && page.dimensions.height >= height;
    let whole = state.representations.iter().filter_map(|row| whole_picture(table, row));
    whole.filter(fits).min_by_key(|page| page.dimensions.area_pixels())
}

/// Page 1 of a representation that shows the whole picture as it would be made today, in a format that we read well.
fn whole_picture<'a>(table: &PresetTable, row: &'a Representation) -> Option<&'a PageContent> {
    let preset = table.get(row.preset.as_str())?;
    let is_readable = matches!(preset.format, OutputFormat::Jpg | OutputFormat::Png);
    match &row.state {
        State::Success(content) if is_readable && preset.fit == Fit::Contain && row.recipe == preset.recipe_hash() => {
            Some(content.first())
        }
        _ => None,
    }
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

    #[test]
    fn eager_presets_are_rendered_with_all_eager_ones_and_others_alone() {
        let table = PresetTable::built_in();
        let preset = |name: &str| table.get(name).unwrap().clone();
        let names = |presets: &[Preset]| {
            let all = with_siblings(&table, Some(SourceFormat::Png), presets);
            all.into_iter().map(|preset| preset.name.to_string()).collect::<Vec<_>>()
        };
        let (small, lazy) = (preset("jpg_160x160"), preset("png_paged_1024x1024"));
        let siblings = ["jpg_thumb_32x32", "jpg_thumb_94x94", "jpg_320x320", "jpg_1024x1024"];
        assert_eq!(names(std::slice::from_ref(&small))[..1], ["jpg_160x160"]);
        assert_eq!(names(std::slice::from_ref(&small))[1..], siblings);
        assert_eq!(names(std::slice::from_ref(&lazy)), ["png_paged_1024x1024"]);
        assert_eq!(names(&[lazy, small])[..2], ["png_paged_1024x1024", "jpg_160x160"]);
    }
}
