//! `GET /assets/placeholders/{name}.png`: what to show while there is nothing to show. Public, as clients that follow
//! a `Location` may drop their credentials: contract 0.16.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use shared::domain::file::FileVersion;

use crate::content::kind;
use crate::error::ApiError;
use crate::extract::Segment;

/// The same for everybody, and small: a day.
const CACHE: &str = "public, max-age=86400";

/// Every stand-in by name: the kinds of files, and `user`.
const PLACEHOLDERS: [(&str, &[u8]); 11] = [
    ("image", include_bytes!("../../assets/placeholder-image.png")),
    ("pdf", include_bytes!("../../assets/placeholder-pdf.png")),
    ("spreadsheet", include_bytes!("../../assets/placeholder-spreadsheet.png")),
    ("presentation", include_bytes!("../../assets/placeholder-presentation.png")),
    ("document", include_bytes!("../../assets/placeholder-document.png")),
    ("audio", include_bytes!("../../assets/placeholder-audio.png")),
    ("video", include_bytes!("../../assets/placeholder-video.png")),
    ("archive", include_bytes!("../../assets/placeholder-archive.png")),
    ("text", include_bytes!("../../assets/placeholder-text.png")),
    ("file", include_bytes!("../../assets/placeholder-file.png")),
    ("user", include_bytes!("../../assets/placeholder-user.png")),
];

/// The stand-in for this version.
pub(crate) fn name_for(version: &FileVersion) -> &'static str {
    kind::of(version)
}

pub(crate) async fn get(Segment(file_name): Segment) -> Result<Response, ApiError> {
    let name = file_name.strip_suffix(".png").ok_or(ApiError::NotFound)?;
    let bytes = bytes(name).ok_or(ApiError::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, CACHE)], bytes).into_response())
}

/// The stand-in of this name.
pub(crate) fn bytes(name: &str) -> Option<&'static [u8]> {
    PLACEHOLDERS.iter().find(|(present, _)| *present == name).map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_stand_in() {
        for kind in kind::all() {
            let found = PLACEHOLDERS.iter().find(|(name, _)| *name == kind);
            assert!(found.is_some_and(|(_, bytes)| bytes.starts_with(b"\x89PNG")), "{kind}");
        }
    }
}
