//! SVG by `resvg`, drawn at the size that is needed: nothing is fetched, no script runs, text is set in our own fonts.

mod budget;
mod expansion;
mod fonts;
mod images;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::roxmltree::{Document, ParsingOptions};
use resvg::usvg::{Error, ImageHrefResolver, Options, Tree};
use shared::domain::failure::{Failure, FailureCode};

use super::{DecodedRaster, Order};
use crate::fence::fenced;
use crate::geometry::Area;
use crate::inspect::{corrupt, svg};
use crate::raster::{Layout, Raster, Samples};

/// The parsed drawing, within bounds on its text and its elements.
pub(crate) fn tree(source: &[u8], nesting_max: u32) -> Result<Tree, Failure> {
    let text = svg::text(source, nesting_max)?;
    let options = Options {
        // As libvips, sharp and their users have it: a point is a pixel.
        dpi: 72.0,
        font_family: "sans-serif".to_owned(),
        font_resolver: fonts::resolver(),
        fontdb: fonts::database(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: images::embedded(),
            // Files and addresses: never.
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    fenced(FailureCode::CorruptSource, "SVG", || {
        // As `Tree::from_str` reads it.
        let parsing = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document =
            Document::parse_with_options(&text, parsing).map_err(|error| corrupt(format!("SVG: {error}")))?;
        expansion::check(&document)?;
        Tree::from_xmltree(&document, &options).map_err(|error| match error {
            Error::ElementsLimitReached => {
                Failure::new(FailureCode::TooManyPixels, "the SVG has more elements than can be drawn")
            }
            other => corrupt(format!("SVG: {other}")),
        })
    })
}

/// Draws exactly as many pixels as are ordered.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    let tree = tree(order.source, order.limits.nesting_max)?;
    let dimensions = order.least;
    let across = dimensions.width as f32 / tree.size().width();
    let down = dimensions.height as f32 / tree.size().height();
    budget::check(&tree, across.max(down), dimensions)?;
    let mut pixmap = Pixmap::new(dimensions.width, dimensions.height)
        .ok_or_else(|| corrupt(format!("an SVG cannot be drawn at {dimensions}")))?;
    resvg::render(&tree, Transform::from_scale(across, down), &mut pixmap.as_mut());
    let colour = pixmap.pixels().iter().map(|pixel| pixel.demultiply());
    let samples = colour.flat_map(|colour| [colour.red(), colour.green(), colour.blue(), colour.alpha()]).collect();
    let raster = Raster { dimensions, layout: Layout::Rgba, samples: Samples::Eight(samples) };
    Ok(DecodedRaster { raster, covered: Area::whole(dimensions), profile: None })
}
