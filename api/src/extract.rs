//! Extractors that turn paths and queries into domain values, with our own errors.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::domain::ids::{FileId, FileVersionId};

use crate::error::ApiError;

/// Longest query that is looked at, in bytes.
const QUERY_BYTES_MAX: usize = 8 * 1024;

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
