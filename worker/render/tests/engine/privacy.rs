//! Not a byte of the source's metadata is in any output.

use image::ImageFormat;
use shared::domain::format::OutputFormat;
use shared::domain::preset::Preset;

use crate::common::sources::{exif, file, jpeg_with, png_with, quarters};
use crate::common::{preset, render};

const TRACES: [&[u8]; 9] =
    [b"Exif", b"EXIF", b"eXIf", b"GPS", b"http://ns.adobe.com", b"ICC_PROFILE", b"iCCP", b"tEXt", b"secret"];

#[test]
fn outputs_hold_the_picture_and_nothing_else() {
    let picture = quarters(400, 300);
    let app1 = [b"Exif\0\0".as_slice(), &exif(1)].concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>secret</x:xmpmeta>".to_vec();
    let icc = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let icc = [b"ICC_PROFILE\0\x01\x01".as_slice(), &icc].concat();
    let segments = [(0xe1, app1), (0xe1, xmp), (0xe2, icc), (0xfe, b"secret comment".to_vec())];
    let chunks = [(b"eXIf", exif(1)), (b"tEXt", b"Author\0secret".to_vec())];
    let sources = [
        jpeg_with(&file(picture.clone(), ImageFormat::Jpeg), &segments),
        png_with(&file(picture, ImageFormat::Png), &chunks),
    ];
    let progressive = Preset { progressive: true, ..preset("jpg_320x320") };
    let webp = Preset { format: OutputFormat::Webp, ..preset("jpg_320x320") };
    let presets =
        [preset("jpg_1024x1024"), preset("jpg_thumb_32x32"), preset("png_paged_1024x1024"), progressive, webp];
    for source in sources {
        assert!(finds(&source, b"GPS") && finds(&source, b"secret"), "the source must have something to hide");
        for rendered in render(&source, &presets).unwrap().renderings {
            for page in rendered.result.unwrap() {
                for trace in TRACES {
                    let trace_text = String::from_utf8_lossy(trace);
                    assert!(!finds(&page.bytes, trace), "{trace_text} in {}", rendered.preset);
                }
            }
        }
    }
}

fn finds(bytes: &[u8], trace: &[u8]) -> bool {
    bytes.windows(trace.len()).any(|window| window == trace)
}
