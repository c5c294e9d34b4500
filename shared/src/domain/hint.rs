//! What a client asks for in `X-Rep-Hints`: the grammar of contract section 2.7 and what it selects.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::preset::{Fit, Preset};

/// Longest header value, in bytes; the longest one that a known client sends has about 250.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Most groups in one header value.
pub const GROUPS_MAX: usize = 64;
/// Most alternatives in one group.
pub const ALTERNATIVES_MAX: usize = 32;
/// Most filters of one alternative.
pub const FILTERS_MAX: usize = 8;
/// Most values of one filter.
pub const VALUES_MAX: usize = 32;

/// The hint groups of a request, in the order in which they were written.
///
/// ```text
/// hints       = 1*( "[" alternative *( "," alternative ) "]" )
/// alternative = name [ "?" filter *( "&" filter ) ]
/// filter      = name "=" name *( "|" name )
/// name        = 1*( letter | digit | "_" | "-" | "." )
/// ```
///
/// Box writes names in lower case without `-` and `.`. The wider rule refuses broken structure only: a name that
/// nothing has, however it is spelt, selects nothing, and an unavailable hint is no error (contract, 0.9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints(Vec<Group>);

/// Alternatives: the first one that matches anything decides.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group(Vec<Alternative>);

/// A kind of representation with filters, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    kind: String,
    filters: Vec<Filter>,
}

/// A property with the values that are welcome.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Filter {
    property: String,
    values: Vec<String>,
}

/// An `X-Rep-Hints` value that is not of the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHints {
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("X-Rep-Hints has {0} bytes; at most {TEXT_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not one or more groups in brackets.
    #[error("X-Rep-Hints is not of the form [jpg?dimensions=320x320][pdf,text]: every group needs its two brackets")]
    Unbalanced,
    /// A kind, property or value that is empty or has other characters than names may have.
    #[error("X-Rep-Hints: {0:?} is not a name of letters, digits, _ - and .")]
    InvalidName(String),
    /// A filter without `=`.
    #[error("X-Rep-Hints: the filter {0:?} is not of the form property=value")]
    InvalidFilter(String),
    /// More parts of one kind than are looked at.
    #[error("X-Rep-Hints: more than {max} {parts}")]
    TooMany {
        /// Which parts.
        parts: &'static str,
        /// How many are allowed.
        max: usize,
    },
}

impl Hints {
    /// Reads a header value.
    pub fn parse(text: &str) -> Result<Self, InvalidHints> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(InvalidHints::TooLong(text.len()));
        }
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(InvalidHints::Unbalanced)?;
        parts(inner, "][", "groups", GROUPS_MAX, Group::parse).map(Self)
    }

    /// Which of the `available` presets a client gets to see, in the order of the hints, each at most once.
    ///
    /// An alternative selects *every* available preset of its kind that its filters let through, in the order of
    /// `available`. So a bare `[jpg]` answers with all sizes: Box promises "at least one", and clients that take
    /// entry 0 (Java, legacy Python, Swift) get the smallest, which is made on upload, while Node 3 takes the last,
    /// the largest. Picking one for them would hide the others from everybody else.
    pub fn select<'a>(&self, available: &[&'a Preset]) -> Vec<&'a Preset> {
        let mut selected: Vec<&'a Preset> = Vec::new();
        for preset in self.0.iter().flat_map(|group| group.select(available)) {
            if selected.iter().all(|present| present.name != preset.name) {
                selected.push(preset);
            }
        }
        selected
    }
}

/// What a client may filter by: Box's `properties` of an entry, all values as text (contract section 2.3).
pub fn properties(preset: &Preset) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("dimensions", preset.bounds().to_string()),
        ("paged", preset.paged.to_string()),
        ("thumb", (preset.fit == Fit::Cover).to_string()),
    ])
}

impl Group {
    fn parse(text: &str) -> Result<Self, InvalidHints> {
        parts(text, ",", "alternatives in one group", ALTERNATIVES_MAX, Alternative::parse).map(Self)
    }

    fn select<'a>(&self, available: &[&'a Preset]) -> Vec<&'a Preset> {
        let matching = |alternative: &Alternative| -> Vec<&'a Preset> {
            available.iter().copied().filter(|preset| alternative.matches(preset)).collect()
        };
        self.0.iter().map(matching).find(|presets| !presets.is_empty()).unwrap_or_default()
    }
}

impl Alternative {
    fn parse(text: &str) -> Result<Self, InvalidHints> {
        let (kind, filters) = match text.split_once('?') {
            None => (text, Vec::new()),
            Some((kind, filters)) => (kind, parts(filters, "&", "filters of one kind", FILTERS_MAX, Filter::parse)?),
        };
        Ok(Self { kind: name(kind)?, filters })
    }

    fn matches(&self, preset: &Preset) -> bool {
        let properties = properties(preset);
        let holds =
            |filter: &Filter| properties.get(filter.property.as_str()).is_some_and(|v| filter.values.contains(v));
        preset.format.name() == self.kind && self.filters.iter().all(holds)
    }
}

impl Filter {
    fn parse(text: &str) -> Result<Self, InvalidHints> {
        let (property, values) = text.split_once('=').ok_or_else(|| InvalidHints::InvalidFilter(text.to_owned()))?;
        let values = parts(values, "|", "values of one filter", VALUES_MAX, name)?;
        Ok(Self { property: name(property)?, values })
    }
}

/// Splits at a delimiter and reads every part. Names cannot contain delimiters, so splitting from the outside in is
/// exact: a stray bracket or delimiter ends up inside a name and is refused there.
fn parts<T>(
    text: &str,
    delimiter: &str,
    what: &'static str,
    max: usize,
    read: impl Fn(&str) -> Result<T, InvalidHints>,
) -> Result<Vec<T>, InvalidHints> {
    let read_parts = text.split(delimiter).take(max + 1).map(read).collect::<Result<Vec<T>, _>>()?;
    if read_parts.len() > max { Err(InvalidHints::TooMany { parts: what, max }) } else { Ok(read_parts) }
}

fn name(text: &str) -> Result<String, InvalidHints> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(InvalidHints::InvalidName(text.chars().take(80).collect()))
    }
}

impl FromStr for Hints {
    type Err = InvalidHints;

    fn from_str(text: &str) -> Result<Self, InvalidHints> {
        Self::parse(text)
    }
}

impl fmt::Display for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|group| write!(f, "[{}]", joined(&group.0, ",")))
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if self.filters.is_empty() { Ok(()) } else { write!(f, "?{}", joined(&self.filters, "&")) }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.property, self.values.join("|"))
    }
}

fn joined<T: fmt::Display>(items: &[T], delimiter: &str) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(delimiter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::format::SourceFormat;
    use crate::domain::preset::PresetTable;

    /// The names that a hint selects from the built-in presets for a source of this format.
    fn selected(hints: &str, source: SourceFormat) -> Vec<String> {
        let table = PresetTable::built_in();
        let available: Vec<&Preset> = table.existing_for(Some(source)).filter(|preset| preset.listed).collect();
        Hints::parse(hints).unwrap().select(&available).into_iter().map(|preset| preset.name.to_string()).collect()
    }

    const JPG_ON_PNG: [&str; 5] = ["jpg_thumb_32x32", "jpg_thumb_94x94", "jpg_160x160", "jpg_320x320", "jpg_1024x1024"];

    /// Every value in the contract's table "Hints really sent", with what a JPEG and what a PNG source answer.
    #[test]
    fn hints_that_clients_really_send_select_what_they_mean() {
        const PREVIEW: &str = "[3d][pdf][text][mp3][json][jpg?dimensions=1024x1024&paged=false]";
        const LARGE: &str = "[jpg?dimensions=2048x2048,png?dimensions=2048x2048]";
        let preview = format!("{PREVIEW}{LARGE}[dash,mp4][filmstrip]");
        let with_text = format!("{preview}[extracted_text]");
        let with_mp4 = format!("{PREVIEW}{LARGE}[mp4][filmstrip]");
        let elements = format!("{PREVIEW}[webp?dimensions=1024x1024]{LARGE}[dash,mp4][filmstrip]");
        const BOTH_1024: [&str; 2] = ["jpg_1024x1024", "png_paged_1024x1024"];
        const JPG_2048: [&str; 2] = ["jpg_1024x1024", "jpg_paged_2048x2048"];
        const PNG_2048: [&str; 2] = ["jpg_1024x1024", "png_paged_2048x2048"];
        const UP_TO_1024: [&str; 2] = ["jpg_320x320", "jpg_1024x1024"];
        let table: &[(&str, &[&str], &[&str])] = &[
            ("[pdf]", &[], &[]),
            ("[extracted_text]", &[], &[]),
            ("[jpg?dimensions=320x320]", &["jpg_320x320"], &["jpg_320x320"]),
            ("[jpg?dimensions=1024x1024][png?dimensions=1024x1024]", &BOTH_1024, &BOTH_1024),
            (
                "[jpg?dimensions=2048x2048][png?dimensions=2048x2048]",
                &["jpg_paged_2048x2048", "png_paged_2048x2048"],
                &["png_paged_2048x2048"],
            ),
            ("[png?dimensions=1024x1024]", &["png_paged_1024x1024"], &["png_paged_1024x1024"]),
            (
                "[jpg?dimensions=320x320&paged=false][jpg?dimensions=1024x1024&paged=false][hls][pdf,mp4,mp3]",
                &UP_TO_1024,
                &UP_TO_1024,
            ),
            (&preview, &JPG_2048, &PNG_2048),
            (&with_text, &JPG_2048, &PNG_2048),
            (&with_mp4, &JPG_2048, &PNG_2048),
            (&elements, &JPG_2048, &PNG_2048),
            (
                "[jpg?dimensions=1024x1024&paged=false,png?dimensions=1024x1024][pdf][text]",
                &["jpg_1024x1024"],
                &["jpg_1024x1024"],
            ),
            ("[png]", &["png_paged_1024x1024", "png_paged_2048x2048"], &["png_paged_1024x1024", "png_paged_2048x2048"]),
        ];
        for (hints, from_jpeg, from_png) in table {
            assert_eq!(selected(hints, SourceFormat::Jpeg), *from_jpeg, "{hints}");
            assert_eq!(selected(hints, SourceFormat::Png), *from_png, "{hints}");
        }
        assert_eq!(selected("[jpg,png?dimensions=1024x1024][pdf]", SourceFormat::Png), JPG_ON_PNG);
    }

    #[test]
    fn a_bare_name_selects_all_of_its_kind_smallest_first() {
        assert_eq!(selected("[jpg]", SourceFormat::Png), JPG_ON_PNG);
        assert_eq!(selected("[jpg]", SourceFormat::Jpeg).last().unwrap(), "jpg_paged_2048x2048");
    }

    #[test]
    fn values_are_alternatives_and_filters_all_hold() {
        let png = SourceFormat::Png;
        assert_eq!(selected("[jpg?dimensions=94x94|32x32]", png), ["jpg_thumb_32x32", "jpg_thumb_94x94"]);
        assert_eq!(selected("[jpg?thumb=true&dimensions=94x94]", png), ["jpg_thumb_94x94"]);
        assert_eq!(selected("[jpg?thumb=true&dimensions=160x160]", png), [""; 0]);
        assert_eq!(selected("[jpg?crop=smart]", png), [""; 0]);
    }

    #[test]
    fn order_follows_the_hints_and_duplicates_come_once() {
        let hints = "[jpg?dimensions=320x320][jpg?dimensions=32x32][jpg?dimensions=320x320]";
        assert_eq!(selected(hints, SourceFormat::Gif), ["jpg_320x320", "jpg_thumb_32x32"]);
    }

    #[test]
    fn names_that_nothing_has_select_nothing() {
        for hints in ["[jpg?dimensions=64x64]", "[jpg?dimensions=92x92]", "[JPG]", "[toString]", "[jpg-xl?v=1.0]"] {
            assert_eq!(selected(hints, SourceFormat::Jpeg), [""; 0], "{hints}");
        }
    }

    #[test]
    fn broken_structure_is_refused() {
        let broken = "|[|]|[]|jpg|[jpg|jpg]|[[jpg]]|[jpg]]|[jpg][|[jpg],[png]|[jpg] [png]|[ jpg]|[jpg,]|[,jpg]|[jpg?]|\
            [jpg?dimensions]|[jpg?dimensions=]|[jpg?=1x1]|[jpg?a=b&]|[jpg?a=b=c]|[jpg?a=b?c=d]|[jüg]|[jpg\n]|[j\0pg]";
        for text in broken.split('|').chain(["[jpg?a=b|]", "[jpg?a=|b]", "[j|p]"]) {
            assert!(Hints::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn every_bound_holds_at_its_value_and_refuses_one_more() {
        let list = |item: &str, delimiter: &str, count: usize| vec![item; count].join(delimiter);
        let cases: [(&dyn Fn(usize) -> String, usize); 4] = [
            (&|n| format!("[{}]", list("a", "][", n)), GROUPS_MAX),
            (&|n| format!("[{}]", list("a", ",", n)), ALTERNATIVES_MAX),
            (&|n| format!("[a?{}]", list("b=c", "&", n)), FILTERS_MAX),
            (&|n| format!("[a?b={}]", list("c", "|", n)), VALUES_MAX),
        ];
        for (text_of, max) in cases {
            assert!(Hints::parse(&text_of(max)).is_ok());
            assert!(matches!(Hints::parse(&text_of(max + 1)), Err(InvalidHints::TooMany { max: m, .. }) if m == max));
        }
        assert!(Hints::parse(&format!("[{}]", "a".repeat(TEXT_BYTES_MAX - 2))).is_ok());
        let long = format!("[{}]", "a".repeat(TEXT_BYTES_MAX - 1));
        assert_eq!(Hints::parse(&long), Err(InvalidHints::TooLong(TEXT_BYTES_MAX + 1)));
    }

    #[test]
    fn properties_are_texts_as_box_writes_them() {
        let table = PresetTable::built_in();
        let of = |name: &str| properties(table.get(name).unwrap()).into_values().collect::<Vec<_>>();
        assert_eq!(of("jpg_thumb_32x32"), ["32x32", "false", "true"]);
        assert_eq!(of("png_paged_2048x2048"), ["2048x2048", "true", "false"]);
    }

    /// Kinds, properties and values that exist, mixed with some that do not.
    fn hints() -> impl Strategy<Value = String> {
        let value = prop_oneof!["(32x32|94x94|320x320|1024x1024|2048x2048|true|false)", "[a-z0-9_]{1,9}"];
        let property = prop_oneof!["(dimensions|paged|thumb)", "[a-z0-9_]{1,9}"];
        let filter = (property, prop::collection::vec(value, 1..4)).prop_map(|(p, v)| format!("{p}={}", v.join("|")));
        let kind = prop_oneof!["(jpg|png|webp|pdf)", "[a-z0-9_]{1,9}"];
        let alternative = (kind, prop::collection::vec(filter, 0..3)).prop_map(|(kind, filters)| match filters.len() {
            0 => kind,
            _ => format!("{kind}?{}", filters.join("&")),
        });
        let group = prop::collection::vec(alternative, 1..4).prop_map(|a| format!("[{}]", a.join(",")));
        prop::collection::vec(group, 1..6).prop_map(|groups| groups.concat())
    }

    proptest! {
        #[test]
        fn valid_hints_parse_and_are_shown_as_they_were_written(text in hints()) {
            prop_assert_eq!(Hints::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn what_is_selected_is_available_and_comes_once(text in hints(), present in prop::bits::u32::ANY) {
            let table = PresetTable::built_in();
            let available: Vec<&Preset> =
                table.iter().enumerate().filter(|(n, _)| present & (1 << n) != 0).map(|(_, preset)| preset).collect();
            let selected = Hints::parse(&text).unwrap().select(&available);
            for (n, preset) in selected.iter().enumerate() {
                prop_assert!(available.contains(preset));
                prop_assert!(!selected[..n].contains(preset));
            }
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "[\\[\\]?&=|,a-z0-9_ \u{e9}]{0,40}|\\PC{0,40}") {
            if let Ok(hints) = Hints::parse(&text) {
                prop_assert_eq!(hints.to_string(), text);
            }
        }
    }
}
