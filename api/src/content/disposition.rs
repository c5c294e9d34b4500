//! `Content-Disposition` (RFC 6266), with file names that cannot break out of it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest file name without its extension, in characters.
const STEM_LENGTH_MAX: usize = 200;
/// What RFC 8187 lets stand unencoded.
const EXTENDED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What the client is to do with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Show them.
    Inline,
    /// Save them.
    Attachment,
}

impl Kind {
    /// Box's word in `set_content_disposition_type`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "inline" => Some(Self::Inline),
            "attachment" => Some(Self::Attachment),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        }
    }
}

/// The source's name without its extension.
pub(crate) fn stem(source_name: &str) -> &str {
    match source_name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => source_name,
    }
}

/// The header's value for a file of this name, extension and all.
pub(crate) fn of_whole_name(kind: Kind, name: &str) -> String {
    named(kind, &harmless(name))
}

/// The header's value for a file of this name without extension.
pub(crate) fn value(kind: Kind, stem: &str, extension: &str) -> String {
    named(kind, &format!("{}.{extension}", harmless(stem)))
}

fn named(kind: Kind, name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ';
    let fallback: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if fallback == name {
        return format!("{}; filename=\"{fallback}\"", kind.name());
    }
    let extended = utf8_percent_encode(name, &EXTENDED);
    format!("{}; filename=\"{fallback}\"; filename*=UTF-8''{extended}", kind.name())
}

/// Without what could climb out of a directory, hide the extension or end a line.
fn harmless(stem: &str) -> String {
    let is_hiding =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let kept = stem.chars().filter(|c| !c.is_control() && !is_hiding(*c)).take(STEM_LENGTH_MAX);
    let safe: String = kept.map(|c| if matches!(c, '/' | '\\' | ':') { '_' } else { c }).collect();
    let trimmed = safe.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if trimmed.is_empty() { "file".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_need_no_extended_form() {
        assert_eq!(value(Kind::Inline, "my photo", "jpg"), "inline; filename=\"my photo.jpg\"");
    }

    #[test]
    fn other_names_come_in_both_forms() {
        assert_eq!(
            value(Kind::Attachment, "grün 50%", "png"),
            "attachment; filename=\"gr_n 50_.png\"; filename*=UTF-8''gr%C3%BCn%2050%25.png"
        );
    }

    #[test]
    fn names_cannot_break_out() {
        for hostile in
            ["a\"; filename=\"evil.exe", "a\r\nSet-Cookie: x=1", "..", "../../etc/passwd", "\u{202e}gpj.exe", ""]
        {
            let value = value(Kind::Attachment, hostile, "jpg");
            assert!(value.is_ascii() && !value.contains(['\r', '\n']), "{value:?}");
            let (_, parameters) = value.split_once("; filename=\"").unwrap();
            let (name, rest) = parameters.split_once('"').unwrap();
            assert!(name.ends_with(".jpg") && !name.contains(['/', '\\']) && !name.starts_with('.'), "{value:?}");
            assert!(rest.is_empty() || rest.starts_with("; filename*=UTF-8''") && !rest.contains('"'), "{value:?}");
            assert!(http::HeaderValue::try_from(value).is_ok());
        }
    }

    #[test]
    fn the_stem_is_the_name_without_its_last_extension() {
        assert_eq!(stem("a.b.jpg"), "a.b");
        assert_eq!(stem("a"), "a");
        assert_eq!(stem(".jpg"), ".jpg");
    }
}
