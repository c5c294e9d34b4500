//! SVG: drawn at the wanted size, with text, and never more than is reasonable.

use std::io::Write as _;

use shared::domain::failure::FailureCode;
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::preset::Preset;

use crate::common::{near, picture, preset, render};

fn exact(name: &str) -> Preset {
    Preset { format: OutputFormat::Png, ..preset(name) }
}

fn svg(size: &str, content: &str) -> Vec<u8> {
    let open = format!("<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' {size}>");
    format!("{open}{content}</svg>").into_bytes()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn lines_are_sharp_at_every_size() {
    let source = svg("width='800' height='400'", "<path fill='red' d='M0 0h400v400H0z'/>");
    for (name, width) in [("jpg_1024x1024", 800), ("jpg_320x320", 320), ("jpg_160x160", 160)] {
        let shown = picture(&source, exact(name));
        assert_eq!(shown.dimensions(), (width, width / 2), "{name}");
        let (left, right) = (shown.get_pixel(width / 2 - 2, 9).0, shown.get_pixel(width / 2 + 1, 9).0);
        assert!(near(&left, &[255, 0, 0, 255], 9) && right[3] < 9, "{name}: {left:?} {right:?}");
    }
}

#[test]
fn text_is_set_in_fonts_of_our_own() {
    for family in ["Arial", "Times New Roman", "monospace"] {
        let text = format!("<text x='5' y='45' font-size='40' font-family='{family}'>Ωmega</text>");
        let shown = picture(&svg("width='200' height='60'", &text), exact("jpg_320x320"));
        assert!(shown.pixels().filter(|pixel| pixel.0[3] > 200).count() > 500, "{family}");
    }
}

#[test]
fn compressed_ones_are_read_within_bounds() {
    let source = gzipped(&svg("viewBox='0 0 30 20'", "<rect width='30' height='20'/>"));
    let report = render(&source, &[exact("jpg_320x320")]).unwrap();
    assert_eq!(report.picture.format, SourceFormat::Svg);
    let blanks = vec![b' '; 40 << 20];
    let bomb = gzipped(&[svg("width='9' height='9'", ""), blanks].concat());
    assert_eq!(render(&bomb, &[exact("jpg_320x320")]).unwrap_err().code, FailureCode::TooManyBytes);
}

#[test]
fn what_takes_too_long_is_refused_before_it_begins() {
    let noise = "<filter id='f'><feTurbulence baseFrequency='1' numOctaves='1000000'/></filter>\
                 <rect width='900' height='900' filter='url(#f)'/>";
    let failure = render(&svg("width='900' height='900'", noise), &[exact("jpg_1024x1024")]).unwrap_err();
    assert_eq!(failure.code, FailureCode::TooManyPixels, "{failure}");
    let deep = format!("{}{}", "<g>".repeat(5000), "</g>".repeat(5000));
    let failure = render(&svg("width='9' height='9'", &deep), &[exact("jpg_1024x1024")]).unwrap_err();
    assert_eq!(failure.code, FailureCode::CorruptSource, "{failure}");
}

#[test]
fn nothing_is_fetched_and_the_rest_is_drawn() {
    let outside = "<image xlink:href='file:///etc/passwd' width='9' height='9'/>\
                   <image xlink:href='http://127.0.0.1:9/x.png' width='9' height='9'/>\
                   <rect width='40' height='40' fill='lime'/>";
    let shown = picture(&svg("width='40' height='40'", outside), exact("jpg_320x320"));
    assert!(near(&shown.get_pixel(20, 20).0, &[0, 255, 0, 255], 2));
}

#[test]
fn any_size_that_it_says_costs_nothing() {
    let source = svg("width='1000000000' height='500000000'", "");
    let shown = picture(&source, exact("jpg_320x320"));
    assert_eq!(shown.dimensions(), (320, 160));
}
