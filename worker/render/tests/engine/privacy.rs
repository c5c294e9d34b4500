//! Not a byte of the source's metadata is in any output.

use image::ImageFormat;
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::preset::Preset;

use crate::common::sources::{exif, file, jpeg_with, png_with, quarters, webp_with_exif};
use crate::common::{preset, render};
use ::render::sample;

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
    let boxed = |kind: &[u8], content: &[u8]| [&(content.len() as u32 + 8).to_be_bytes(), kind, content].concat();
    let told = [exif(1), b"http://ns.adobe.com/xap/1.0/ secret".to_vec()].concat();
    let behind = |format| [sample(format).to_vec(), boxed(b"uuid", &[[7; 16].as_slice(), &told].concat())].concat();
    let jxl_head = b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a\0\0\0\x14ftypjxl \0\0\0\0jxl ".as_slice();
    let naked = sample(SourceFormat::Jxl);
    let naked = if naked.starts_with(&[0xff, 0x0a]) { boxed(b"jxlc", naked) } else { naked[32..].to_vec() };
    let svg = String::from_utf8_lossy(sample(SourceFormat::Svg))
        .replace("</svg>", "<metadata>GPS secret http://ns.adobe.com/xap/1.0/</metadata><desc>secret</desc></svg>");
    let sources = [
        behind(SourceFormat::Avif),
        behind(SourceFormat::Heic),
        [jxl_head, &boxed(b"xml ", &told), &naked].concat(),
        svg.into_bytes(),
        webp_with_exif(&file(picture.clone(), ImageFormat::WebP), 400, 300, &told),
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
