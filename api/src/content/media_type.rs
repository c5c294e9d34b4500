//! The media type of a source: as declared, when that says anything, else by content and name.

use shared::domain::file::FileVersion;
use shared::domain::format::SourceFormat;

/// What is not known to be anything.
const UNKNOWN: &str = "application/octet-stream";
/// Longest declared type that is repeated, in bytes.
const LENGTH_MAX: usize = 100;
/// By extension, for what is not rendered; what is rendered has its type in [`SourceFormat`].
const OTHERS: [(&str, &str); 22] = [
    ("avi", "video/x-msvideo"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// What clients are told and bytes are sent as. Always a valid header value.
pub(crate) fn of(version: &FileVersion) -> String {
    if let Some(declared) = version.declared.content_type.as_deref().and_then(essence) {
        return declared;
    }
    let format = version.picture.map(|picture| picture.format).or_else(|| SourceFormat::declared(&version.name, None));
    format.map_or_else(|| by_extension(&version.name), SourceFormat::media_type).to_owned()
}

/// `type/subtype` of a declared type; `None` when it says nothing.
fn essence(declared: &str) -> Option<String> {
    let essence = declared.split(';').next()?.trim().to_ascii_lowercase();
    let is_token = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(allowed)
    };
    let (kind, subtype) = essence.split_once('/')?;
    (essence.len() <= LENGTH_MAX && is_token(kind) && is_token(subtype) && essence != UNKNOWN).then_some(essence)
}

fn by_extension(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let known = OTHERS.iter().find(|(other, _)| extension.as_deref() == Some(*other));
    known.map_or(UNKNOWN, |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_are_repeated_when_they_say_something() {
        assert_eq!(essence("Text/Plain; charset=utf-8").as_deref(), Some("text/plain"));
        for nothing in ["application/octet-stream", "", "x", "a/", "/b", "a/b\r\nX: y", "a b/c", "ä/b"] {
            assert_eq!(essence(nothing), None, "{nothing:?}");
        }
        assert_eq!(essence(&format!("a/{}", "b".repeat(LENGTH_MAX))), None);
    }

    #[test]
    fn extensions_are_read_in_any_letter_case() {
        assert_eq!(by_extension("Report.PDF"), "application/pdf");
        assert_eq!(by_extension("pdf"), UNKNOWN);
    }
}
