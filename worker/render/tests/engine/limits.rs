//! Limits come before cost: nothing beyond them is ever decoded.

use image::ImageFormat;
use render::{Request, Step, StepObserver};
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::limits::{Limits, LimitsTable};

use crate::common::sources::{file, png_chunk, quarters};
use crate::common::{eager, limits, render};

/// Remembers the steps.
#[derive(Default)]
struct Steps(Vec<Step>);

impl StepObserver for Steps {
    fn step(&mut self, step: Step) {
        self.0.push(step);
    }
}

/// Tiny files whose headers claim this many pixels.
fn claims(width: u32, height: u32) -> [(&'static str, Vec<u8>); 10] {
    let header = [&width.to_be_bytes(), height.to_be_bytes().as_slice(), &[16, 6, 0, 0, 0]].concat();
    let png = [b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", &header).as_slice(), &png_chunk(b"IDAT", &[0; 40])].concat();
    let (w, h) = ((width as u16).to_be_bytes(), (height as u16).to_be_bytes());
    let sof = [&[0xff, 0xc0, 0, 17, 8], h.as_slice(), &w, &[3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]].concat();
    let jpeg = [&[0xff, 0xd8], sof.as_slice(), &[0xff, 0xda, 0, 2, 0, 0]].concat();
    let gif = [b"GIF89a", (width as u16).to_le_bytes().as_slice(), &(height as u16).to_le_bytes(), &[0, 0, 0]].concat();
    let mut bmp = file(quarters(2, 2), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&width.to_le_bytes());
    bmp[22..26].copy_from_slice(&height.to_le_bytes());
    let side = |tag: u8, side: u32| [&[tag, 1, 4, 0, 1, 0, 0, 0], side.to_le_bytes().as_slice()].concat();
    let strip = [0x11, 1, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0];
    let tiff = [b"II*\0\x08\0\0\0\x03\0", side(0, width).as_slice(), &side(1, height), &strip, &[0; 4]].concat();
    let mut tga = file(quarters(2, 2), ImageFormat::Tga);
    tga[12..16].copy_from_slice(&[(width as u16).to_le_bytes(), (height as u16).to_le_bytes()].concat());
    let mut qoi = file(quarters(2, 2), ImageFormat::Qoi);
    qoi[4..12].copy_from_slice(&[width.to_be_bytes(), height.to_be_bytes()].concat());
    let pnm = format!("P5 {width} {height} 255\n....").into_bytes();
    let directory = [0, 0, 1, 0, 1, 0, 32, 32, 0, 0, 1, 0, 32, 0, 100, 0, 0, 0, 22, 0, 0, 0];
    let ico = [directory.as_slice(), &png].concat();
    let psd = [b"8BPS\0\x01\0\0\0\0\0\0\0\x03".as_slice(), &height.to_be_bytes(), &width.to_be_bytes(), &[0, 8, 0, 3]]
        .concat();
    [
        ("psd", psd),
        ("png", png),
        ("jpeg", jpeg),
        ("gif", gif),
        ("bmp", bmp),
        ("tiff", tiff),
        ("tga", tga),
        ("qoi", qoi),
        ("pnm", pnm),
        ("ico", ico),
    ]
}

fn refused(source: &[u8], limits: &Limits) -> (FailureCode, String, Vec<Step>) {
    let mut steps = Steps::default();
    let (presets, limits) = (eager(), LimitsTable::same(limits.clone()));
    let failure = render::render(source, &Request::new(&presets, &limits), &mut steps).unwrap_err();
    (failure.code, failure.reason, steps.0)
}

#[test]
fn sides_and_area_are_refused_from_the_header() {
    let limits = Limits { width_pixels_max: 30_000, height_pixels_max: 40_000, ..limits() };
    for (format, source) in claims(61_000, 10) {
        let (code, reason, steps) = refused(&source, &limits);
        assert_eq!(code, FailureCode::TooManyPixels, "{format}");
        assert_eq!(reason, "source is 61000 pixels wide, the limit is 30000", "{format}");
        assert_eq!(steps, [Step::Inspect], "{format} must not be decoded");
    }
    for (format, source) in claims(10, 61_000) {
        assert_eq!(refused(&source, &limits).1, "source is 61000 pixels high, the limit is 40000", "{format}");
    }
    for (format, source) in claims(20_000, 20_000) {
        let (code, reason, steps) = refused(&source, &limits);
        assert_eq!((code, steps), (FailureCode::TooManyPixels, vec![Step::Inspect]), "{format}");
        assert!(reason.contains("400000000 pixels"), "{format}: {reason}");
    }
}

#[test]
fn long_sources_and_large_outputs_are_refused() {
    let source = file(quarters(300, 200), ImageFormat::Png);
    let short = Limits { source_bytes_max: 10, ..limits() };
    assert_eq!(refused(&source, &short).0, FailureCode::TooManyBytes);
    let little = LimitsTable::same(Limits { output_bytes_max: 1500, ..limits() });
    let presets = eager();
    let request = Request::new(&presets, &little);
    let renderings = render::render(&source, &request, &mut Steps::default()).unwrap().renderings;
    let failed = |rendered: &render::Rendered| {
        rendered.result.as_ref().is_err_and(|failure| failure.code == FailureCode::TooManyBytes)
    };
    assert!(renderings.iter().any(failed), "{renderings:?}");
}

#[test]
fn no_bytes_and_unknown_content_have_codes_of_their_own() {
    assert_eq!(render(b"", &eager()).unwrap_err().code, FailureCode::ZeroBytes);
    assert_eq!(render(b"hello, world", &eager()).unwrap_err().code, FailureCode::UnsupportedFormat);
}

#[test]
fn steps_come_in_their_order() {
    let mut steps = Steps::default();
    let source = file(quarters(600, 400), ImageFormat::Png);
    let presets = [crate::common::preset("jpg_320x320")];
    let limits = LimitsTable::same(limits());
    render::render(&source, &Request::new(&presets, &limits), &mut steps).unwrap();
    assert_eq!(
        steps.0,
        [Step::Inspect, Step::Decode, Step::Reduce, Step::Colour, Step::Encode, Step::Placeholder, Step::Done]
    );
}

/// Lets nothing in, and remembers what was asked.
#[derive(Default)]
struct Full(Option<u64>);

impl StepObserver for Full {
    fn step(&mut self, step: Step) {
        assert_eq!(step, Step::Inspect, "nothing may be decoded");
    }

    fn admit(&mut self, picture: &render::Picture, predicted_bytes: u64) -> Result<(), Failure> {
        assert_eq!((picture.dimensions.width, picture.dimensions.height), (600, 400));
        self.0 = Some(predicted_bytes);
        Err(Failure::new(FailureCode::WorkerOverloaded, "full"))
    }
}

#[test]
fn nothing_is_decoded_before_its_memory_is_granted() {
    let mut full = Full::default();
    let source = file(quarters(600, 400), ImageFormat::Bmp);
    let (presets, limits) = (eager(), LimitsTable::same(limits()));
    let failure = render::render(&source, &Request::new(&presets, &limits), &mut full).unwrap_err();
    assert_eq!(failure.code, FailureCode::WorkerOverloaded);
    let predicted = full.0.unwrap();
    assert!((600 * 400 * 4..64 << 20).contains(&predicted), "{predicted}");
}
