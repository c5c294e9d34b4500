//! Every way in which the API can say no: status, code and public message of each failure, on both of its surfaces.

use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use shared::domain::failure::Failure;
use shared::ports::blob_store::BlobError;
use shared::ports::state_store::{Conflict, StoreError};

use crate::observe::RequestId;
use crate::rate::Exceeded;

/// What Box sends with a 401: contract section 1.2.
const CHALLENGE: &str =
    r#"Bearer realm="Service", error="invalid_token", error_description="The access token provided is invalid.""#;
/// What Jira sends with a 401: a scheme that no browser asks a password for.
const JIRA_CHALLENGE: &str = r#"OAuth realm="Thumbline""#;
/// To the letter: atlassian-python-api compares it (contract section 8.1).
const JIRA_JSON: &str = "application/json;charset=UTF-8";
/// Sent with the 403 to a credential that is not meant for this: RFC 6750, section 3.1.
const SCOPE_CHALLENGE: &str = r#"Bearer realm="Service", error="insufficient_scope""#;
/// Where Box's error codes are explained; clients show it to people.
const HELP_URL: &str = "https://developer.box.com/guides/api-calls/permissions-and-errors/common-errors/";
/// Seconds after which a client may try again when a dependency was away.
const AWAY_RETRY_SECONDS: u32 = 5;

/// What a limit is and what is left of it, in a 429: contract sections 5.2 and 8.1.
const RATE_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// An error with its source chain.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a request was not answered as asked. What [`Display`](std::fmt::Display) shows is public; the source is for the
/// log only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request is not understood; the text says what would be.
    #[error("{0}")]
    BadRequest(String),
    /// `Content-MD5` (which carries a SHA-1: contract 0.5) is not that of the bytes.
    #[error("Content-MD5 has to be the SHA-1 of the file in hex; these bytes have {sha1}")]
    BadDigest {
        /// What we counted.
        sha1: String,
    },
    /// The attributes came too late to be looked at before the bytes.
    #[error("the part \"attributes\" has to come before the file")]
    MetadataAfterFileContents,
    /// The name has characters that names may not have.
    #[error("the name {0}")]
    ItemNameInvalid(&'static str),
    /// The name is too long.
    #[error("the name is longer than 255 characters")]
    ItemNameTooLong,
    /// There is no such page.
    #[error("page {page} does not exist: the representation has {pages}")]
    PageOutOfRange {
        /// What was asked for.
        page: String,
        /// How many there are, in words.
        pages: String,
    },
    /// No token, or not the right one.
    #[error("The access token provided is invalid.")]
    Unauthorized,
    /// A signed URL that has ended, or was never signed.
    #[error("the link has expired or is not a link of ours")]
    LinkExpired,
    /// The credential is right, but not meant for this.
    #[error("The request requires higher privileges than provided by the access token.")]
    InsufficientScope,
    /// A page of another site wants to write.
    #[error("requests of other sites' pages are not accepted")]
    ForeignOrigin,
    /// There is no such thing, or nobody may know of it.
    #[error("Not Found")]
    NotFound,
    /// Jira's words for an attachment that is not there, or that nobody may know of.
    #[error("The attachment with id '{0}' does not exist")]
    AttachmentMissing(String),
    /// The attachment has no picture of the size, and the client wants no other.
    #[error("The attachment with id '{0}' has no thumbnail")]
    ThumbnailMissing(String),
    /// The attachment is not an archive whose content can be listed.
    #[error("The attachment with id '{0}' is not an archive that can be expanded")]
    NotAnArchive(String),
    /// The configuration switches attachments off.
    #[error("Attachments are disabled")]
    AttachmentsDisabled,
    /// Jira's words for a key that no issue can have.
    #[error("Issue does not exist or you do not have permission to see it.")]
    IssueMissing,
    /// Jira's words for an account that is not there.
    #[error("Specified user does not exist or you do not have required permissions")]
    UserMissing,
    /// `X-Atlassian-Token: no-check` is not there, so a page of another site may have sent the form.
    #[error("XSRF check failed")]
    XsrfCheckFailed,
    /// One request has more files than it may.
    #[error("a request uploads at most {files_max} files")]
    TooManyFiles {
        /// The limit.
        files_max: usize,
    },
    /// The file, or the version, is in the trash.
    #[error("Item is trashed")]
    Trashed,
    /// The file, or the version, is not in the trash.
    #[error("Item is not trashed")]
    NotTrashed,
    /// Another file of the folder has the name; clients overwrite the one that they are told here.
    #[error("Item with the same name already exists")]
    NameInUse(Option<Box<Value>>),
    /// The older thumbnail endpoint has no such size.
    #[error("{0}")]
    SizeUnavailable(String),
    /// A file of this length could not be uploaded.
    #[error("File size exceeds the limit of {bytes_max} bytes")]
    FileSizeLimit {
        /// The limit.
        bytes_max: u64,
    },
    /// An upload has to say how long it is, or come in chunks.
    #[error("a Content-Length or a chunked body is needed")]
    LengthRequired,
    /// The request line is longer than any client's.
    #[error("the URL is longer than {bytes_max} bytes")]
    UriTooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// The headers are longer than any client's.
    #[error("the headers are longer than {bytes_max} bytes")]
    HeadersTooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// More requests than this principal may make.
    #[error("Request rate limit exceeded, please try again later")]
    RateLimited(Exceeded),
    /// The file is not what the client has seen.
    #[error("The resource has been modified. Please retrieve the resource again and retry")]
    PreconditionFailed,
    /// The representation ended as `error`.
    #[error("the representation could not be made: {}", .0.code.box_code())]
    RepresentationFailed(Failure),
    /// The path exists, but not with this method.
    #[error("Method Not Allowed")]
    MethodNotAllowed,
    /// The upload did not arrive in time.
    #[error("the upload did not arrive within its time limit")]
    UploadTooSlow,
    /// The upload is longer than allowed.
    #[error("the file is longer than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// The upload has more besides its file than any client sends.
    #[error("the form is longer than an upload may be")]
    FormTooLong,
    /// No byte of the range exists.
    #[error("the range lies outside of the {length_bytes} bytes")]
    RangeNotSatisfiable {
        /// How long the content is.
        length_bytes: u64,
    },
    /// No space left for what was to be stored.
    #[error("no space left to store the file")]
    NoSpace(#[source] BoxError),
    /// A dependency did not answer; the same request may succeed later.
    #[error("a dependency is away; try again later")]
    Away(#[source] BoxError),
    /// As many streams of events as there may be.
    #[error("too many streams of events; try again later")]
    TooManyStreams,
    /// We did not answer within our own time limit.
    #[error("no answer within {seconds} seconds; try again later")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// Our bug, or somebody's hand in our data.
    #[error("Internal Server Error")]
    Internal(#[source] BoxError),
}

impl ApiError {
    /// Status and Box code (contract section 5.1) of every failure.
    pub(crate) fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::BadDigest { .. } => (StatusCode::BAD_REQUEST, "bad_digest"),
            Self::MetadataAfterFileContents => (StatusCode::BAD_REQUEST, "metadata_after_file_contents"),
            Self::ItemNameInvalid(_) => (StatusCode::BAD_REQUEST, "item_name_invalid"),
            Self::ItemNameTooLong => (StatusCode::BAD_REQUEST, "item_name_too_long"),
            Self::PageOutOfRange { .. } => (StatusCode::BAD_REQUEST, "requested_page_out_of_range"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::LinkExpired => (StatusCode::NOT_FOUND, "not_found"),
            Self::InsufficientScope => (StatusCode::FORBIDDEN, "insufficient_scope"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "cors_origin_not_whitelisted"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::AttachmentMissing(_) | Self::IssueMissing | Self::UserMissing => (StatusCode::NOT_FOUND, "not_found"),
            Self::ThumbnailMissing(_) => (StatusCode::NOT_FOUND, "thumbnail_missing"),
            Self::AttachmentsDisabled => (StatusCode::NOT_FOUND, "attachments_disabled"),
            Self::NotAnArchive(_) => (StatusCode::CONFLICT, "not_an_archive"),
            Self::XsrfCheckFailed => (StatusCode::FORBIDDEN, "xsrf_check_failed"),
            Self::TooManyFiles { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_files"),
            Self::Trashed => (StatusCode::NOT_FOUND, "trashed"),
            Self::NotTrashed => (StatusCode::NOT_FOUND, "not_trashed"),
            Self::SizeUnavailable(_) => (StatusCode::BAD_REQUEST, "requested_preview_unavailable"),
            Self::FileSizeLimit { .. } => (StatusCode::FORBIDDEN, "file_size_limit_exceeded"),
            Self::LengthRequired => (StatusCode::LENGTH_REQUIRED, "length_required"),
            Self::UriTooLong { .. } => (StatusCode::URI_TOO_LONG, "uri_too_long"),
            Self::HeadersTooLong { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request_header_fields_too_large")
            }
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
            Self::NameInUse(_) => (StatusCode::CONFLICT, "item_name_in_use"),
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::RepresentationFailed(_) => (StatusCode::NOT_FOUND, "preview_cannot_be_generated"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::UploadTooSlow => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::TooLarge { .. } | Self::FormTooLong => (StatusCode::PAYLOAD_TOO_LARGE, "request_entity_too_large"),
            Self::RangeNotSatisfiable { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
            Self::NoSpace(_) => (StatusCode::INSUFFICIENT_STORAGE, "insufficient_storage"),
            Self::Away(_) | Self::TooManyStreams | Self::TimedOut { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error"),
        }
    }

    /// The headers that this failure needs besides its body.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized => vec![(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE))],
            Self::InsufficientScope => vec![(WWW_AUTHENTICATE, HeaderValue::from_static(SCOPE_CHALLENGE))],
            Self::Away(_) | Self::TooManyStreams | Self::TimedOut { .. } => {
                vec![(RETRY_AFTER, HeaderValue::from(AWAY_RETRY_SECONDS))]
            }
            Self::RateLimited(exceeded) => vec![
                (RETRY_AFTER, HeaderValue::from(exceeded.retry_after_seconds)),
                (RATE_LIMIT, HeaderValue::from(exceeded.per_minute)),
                (RATE_REMAINING, HeaderValue::from(0)),
            ],
            Self::RangeNotSatisfiable { length_bytes } => {
                let range = HeaderValue::try_from(format!("bytes */{length_bytes}"));
                range.into_iter().map(|range| (CONTENT_RANGE, range)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The whole chain of causes in one line, for the log.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// The response carries the error itself: [`Surface::write`] makes the body once the surface and request id are known.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status_and_code().0.into_response();
        for (name, value) in self.headers() {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Conflict(Conflict::NameInUse) => Self::NameInUse(None),
            StoreError::Conflict(Conflict::RevisionDiffers) => Self::PreconditionFailed,
            StoreError::Conflict(Conflict::Trashed) => Self::Trashed,
            // Tried again a few times already; a moment later the blob is gone for certain.
            StoreError::Conflict(Conflict::BlobCollected) => Self::Away(error.into()),
            StoreError::Conflict(Conflict::NotTrashed) => Self::NotTrashed,
            StoreError::Conflict(Conflict::OnlyVersion) => {
                Self::BadRequest("the only version of a file goes with its file".to_owned())
            }
            StoreError::Away(_) | StoreError::Schema(_) | StoreError::Refused(_) => Self::Away(error.into()),
            StoreError::NoSpace(_) => Self::NoSpace(error.into()),
            StoreError::Inconsistent { .. } => Self::Internal(error.into()),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Away(_) => Self::Away(error.into()),
            BlobError::NoSpace => Self::NoSpace(error.into()),
            // What a row promises is there and may be read; anything else is ours to mend.
            BlobError::NotFound(_) | BlobError::Forbidden(..) | BlobError::UnknownBucket(_) => {
                Self::Internal(error.into())
            }
        }
    }
}

/// Which of the three error bodies a path answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// Box's, below `/2.0` and `/api/2.0`.
    Box,
    /// Jira's error collection, below `/rest` and `/ex/jira`.
    Jira,
    /// Problem details (RFC 9457), everywhere else.
    Own,
}

impl Surface {
    /// Decided by the path, so that unknown paths are answered in the words of their neighbours.
    pub(crate) fn of(path: &str) -> Self {
        let below =
            |prefix| path.strip_prefix(prefix).is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'));
        match () {
            () if below("/2.0") || below("/api/2.0") => Self::Box,
            () if below("/rest") || below("/ex/jira") => Self::Jira,
            () => Self::Own,
        }
    }

    /// Writes the body of an error into its response; headers and status stay.
    pub(crate) fn write(self, error: &ApiError, id: &RequestId, response: &mut Response) {
        let (media_type, body) = match self {
            Self::Box => ("application/json", box_body(error, id)),
            Self::Jira => (JIRA_JSON, jira_body(error)),
            Self::Own => ("application/problem+json", problem_body(error, id)),
        };
        if self == Self::Jira && response.headers().contains_key(WWW_AUTHENTICATE) {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(JIRA_CHALLENGE));
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        *response.body_mut() = body.to_string().into();
    }
}

fn box_body(error: &ApiError, id: &RequestId) -> Value {
    let (status, code) = error.status_and_code();
    let mut body = json!({
        "type": "error",
        "status": status.as_u16(),
        "code": code,
        "help_url": HELP_URL,
        "message": error.to_string(),
        "request_id": id.to_string(),
    });
    // An object for files: contract section 4.1.
    if let ApiError::NameInUse(Some(conflict)) = error {
        body["context_info"] = json!({ "conflicts": conflict });
    }
    body
}

/// The error collection: contract section 8.1.
fn jira_body(error: &ApiError) -> Value {
    let message = match error {
        ApiError::Unauthorized => "Client must be authenticated to access this resource.".to_owned(),
        other => other.to_string(),
    };
    json!({ "errorMessages": [message], "errors": {} })
}

fn problem_body(error: &ApiError, id: &RequestId) -> Value {
    let (status, code) = error.status_and_code();
    json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": error.to_string(),
        "request_id": id.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surface_follows_the_path() {
        for path in ["/2.0", "/2.0/", "/2.0/files/1", "/api/2.0/files/content"] {
            assert_eq!(Surface::of(path), Surface::Box, "{path}");
        }
        for path in ["/rest/api/3/attachment/1", "/rest/api/latest/nothing", "/rest", "/ex/jira/cloud/rest/api/2/x"] {
            assert_eq!(Surface::of(path), Surface::Jira, "{path}");
        }
        for path in ["/", "/v1/files", "/rested", "/2.01/files", "/api", "/livez"] {
            assert_eq!(Surface::of(path), Surface::Own, "{path}");
        }
    }

    #[test]
    fn causes_are_for_the_log_only() {
        let cause = std::io::Error::other("password=hunter2");
        let error = ApiError::from(StoreError::Away(Box::new(cause)));
        let id = RequestId::random();
        assert!(!box_body(&error, &id).to_string().contains("hunter2"));
        assert!(!problem_body(&error, &id).to_string().contains("hunter2"));
        assert!(error.chain().contains("hunter2"));
    }

    #[test]
    fn box_bodies_have_the_contracts_members() {
        let id = RequestId::random();
        let body = box_body(&ApiError::NotFound, &id);
        assert_eq!(body["type"], "error");
        assert_eq!(body["status"], 404);
        assert_eq!(body["code"], "not_found");
        assert_eq!(body["message"], "Not Found");
        assert_eq!(body["request_id"], id.to_string());
        assert!(body["help_url"].as_str().unwrap().starts_with("https://"));
    }
}
