//! The fonts that text in SVG is set in: four small ones of our own, so that a picture looks the same on every machine.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::{Database, Family, Query, Source, Weight};
use resvg::usvg::{FontFamily, FontResolver};

/// `fonts/README.md` says where they come from; `fonts/LICENSE` is theirs.
const FONTS: [&[u8]; 4] = [
    include_bytes!("../../../fonts/DejaVuSans.ttf"),
    include_bytes!("../../../fonts/DejaVuSans-Bold.ttf"),
    include_bytes!("../../../fonts/DejaVuSerif.ttf"),
    include_bytes!("../../../fonts/DejaVuSansMono.ttf"),
];

/// Parts of names by which families are known that we do not have.
const SERIFS: &[&str] = &["times", "georgia", "garamond", "palatino", "cambria", "roman", "serif"];
const MONOSPACED: &[&str] = &["mono", "courier", "consol", "menlo", "code", "typewriter"];

static DATABASE: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut database = Database::new();
    for font in FONTS {
        database.load_font_source(Source::Binary(Arc::new(font)));
    }
    database.set_serif_family("DejaVu Serif");
    for set in [Database::set_sans_serif_family, Database::set_cursive_family, Database::set_fantasy_family] {
        set(&mut database, "DejaVu Sans".to_owned());
    }
    database.set_monospace_family("DejaVu Sans Mono");
    Arc::new(database)
});

/// All fonts.
pub(super) fn database() -> Arc<Database> {
    Arc::clone(&DATABASE)
}

/// The family that is nearest to the first one asked for; slanted styles are not among ours.
pub(super) fn resolver() -> FontResolver<'static> {
    FontResolver {
        select_font: Box::new(|font, database| {
            let families = [font.families().first().map_or(Family::SansSerif, nearest)];
            database.query(&Query { families: &families, weight: Weight(font.weight()), ..Query::default() })
        }),
        select_fallback: FontResolver::default_fallback_selector(),
    }
}

fn nearest(family: &FontFamily) -> Family<'static> {
    let name = match family {
        FontFamily::Serif => return Family::Serif,
        FontFamily::Monospace => return Family::Monospace,
        FontFamily::SansSerif | FontFamily::Cursive | FontFamily::Fantasy => return Family::SansSerif,
        FontFamily::Named(name) => name.to_ascii_lowercase(),
    };
    let is = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if is(MONOSPACED) {
        Family::Monospace
    } else if is(SERIFS) && !name.contains("sans") {
        Family::Serif
    } else {
        Family::SansSerif
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_font_is_read_and_names_find_the_nearest() {
        assert_eq!(database().len(), FONTS.len());
        let family = |name: &str| nearest(&FontFamily::Named(name.to_owned()));
        assert_eq!(family("Times New Roman"), Family::Serif);
        assert_eq!(family("PT Sans Serif"), Family::SansSerif);
        assert_eq!(family("Courier New"), Family::Monospace);
        assert_eq!(family("Arial"), Family::SansSerif);
    }
}
