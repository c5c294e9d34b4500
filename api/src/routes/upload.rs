//! `POST /2.0/files/content`: a new file, stored and registered before it is answered.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::json;
use shared::domain::blob_key::BlobKey;
use shared::domain::file::{ByteFacts, Condition, NewFileVersion, VersionIdentity, VersionOrder};
use shared::domain::format::SourceFormat;
use shared::domain::ids::FileId;
use shared::domain::lane::Lane;
use shared::domain::plan;
use shared::domain::source::{DeclaredFacts, SourceLocation};
use shared::ports::blob_store::BlobBody;
use shared::register::register;

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::Params;
use crate::upload::{Received, check_length, linger, linger_unread, receive};
use crate::wire::box_file::{self, Fields, View};

/// Carries the SHA-1 of the bytes in hex, whatever its name says: contract 0.5.
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
/// What a blob is stored as when the client did not say.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// What the route reads of the query.
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
    let mut body = body.into_data_stream();
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
    answer(&app, store(&app, &caller, received, Condition::NewName).await?, query.fields.as_deref()).await
}

fn check_digest(headers: &HeaderMap, sha1: &str) -> Result<(), ApiError> {
    match headers.get(CONTENT_MD5) {
        Some(declared) if !declared.as_bytes().trim_ascii().eq_ignore_ascii_case(sha1.as_bytes()) => {
            Err(ApiError::BadDigest { sha1: sha1.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Blob first, row after: what has a row can be read.
pub(crate) async fn store(
    app: &App,
    caller: &Caller,
    received: Received,
    condition: Condition,
) -> Result<FileId, ApiError> {
    let deps = &app.deps;
    let spooled = &received.spooled;
    let key = BlobKey::Source { tenant: caller.tenant(&deps.config.tenant).clone(), digest: spooled.sha256 };
    let body = BlobBody::File { path: spooled.path(), length_bytes: spooled.length_bytes };
    deps.blobs.put(&key, body, received.content_type.as_deref().unwrap_or(UNKNOWN_TYPE)).await?;
    let new = new_file_version(app, caller, key, &received, condition);
    let registered = register(deps.store.as_ref(), deps.queue.as_ref(), &new).await?;
    let (file, version) = (registered.registration.file_id, registered.registration.version_id);
    tracing::debug!(
        file.id = %file, file_version.id = %version, length_bytes = spooled.length_bytes,
        "file {file} was uploaded"
    );
    if let Some(error) = registered.wake_failure {
        tracing::warn!(
            file_version.id = %version, error = %error,
            "no wake for file version {version}, the sweeper will find it: {error}"
        );
    }
    Ok(file)
}

fn new_file_version(
    app: &App,
    caller: &Caller,
    key: BlobKey,
    received: &Received,
    condition: Condition,
) -> NewFileVersion {
    let Received { name, parent, access, content_type, spooled } = received;
    let format = SourceFormat::declared(name, content_type.as_deref());
    NewFileVersion {
        tenant: caller.tenant(&app.deps.config.tenant).clone(),
        // Every upload through this route is a file of its own.
        file_identity: format!("upload:{:032x}", rand::random::<u128>()),
        version_identity: VersionIdentity::Named(format!("sha256:{}", spooled.sha256)),
        order: VersionOrder::default(),
        name: name.clone(),
        parent: parent.clone(),
        access: caller.new_access(access.clone(), app.deps.config.default_access().as_ref()),
        source: SourceLocation::Uploaded(key),
        declared: DeclaredFacts {
            size: Some(spooled.length_bytes),
            content_type: content_type.clone(),
            etag: None,
            sha256: None,
        },
        sha1: Some(spooled.sha1.clone()),
        bytes: Some(ByteFacts { length_bytes: spooled.length_bytes, sha256: spooled.sha256 }),
        lane: Lane::Normal,
        wanted: plan::eager(&app.deps.presets, format),
        condition,
    }
}

async fn answer(app: &App, file: FileId, fields: Option<&str>) -> Result<Response, ApiError> {
    let state = app.deps.store.file(file).await?.ok_or(ApiError::NotFound)?;
    let view = View { state: &state, presets: &app.deps.presets, hints: None, links: &app.deps.links };
    let entry = box_file::file(&view, &Fields::parse(fields));
    let body = Json(json!({ "total_count": 1, "entries": [entry] }));
    Ok((StatusCode::CREATED, [(LOCATION, app.deps.links.file(file))], body).into_response())
}
