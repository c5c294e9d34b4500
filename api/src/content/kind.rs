//! What kind of thing a file is, by its name and declared type: decides which placeholder stands in for it.

use shared::domain::file::FileVersion;

/// Kind, media types that are of it by their beginning, and extensions: contract section 6.
const KINDS: [(&str, &[&str], &[&str]); 9] = [
    (
        "image",
        &["image/"],
        &[
            "ai", "avif", "bmp", "cr2", "cr3", "crw", "dcm", "dicm", "dicom", "dng", "eps", "gif", "heic", "heif",
            "idml", "indd", "indt", "inx", "jpeg", "jpg", "jxl", "nef", "png", "ps", "psb", "psd", "raf", "raw", "svg",
            "svs", "tga", "tif", "tiff", "webp",
        ],
    ),
    ("pdf", &["application/pdf"], &["pdf"]),
    (
        "spreadsheet",
        &["application/vnd.ms-excel", "application/vnd.openxmlformats-officedocument.spreadsheetml"],
        &["csv", "gsheet", "numbers", "ods", "tsv", "xls", "xlsm", "xlsx"],
    ),
    (
        "presentation",
        &["application/vnd.ms-powerpoint", "application/vnd.openxmlformats-officedocument.presentationml"],
        &["gslide", "gslides", "key", "odp", "otp", "ppt", "pptx"],
    ),
    (
        "document",
        &["application/msword", "application/rtf", "application/vnd.openxmlformats-officedocument.wordprocessingml"],
        &["boxcanvas", "boxnote", "doc", "docx", "gdoc", "msg", "odt", "pages", "rtf", "wpd", "xbd", "xdw"],
    ),
    (
        "audio",
        &["audio/"],
        &["aac", "aif", "aifc", "aiff", "amr", "au", "flac", "m4a", "mp3", "ogg", "ra", "wav", "wma"],
    ),
    (
        "video",
        &["video/"],
        &[
            "3g2", "3gp", "avi", "flv", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "qt",
            "swf", "ts", "webm", "wmv",
        ],
    ),
    (
        "archive",
        &["application/zip", "application/x-tar", "application/gzip"],
        &["7z", "bz2", "gz", "rar", "tar", "tgz", "xz", "zip", "zst"],
    ),
    (
        "text",
        &["text/", "application/json", "application/xml"],
        &[
            "as",
            "as3",
            "asm",
            "bat",
            "c",
            "cc",
            "cmake",
            "cpp",
            "cs",
            "css",
            "cxx",
            "diff",
            "erb",
            "groovy",
            "h",
            "haml",
            "hh",
            "htm",
            "html",
            "java",
            "js",
            "json",
            "less",
            "log",
            "m",
            "make",
            "md",
            "ml",
            "mm",
            "php",
            "pl",
            "plist",
            "properties",
            "py",
            "rb",
            "rs",
            "rst",
            "sass",
            "scala",
            "scm",
            "script",
            "sh",
            "sml",
            "sql",
            "toml",
            "txt",
            "vi",
            "vim",
            "vtt",
            "webdoc",
            "xhtml",
            "xml",
            "xsd",
            "xsl",
            "yaml",
            "yml",
        ],
    ),
];
/// The kind of everything else.
const OTHER: &str = "file";

/// Every kind there is a placeholder for.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, ..)| *name).chain([OTHER])
}

/// The kind of a version: what its content shows, else what its name says, else what was declared.
pub(crate) fn of(version: &FileVersion) -> &'static str {
    if version.picture.is_some() {
        return "image";
    }
    let extension = version.name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let declared = version.declared.content_type.as_deref().unwrap_or("").trim().to_ascii_lowercase();
    of_extension(extension.as_deref().unwrap_or("")).or_else(|| of_media_type(&declared)).unwrap_or(OTHER)
}

fn of_extension(extension: &str) -> Option<&'static str> {
    KINDS.iter().find(|(.., extensions)| extensions.contains(&extension)).map(|(name, ..)| *name)
}

fn of_media_type(declared: &str) -> Option<&'static str> {
    let begins = |types: &[&str]| types.iter().any(|beginning| declared.starts_with(beginning));
    KINDS.iter().find(|(_, types, _)| begins(types)).map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_belong_to_one_kind() {
        let mut seen = std::collections::BTreeSet::new();
        for extension in KINDS.iter().flat_map(|(.., extensions)| extensions.iter()) {
            assert!(seen.insert(extension), "{extension} is of two kinds");
        }
        assert_eq!((of_extension("pdf"), of_extension("mp4"), of_extension("")), (Some("pdf"), Some("video"), None));
    }

    #[test]
    fn media_types_are_told_by_their_beginning() {
        assert_eq!(of_media_type("text/plain; charset=utf-8"), Some("text"));
        assert_eq!(of_media_type("video/x-anything"), Some("video"));
        assert_eq!(of_media_type("application/octet-stream"), None);
    }
}
