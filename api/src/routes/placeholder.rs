//! `GET /assets/placeholders/{name}.png`: what to show while there is nothing to show. Public, as clients that follow
//! a `Location` may drop their credentials: contract 0.16.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use shared::domain::format::SourceFormat;

use crate::error::ApiError;
use crate::extract::Segment;

/// The same for everybody, and small: a day.
const CACHE: &str = "public, max-age=86400";

/// Every stand-in by name.
const PLACEHOLDERS: [(&str, &[u8]); 3] = [
    ("image", include_bytes!("../../assets/placeholder-image.png")),
    ("file", include_bytes!("../../assets/placeholder-file.png")),
    ("user", include_bytes!("../../assets/placeholder-user.png")),
];

/// The stand-in for sources of this format.
pub(crate) fn name_for(format: Option<SourceFormat>) -> &'static str {
    if format.is_some() { "image" } else { "file" }
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
