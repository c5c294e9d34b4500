//! Extractors that turn paths and queries into domain values, with our own errors.

use std::collections::HashMap;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::domain::ids::{FileId, FileVersionId};

use crate::error::ApiError;

/// Longest query that is looked at, in bytes.
const QUERY_BYTES_MAX: usize = 8 * 1024;
/// Longest JSON body, in bytes.
const JSON_BYTES_MAX: usize = 64 * 1024;
/// Entries on one page of a list when the client does not say, and at most.
const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;
/// Most entries that are skipped at the beginning of a list: Box's own bound.
const OFFSET_MAX: u32 = 10_000;

/// The path of a representation or of its content. Whatever is not of our form names nothing: 404.
#[derive(Debug)]
pub(crate) struct RepresentationPath {
    pub(crate) file: FileId,
    pub(crate) version: FileVersionId,
    /// The preset's name.
    pub(crate) name: String,
    /// What selects a page; empty for the only one.
    pub(crate) asset_path: String,
}

#[derive(Deserialize)]
struct RepresentationSegments {
    file: String,
    version: String,
    name: String,
    #[serde(default)]
    asset_path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for RepresentationPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = Path::<RepresentationSegments>::from_request_parts(parts, state).await;
        let Path(segments) = segments.map_err(|_| ApiError::NotFound)?;
        Ok(Self {
            file: segments.file.parse().map_err(|_| ApiError::NotFound)?,
            version: segments.version.parse().map_err(|_| ApiError::NotFound)?,
            name: segments.name,
            asset_path: segments.asset_path,
        })
    }
}

/// A file's id in a path of Box's API. What is no id at all is answered with 405: contract section 2.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxFileId(pub(crate) FileId);

impl<S: Send + Sync> FromRequestParts<S> for BoxFileId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Segment(id) = Segment::from_request_parts(parts, state).await?;
        box_file_id(&id).map(Self)
    }
}

fn box_file_id(text: &str) -> Result<FileId, ApiError> {
    let is_decimal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().map_err(|_| if is_decimal { ApiError::NotFound } else { ApiError::MethodNotAllowed })
}

/// A file's id and a version's in a path of Box's API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxVersionPath {
    pub(crate) file: FileId,
    pub(crate) version: FileVersionId,
}

#[derive(Deserialize)]
struct VersionSegments {
    file: String,
    version: String,
}

impl<S: Send + Sync> FromRequestParts<S> for BoxVersionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = Path::<VersionSegments>::from_request_parts(parts, state).await;
        let Path(segments) = segments.map_err(|_| ApiError::NotFound)?;
        let file = box_file_id(&segments.file)?;
        Ok(Self { file, version: segments.version.parse().map_err(|_| ApiError::NotFound)? })
    }
}

/// What a signed URL names. Whatever is not of our form was not signed.
#[derive(Debug)]
pub(crate) struct MediaPath {
    pub(crate) file: FileId,
    pub(crate) version: FileVersionId,
    /// Which bytes of the version.
    pub(crate) what: String,
}

#[derive(Deserialize)]
struct MediaSegments {
    file: String,
    version: String,
    what: String,
}

impl<S: Send + Sync> FromRequestParts<S> for MediaPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = Path::<MediaSegments>::from_request_parts(parts, state).await;
        let Path(segments) = segments.map_err(|_| ApiError::LinkExpired)?;
        Ok(Self {
            file: segments.file.parse().map_err(|_| ApiError::LinkExpired)?,
            version: segments.version.parse().map_err(|_| ApiError::LinkExpired)?,
            what: segments.what,
        })
    }
}

/// A short JSON body. Clients send all kinds of `Content-Type` with it, so that is not looked at; nothing at all is an
/// empty object.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = axum::body::to_bytes(request.into_body(), JSON_BYTES_MAX).await;
        let body =
            body.map_err(|_| ApiError::BadRequest(format!("the body is broken or over {JSON_BYTES_MAX} bytes")))?;
        let text = if body.trim_ascii().is_empty() { b"{}" } else { &body[..] };
        let read = serde_json::from_slice(text);
        read.map(Self)
            .map_err(|error| ApiError::BadRequest(format!("the body is not the JSON that is expected: {error}")))
    }
}

/// `limit` and `offset` of Box's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

impl Paging {
    /// Box's defaults and bounds; a longer page than the longest is cut, as Box does.
    pub(crate) fn parse(limit: Option<&str>, offset: Option<&str>) -> Result<Self, ApiError> {
        let number = |name: &str, text: Option<&str>, default: u32| match text.filter(|text| !text.is_empty()) {
            None => Ok(default),
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(text.parse().unwrap_or(u32::MAX)),
            Some(_) => Err(ApiError::BadRequest(format!("{name} is not a number"))),
        };
        let limit = number("limit", limit, LIMIT_DEFAULT)?.clamp(1, LIMIT_MAX);
        let offset = number("offset", offset, 0)?;
        if offset > OFFSET_MAX {
            return Err(ApiError::BadRequest(format!("offset is greater than {OFFSET_MAX}; use markers instead")));
        }
        Ok(Self { limit, offset })
    }
}

/// A path of Jira's API.
#[derive(Debug)]
pub(crate) struct JiraPath {
    /// `2`, `3` or `latest`; they differ in nothing that we have.
    pub(crate) version: &'static str,
    /// What is named below it: an attachment's id or an issue's key; empty where nothing is.
    pub(crate) id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for JiraPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(mut segments) = segments.map_err(|_| ApiError::NotFound)?;
        let version =
            ["2", "3", "latest"].into_iter().find(|known| segments.get("api").is_some_and(|api| api == known));
        let id = segments.remove("attachment").or_else(|| segments.remove("issue")).unwrap_or_default();
        Ok(Self { version: version.ok_or(ApiError::NotFound)?, id })
    }
}

/// The only segment of a path, as text.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(segments) = segments.map_err(|_| ApiError::NotFound)?;
        segments.into_values().next().map(Self).ok_or(ApiError::NotFound)
    }
}

/// The query's parameters; those that nobody knows are left alone, as clients send some of their own.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.uri.query().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
            return Err(ApiError::BadRequest(format!("the query is longer than {QUERY_BYTES_MAX} bytes")));
        }
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                Err(ApiError::BadRequest(format!("the query is not understood: {}", rejection.body_text())))
            }
        }
    }
}
