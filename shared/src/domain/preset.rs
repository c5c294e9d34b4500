//! Presets: named recipes, kept as data; the built-in ones are those that Box names.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::dimensions::Bounds;
use super::fit_preset;
use super::format::{OutputFormat, SourceFormat};
use super::ids::{InvalidId, Sha256Digest};

/// Bumped when the engine writes different bytes for the same preset and source, so that recipe hashes change.
pub const ENGINE_VERSION: u32 = 1;

/// A preset's name: 1 to 64 of `a-z 0-9 _`; the last path segment of a representation's URLs and a metric label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PresetName(String);

impl PresetName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefix and the bounds: `fit_640x512`.
    pub(super) fn of_bounds(prefix: &str, bounds: Bounds) -> Self {
        Self(format!("{prefix}{bounds}"))
    }
}

impl FromStr for PresetName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId { value: text.chars().take(80).collect(), expected: "a preset name: 1 to 64 of a-z 0-9 _" })
        }
    }
}

impl TryFrom<String> for PresetName {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<PresetName> for String {
    fn from(name: PresetName) -> String {
        name.0
    }
}

impl fmt::Display for PresetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the picture meets its bounds. Neither ever upscales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// All of it, inside the bounds.
    Contain,
    /// As much as fills the bounds' shape, cropped at the centre (very tall pages from the top). Box's `thumb`.
    Cover,
}

/// When a representation is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// As soon as the file version is registered.
    Eager,
    /// When somebody asks for it first.
    Lazy,
}

/// How colour is sampled in JPEG output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Subsampling {
    /// A quarter of the colour samples: smaller.
    #[serde(rename = "4:2:0")]
    Quarter,
    /// All colour samples: sharper red edges.
    #[serde(rename = "4:4:4")]
    Full,
}

/// A colour without transparency, `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Matte(pub [u8; 3]);

impl TryFrom<String> for Matte {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let [_, r, g, b] = value.ok_or_else(|| format!("{text:?} is not a colour like #ffffff"))?.to_be_bytes();
        Ok(Self([r, g, b]))
    }
}

impl From<Matte> for String {
    fn from(Matte([r, g, b]): Matte) -> String {
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}

/// A named recipe: everything that decides the bytes of a representation, given a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Unique in the table.
    pub name: PresetName,
    /// What is written.
    pub format: OutputFormat,
    /// Most columns, in pixels.
    pub width: u32,
    /// Most rows, in pixels.
    pub height: u32,
    /// How the picture meets the bounds.
    #[serde(default = "defaults::fit")]
    pub fit: Fit,
    /// When it is made.
    #[serde(default = "defaults::trigger")]
    pub trigger: Trigger,
    /// One asset per page (`1.jpg`, `2.jpg`, …) rather than one with an empty asset path.
    #[serde(default)]
    pub paged: bool,
    /// 1 to 100; ignored for PNG.
    #[serde(default = "defaults::quality")]
    pub quality: u8,
    /// JPEG only.
    #[serde(default = "defaults::subsampling")]
    pub subsampling: Subsampling,
    /// JPEG only: progressive rather than baseline.
    #[serde(default)]
    pub progressive: bool,
    /// What stands behind transparency when the format has none.
    #[serde(default = "defaults::matte")]
    pub matte: Matte,
    /// For which source formats it exists; empty: for all.
    #[serde(default)]
    pub sources: BTreeSet<SourceFormat>,
    /// Whether lists of what a file has show it before anybody has asked for it.
    #[serde(default = "defaults::listed")]
    pub listed: bool,
}

mod defaults {
    //! What a preset of the configuration may leave out.
    use super::{Fit, Matte, Subsampling, Trigger};

    pub(super) fn fit() -> Fit {
        Fit::Contain
    }
    pub(super) fn trigger() -> Trigger {
        Trigger::Lazy
    }
    pub(super) fn quality() -> u8 {
        80
    }
    pub(super) fn subsampling() -> Subsampling {
        Subsampling::Quarter
    }
    pub(super) fn listed() -> bool {
        true
    }
    pub(super) fn matte() -> Matte {
        Matte([255, 255, 255])
    }
}

impl Preset {
    /// The box that the representation must fit.
    pub fn bounds(&self) -> Bounds {
        Bounds { width: self.width, height: self.height }
    }

    /// Whether it exists for a source of this format; for a format not known yet, whether it could.
    pub fn exists_for(&self, source: Option<SourceFormat>) -> bool {
        self.sources.is_empty() || source.is_none_or(|format| self.sources.contains(&format))
    }

    /// Digest of everything that can change the output bytes: when it differs, what is stored is stale.
    pub fn recipe_hash(&self) -> RecipeHash {
        // When it is made and for which sources does not change the bytes.
        let recipe = format!(
            "{}|{}|{}|{:?}|{}|{}|{:?}|{}|{}",
            self.format.name(),
            self.bounds(),
            ENGINE_VERSION,
            self.fit,
            self.paged,
            self.quality,
            self.subsampling,
            self.progressive,
            String::from(self.matte),
        );
        RecipeHash(Sha256Digest::of(recipe.as_bytes()).to_string()[..16].to_owned())
    }
}

/// Digest of everything that can change the output bytes of a preset; 16 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecipeHash(String);

impl RecipeHash {
    /// As read back from a row.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The 16 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A preset table that cannot work; every problem names the preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("preset {preset}: {problem}")]
pub struct InvalidPreset {
    /// Which one.
    pub preset: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// All presets, in the order in which listings show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresetTable(Vec<Preset>);

impl PresetTable {
    /// The built-in presets, overridden by name and followed by the user's own.
    pub fn new(own: Vec<Preset>) -> Result<Self, Vec<InvalidPreset>> {
        let mut presets = built_in();
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for preset in own {
            let mut refuse = |problem: &str| {
                problems.push(InvalidPreset { preset: preset.name.to_string(), problem: problem.to_owned() });
            };
            if !seen.insert(preset.name.clone()) {
                refuse("is defined twice; give each preset a name of its own");
            }
            if !(1..=16_384).contains(&preset.width) || !(1..=16_384).contains(&preset.height) {
                refuse("width and height are pixels from 1 to 16384");
            }
            if preset.name.as_str().starts_with(fit_preset::PREFIX) {
                refuse("names that begin with fit_ are of presets that are made up as they are asked for");
            }
            if !(1..=100).contains(&preset.quality) {
                refuse("quality is from 1 to 100");
            }
            match presets.iter_mut().find(|p| p.name == preset.name) {
                Some(present) => *present = preset,
                None => presets.push(preset),
            }
        }
        if problems.is_empty() { Ok(Self(presets)) } else { Err(problems) }
    }

    /// The built-in presets alone.
    pub fn built_in() -> Self {
        Self(built_in())
    }

    /// Every preset, in listing order.
    pub fn iter(&self) -> impl Iterator<Item = &Preset> {
        self.0.iter()
    }

    /// A preset without bounds yet, with the options of the built-in ones.
    pub(super) fn plain(name: PresetName, format: OutputFormat, fit: Fit, trigger: Trigger) -> Preset {
        Preset {
            name,
            format,
            width: 0,
            height: 0,
            fit,
            trigger,
            paged: false,
            quality: defaults::quality(),
            subsampling: defaults::subsampling(),
            progressive: false,
            matte: defaults::matte(),
            sources: BTreeSet::new(),
            listed: true,
        }
    }

    /// The preset of this name, in the table or made up as it was asked for.
    pub fn resolve(&self, name: &str) -> Option<Cow<'_, Preset>> {
        self.get(name).map(Cow::Borrowed).or_else(|| fit_preset::by_name(name).map(Cow::Owned))
    }

    /// The preset of this name in the table.
    pub fn get(&self, name: &str) -> Option<&Preset> {
        self.0.iter().find(|preset| preset.name.as_str() == name)
    }

    /// Those that exist for a source of this format; for a format not known yet, those that could.
    pub fn existing_for(&self, source: Option<SourceFormat>) -> impl Iterator<Item = &Preset> {
        self.0.iter().filter(move |preset| preset.exists_for(source))
    }
}

/// Box's image representations (contract sections 2.2 and 2.6), in the order in which Box lists them.
fn built_in() -> Vec<Preset> {
    use Fit::{Contain, Cover};
    use OutputFormat::{Jpg, Png};
    use Trigger::{Eager, Lazy};
    let preset = |name: &str, format, side, fit, trigger, paged| Preset {
        width: side,
        height: side,
        paged,
        ..PresetTable::plain(PresetName(name.to_owned()), format, fit, trigger)
    };
    let thumbnail = |name: &str, side| Preset { listed: false, ..preset(name, Png, side, Contain, Lazy, false) };
    vec![
        preset("jpg_thumb_32x32", Jpg, 32, Cover, Eager, false),
        preset("jpg_thumb_94x94", Jpg, 94, Cover, Eager, false),
        preset("jpg_160x160", Jpg, 160, Contain, Eager, false),
        preset("jpg_320x320", Jpg, 320, Contain, Eager, false),
        preset("jpg_1024x1024", Jpg, 1024, Contain, Eager, false),
        preset("png_paged_1024x1024", Png, 1024, Contain, Lazy, true),
        preset("png_paged_2048x2048", Png, 2048, Contain, Lazy, true),
        // "JPG 2048 only when the source is a JPEG": contract section 2.10.
        Preset {
            sources: BTreeSet::from([SourceFormat::Jpeg]),
            ..preset("jpg_paged_2048x2048", Jpg, 2048, Contain, Lazy, true)
        },
        // What Box's older thumbnail endpoint has besides the sizes above: contract section 3.
        thumbnail("thumbnail_png_32", 32),
        thumbnail("thumbnail_png_64", 64),
        thumbnail("thumbnail_png_128", 128),
        thumbnail("thumbnail_png_256", 256),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jpg_2048_exists_for_jpeg_sources_only() {
        let table = PresetTable::built_in();
        let names = |source| table.existing_for(source).map(|p| p.name.to_string()).collect::<Vec<_>>();
        assert!(names(Some(SourceFormat::Jpeg)).contains(&"jpg_paged_2048x2048".to_owned()));
        assert!(!names(Some(SourceFormat::Png)).contains(&"jpg_paged_2048x2048".to_owned()));
        assert_eq!(names(None).len(), 12);
    }

    #[test]
    fn a_recipe_hash_changes_with_the_bytes_and_only_then() {
        let preset = PresetTable::built_in().get("jpg_320x320").unwrap().clone();
        let same = Preset { trigger: Trigger::Lazy, name: "other".parse().unwrap(), ..preset.clone() };
        let sharper = Preset { quality: 81, ..preset.clone() };
        assert_eq!(preset.recipe_hash(), same.recipe_hash());
        assert_ne!(preset.recipe_hash(), sharper.recipe_hash());
    }

    #[test]
    fn own_presets_override_by_name_or_follow_and_all_problems_are_told() {
        let own = |name: &str, width, quality| Preset {
            name: name.parse().unwrap(),
            width,
            quality,
            ..PresetTable::built_in().get("jpg_320x320").unwrap().clone()
        };
        let table = PresetTable::new(vec![own("jpg_320x320", 300, 70), own("hero", 1600, 85)]).unwrap();
        assert_eq!(table.get("jpg_320x320").unwrap().width, 300);
        assert_eq!(table.iter().last().unwrap().name.as_str(), "hero");
        let problems = PresetTable::new(vec![own("a", 0, 0), own("a", 1, 1), own("fit_64x64", 1, 1)]).unwrap_err();
        assert_eq!(problems.len(), 4);
    }

    #[test]
    fn colours_are_six_hex_digits() {
        assert_eq!(Matte::try_from("#FF8000".to_owned()), Ok(Matte([255, 128, 0])));
        assert!(
            ["ff8000", "#ff80", "#gggggg", "#+f8000"].iter().all(|bad| Matte::try_from((*bad).to_owned()).is_err())
        );
    }
}
