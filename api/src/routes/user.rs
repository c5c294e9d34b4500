//! `GET /2.0/users/{id}`: who the client is, as far as files have owners: the operator has them all.

use axum::Json;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::extract::Segment;
use crate::wire::box_folder;

/// What a client calls itself.
const ME: &str = "me";

pub(crate) async fn get(Segment(id): Segment) -> Result<Response, ApiError> {
    if id == ME || id == box_folder::OPERATOR_ID {
        Ok(Json(box_folder::operator()).into_response())
    } else {
        Err(ApiError::NotFound)
    }
}
