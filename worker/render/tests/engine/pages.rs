//! Pages: every one of a TIFF for paged presets, the first for the others.

use image::ImageFormat;
use render::{Request, Silent};
use shared::domain::failure::FailureCode;
use shared::domain::limits::{Limits, LimitsTable};

use crate::common::sources::{file, quarters, tiff};
use crate::common::{limits, preset, render};

fn three_pages() -> Vec<u8> {
    tiff(&[(quarters(300, 200), 1), (quarters(100, 400), 6), (quarters(20, 10), 1)])
}

#[test]
fn paged_presets_show_every_page_and_the_others_the_first() {
    let report = render(&three_pages(), &[preset("png_paged_1024x1024"), preset("jpg_160x160")]).unwrap();
    assert_eq!(report.picture.pages, 3);
    assert_eq!(report.picture.dimensions.width, 300);
    let sizes = |index: usize| -> Vec<(u32, u32)> {
        let pages = report.renderings[index].result.as_ref().unwrap();
        pages.iter().map(|page| (page.dimensions.width, page.dimensions.height)).collect()
    };
    assert_eq!(sizes(0), [(300, 200), (400, 100), (20, 10)]);
    assert_eq!(sizes(1), [(160, 107)]);
}

#[test]
fn pages_beyond_the_limit_are_counted_and_not_rendered() {
    let limits = LimitsTable::same(Limits { pages_max: 2, ..limits() });
    let presets = [preset("png_paged_1024x1024")];
    let report = render::render(&three_pages(), &Request::new(&presets, &limits), &mut Silent).unwrap();
    assert_eq!(report.picture.pages, 3);
    assert_eq!(report.renderings[0].result.as_ref().unwrap().len(), 2);
}

#[test]
fn pixels_of_all_pages_together_are_bounded() {
    let limits = LimitsTable::same(Limits { total_pixels_max: 300 * 200 + 399 * 100, ..limits() });
    let presets = [preset("png_paged_1024x1024"), preset("jpg_160x160")];
    let report = render::render(&three_pages(), &Request::new(&presets, &limits), &mut Silent).unwrap();
    let failure = report.renderings[0].result.as_ref().unwrap_err();
    assert_eq!(failure.code, FailureCode::TooManyPixels);
    assert_eq!(failure.reason, "the first 2 pages have 100000 pixels together, the limit is 99900");
    assert!(report.renderings[1].result.is_ok());
}

#[test]
fn everything_else_has_one_page() {
    let source = file(quarters(30, 20), ImageFormat::Gif);
    let report = render(&source, &[preset("png_paged_2048x2048")]).unwrap();
    assert_eq!(report.picture.pages, 1);
    assert_eq!(report.renderings[0].result.as_ref().unwrap().len(), 1);
}

#[test]
fn a_preset_that_does_not_exist_for_the_format_says_so_and_the_others_go_on() {
    let presets = [preset("jpg_paged_2048x2048"), preset("jpg_160x160")];
    let report = render(&file(quarters(30, 20), ImageFormat::Png), &presets).unwrap();
    assert_eq!(report.renderings[0].result.as_ref().unwrap_err().code, FailureCode::NotForThisFormat);
    assert!(report.renderings[1].result.is_ok());
    let report = render(&file(quarters(30, 20), ImageFormat::Jpeg), &presets).unwrap();
    assert!(report.renderings[0].result.is_ok());
}
