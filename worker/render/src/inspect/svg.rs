//! SVG and SVGZ: told by the first element; the text comes out of its compression within bounds.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;
use shared::domain::dimensions::{Bounds, Dimensions};
use shared::domain::failure::{Failure, FailureCode};

use super::{PageHeader, corrupt, truncated};
use crate::decode::svg::tree;
use crate::orient::Orientation;

/// How much of a file is looked at for its first element.
const HEAD_BYTES: usize = 16 << 10;
/// Longest text, compressed or not, in bytes.
const TEXT_BYTES_MAX: u64 = 32 << 20;
/// Elements within elements; parsers and renderers go down by recursion.
const DEPTH_MAX: usize = 256;
/// A drawing that says it is larger is shown as if it were this large: its size costs it nothing.
const SIDE_PIXELS_MAX: u32 = 8192;

const GZIP: &[u8] = &[0x1f, 0x8b];

/// Whether the first element is `svg`, whatever comes before it.
pub(crate) fn is_svg(source: &[u8]) -> bool {
    if !source.starts_with(GZIP) {
        return first_element_is_svg(&text_of(&source[..source.len().min(HEAD_BYTES)]));
    }
    let mut head = Vec::new();
    // A damaged end does not matter here.
    let _ = GzDecoder::new(source).take(HEAD_BYTES as u64).read_to_end(&mut head);
    first_element_is_svg(&text_of(&head))
}

/// The size that the drawing says it has.
pub(crate) fn header(source: &[u8], nesting_max: u32) -> Result<PageHeader, Failure> {
    let size = tree(source, nesting_max)?.size();
    // A cast from a float saturates.
    let side = |length: f32| (length.round() as u32).max(1);
    let said = Dimensions { width: side(size.width()), height: side(size.height()) };
    let dimensions = said.fit_inside(Bounds { width: SIDE_PIXELS_MAX, height: SIDE_PIXELS_MAX });
    Ok(PageHeader { dimensions, orientation: Orientation::NORMAL })
}

/// The whole text, of so many elements within one another at most.
pub(crate) fn text(source: &[u8], nesting_max: u32) -> Result<String, Failure> {
    let too_long = || {
        let reason = format!("the SVG's text is longer than {TEXT_BYTES_MAX} bytes");
        Err(Failure::new(FailureCode::TooManyBytes, reason))
    };
    let text = if source.starts_with(GZIP) {
        let mut bytes = Vec::new();
        let read = GzDecoder::new(source).take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|e| truncated(format!("SVGZ: {e}")))?;
        if bytes.len() as u64 > TEXT_BYTES_MAX {
            return too_long();
        }
        text_of(&bytes).into_owned()
    } else if source.len() as u64 > TEXT_BYTES_MAX {
        return too_long();
    } else {
        text_of(source).into_owned()
    };
    let nesting_max = DEPTH_MAX.min(nesting_max as usize);
    if depth(&text) > nesting_max {
        return Err(corrupt(format!("the SVG has more than {nesting_max} elements within one another")));
    }
    Ok(text)
}

/// UTF-16 by its byte order mark, else UTF-8; what is neither becomes replacement characters, which are no XML names.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |read: fn([u8; 2]) -> u16| -> Cow<'_, str> {
        let units = bytes[2..].as_chunks::<2>().0.iter().map(|pair| read(*pair));
        Cow::Owned(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn first_element_is_svg(head: &str) -> bool {
    let mut rest = head;
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<?") {
            "?>"
        } else if let Some(declared) = rest.strip_prefix("<!DOCTYPE") {
            if declared.find('[').is_some_and(|own| declared.find('>').is_none_or(|end| own < end)) {
                "]>"
            } else {
                ">"
            }
        } else {
            break;
        };
        let Some(at) = rest.find(end) else { return false };
        rest = &rest[at + end.len()..];
    }
    let Some(name) = rest.strip_prefix('<') else { return false };
    let name = name.split(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
    name == "svg" || name.ends_with(":svg")
}

/// The most elements within one another. Where quotes or comments mislead it, the parser says so later.
fn depth(text: &str) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end..]);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        match rest.as_bytes()[0] {
            b'!' | b'?' => {}
            b'/' => depth = depth.saturating_sub(1),
            _ if rest[..end].ends_with('/') => {}
            _ => depth += 1,
        }
        most = most.max(depth);
        rest = &rest[end..];
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_decides() {
        for yes in [
            "<svg/>",
            "\u{feff}<?xml version='1.0'?>\n<!-- <html> --><svg xmlns='x'>",
            "<!DOCTYPE svg PUBLIC \"-//W3C\" \"x\"><svg width='1'>",
            "<!DOCTYPE svg [ <!ENTITY a 'b'> ]> <s:svg>",
        ] {
            assert!(is_svg(yes.as_bytes()), "{yes}");
        }
        for no in ["", "<", "<html><svg/></html>", "<svgs/>", "svg", "<!-- <svg/>", "# <svg/>"] {
            assert!(!is_svg(no.as_bytes()), "{no}");
        }
        let wide: Vec<u8> = "\u{feff}<svg/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(is_svg(&wide));
    }

    #[test]
    fn depth_counts_what_is_open() {
        assert_eq!(depth("<a><b/><c><d></d></c><!-- <e><f><g> --></a>"), 3);
        assert_eq!(depth(&"<g>".repeat(1000)), 1000);
        assert!(text("<svg>".repeat(DEPTH_MAX + 1).as_bytes(), u32::MAX).is_err());
        assert!(text(b"<svg><g><g/></g></svg>", 1).is_err());
    }
}
