//! `POST /2.0/files/content` and `POST /2.0/files/{id}/content`: a new file, or a new version of one, stored and
//! registered before it is answered.

use std::sync::Arc;

use axum::Json;
use axum::body::BodyDataStream;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, IF_MATCH, LOCATION, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::json;
use shared::domain::file::{Condition, File};
use shared::domain::ids::FileId;

use crate::App;
use crate::auth::access::Caller;
use crate::content::conditional::names_revision;
use crate::error::ApiError;
use crate::extract::{BoxFileId, Params};
use crate::upload::{Received, Target, check_length, linger, linger_unread, name, receive};
use crate::wire::box_file::{self, Fields, View};

/// Carries the SHA-1 of the bytes in hex, whatever its name says: contract 0.5.
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// What the routes read of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    fields: Option<String>,
}

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(query): Params<Query>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let received = arrived(&app, &parts, body.into_data_stream()).await?;
    let Received { name, filename, parent, access, content_type, spooled } = received;
    let name = name.unwrap_or(filename);
    name::check(&name)?;
    let (tenant, folder) = (caller.tenant(&app.deps.config.tenant), parent.clone());
    let access = caller.new_access(access, app.deps.config.default_access().as_ref());
    let target = Target::new_file(tenant, name.clone(), parent, access, Condition::NewName);
    let registration = match app.take_in(target, &spooled, content_type).await {
        Err(ApiError::NameInUse(_)) => return Err(app.name_in_use(&caller, folder.as_deref(), &name).await),
        registration => registration?,
    };
    answer(&app, StatusCode::CREATED, registration.file_id, query.fields.as_deref()).await
}

pub(crate) async fn post_version(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    Params(query): Params<Query>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let body = body.into_data_stream();
    // The file is looked at first: whoever sends a long upload to the wrong place hears of it early.
    let (file, revision) = match expected(&app, id, &parts.headers).await {
        Ok(found) => found,
        Err(error) => {
            linger_unread(&parts.headers, body);
            return Err(error);
        }
    };
    let received = arrived(&app, &parts, body).await?;
    let target = Target::next_version(&file, received.name.clone(), revision);
    match app.take_in(target, &received.spooled, received.content_type).await {
        Err(ApiError::NameInUse(_)) => {
            let name = received.name.as_deref().unwrap_or(&file.name);
            Err(app.name_in_use(&caller, file.parent.as_deref(), name).await)
        }
        registration => answer(&app, StatusCode::OK, registration?.file_id, query.fields.as_deref()).await,
    }
}

/// The file, and the revision that it has to show still when the version is registered, if the client named one.
async fn expected(app: &App, id: FileId, headers: &HeaderMap) -> Result<(File, Option<u32>), ApiError> {
    let file = app.file(id).await?.file;
    match names_revision(headers, &IF_MATCH, file.revision) {
        None => Ok((file, None)),
        Some(true) => {
            let revision = Some(file.revision);
            Ok((file, revision))
        }
        Some(false) => Err(ApiError::PreconditionFailed),
    }
}

/// The whole form, with its digest checked. What is refused in the middle is read on for a while, within bounds, so that
/// the client sees the answer.
async fn arrived(app: &App, parts: &Parts, mut body: BodyDataStream) -> Result<Received, ApiError> {
    if !parts.headers.contains_key(CONTENT_LENGTH) && !parts.headers.contains_key(TRANSFER_ENCODING) {
        return Err(ApiError::LengthRequired);
    }
    if let Err(too_large) = check_length(&parts.headers, &app.deps.config) {
        linger_unread(&parts.headers, body);
        return Err(too_large);
    }
    let received = match receive(&parts.headers, &mut body, &app.deps.config).await {
        Ok(received) => received,
        Err(error) => {
            linger(body);
            return Err(error);
        }
    };
    check_digest(&parts.headers, &received.spooled.sha1)?;
    Ok(received)
}

fn check_digest(headers: &HeaderMap, sha1: &str) -> Result<(), ApiError> {
    match headers.get(CONTENT_MD5) {
        Some(declared) if !declared.as_bytes().trim_ascii().eq_ignore_ascii_case(sha1.as_bytes()) => {
            Err(ApiError::BadDigest { sha1: sha1.to_owned() })
        }
        _ => Ok(()),
    }
}

async fn answer(app: &App, status: StatusCode, file: FileId, fields: Option<&str>) -> Result<Response, ApiError> {
    let state = app.file(file).await?;
    let entry = box_file::file(&View::new(app, &state, None), &Fields::parse(fields));
    let body = Json(json!({ "total_count": 1, "entries": [entry] }));
    Ok((status, [(LOCATION, app.deps.links.file(file))], body).into_response())
}
