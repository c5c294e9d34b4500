//! The form of an upload, in every shape that Box clients send: contract section 4.1.

use axum::body::BodyDataStream;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::Deserialize;
use shared::domain::access::Access;

use super::multipart::{Broken, Multipart};
use super::name;
use super::spool::{Spool, Spooled};
use crate::error::ApiError;
use crate::wire::box_file::FolderReference;

/// Longest attributes, in bytes.
const ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;
/// What a form may be longer than its file, in bytes: attributes, boundaries, headers of parts.
const FORM_BYTES_MAX: u64 = 256 * 1024;
/// The part with the attributes.
const ATTRIBUTES: &str = "attributes";

/// An upload that has arrived completely.
#[derive(Debug)]
pub(crate) struct Received {
    /// From the attributes, checked.
    pub(crate) name: Option<String>,
    /// The file name of the part, as it came: clients send `unused`, `file` or nothing there (contract 0.4).
    pub(crate) filename: String,
    /// The folder's id; `None` when the attributes name none.
    pub(crate) parent: Option<String>,
    /// Who may see it, when the attributes say so.
    pub(crate) access: Option<Access>,
    /// What the client says of the bytes.
    pub(crate) content_type: Option<String>,
    /// The bytes.
    pub(crate) spooled: Spooled,
}

/// What we read of `attributes`; clients send more, and nulls.
#[derive(Debug, Default, Deserialize)]
struct Attributes {
    name: Option<String>,
    parent: Option<FolderReference>,
    /// Ours, beside Box's.
    access: Option<Access>,
}

struct FilePart {
    filename: String,
    content_type: Option<String>,
    spooled: Spooled,
}

/// Refuses a declared length that is over the limit, before the first byte is read.
pub(crate) fn check_length(headers: &HeaderMap, config: &crate::Config) -> Result<(), ApiError> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    if length.is_some_and(|length: u64| length > form_bytes_max(config)) {
        return Err(ApiError::TooLarge { bytes_max: config.upload_bytes_max });
    }
    Ok(())
}

pub(super) fn form_bytes_max(config: &crate::Config) -> u64 {
    config.upload_bytes_max.saturating_add(FORM_BYTES_MAX)
}

/// Reads the whole form; the name in the attributes is checked before the file is read.
pub(crate) async fn receive(
    headers: &HeaderMap,
    body: &mut BodyDataStream,
    config: &crate::Config,
) -> Result<Received, ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut form = Multipart::new(content_type, body, form_bytes_max(config))?;
    let mut attributes: Option<Attributes> = None;
    let mut file: Option<FilePart> = None;
    while let Some(part) = form.next_part().await? {
        if part.name.as_deref() == Some(ATTRIBUTES) {
            if file.is_some() {
                return Err(ApiError::MetadataAfterFileContents);
            }
            attributes = Some(read_attributes(&mut form).await?);
        } else if let Some(filename) = part.filename {
            if file.is_some() {
                return Err(ApiError::BadRequest("one request uploads one file".to_owned()));
            }
            let spooled = spool(&mut form, config).await?;
            file = Some(FilePart { filename, content_type: part.content_type, spooled });
        }
        // Other fields mean nothing to us; `next_part` skips what is left of them.
    }
    let file = file.ok_or_else(|| ApiError::BadRequest("no part of the form has a file name".to_owned()))?;
    complete(attributes.unwrap_or_default(), file)
}

fn complete(attributes: Attributes, file: FilePart) -> Result<Received, ApiError> {
    let parent = attributes.parent.map(|parent| parent.id()).transpose()?.flatten();
    let FilePart { filename, content_type, spooled } = file;
    Ok(Received { name: attributes.name, filename, parent, access: attributes.access, content_type, spooled })
}

async fn read_attributes(form: &mut Multipart<'_, BodyDataStream>) -> Result<Attributes, ApiError> {
    let mut text = Vec::new();
    while let Some(chunk) = form.chunk().await? {
        text.extend_from_slice(&chunk);
        if text.len() > ATTRIBUTES_BYTES_MAX {
            return Err(ApiError::BadRequest(format!("the attributes are longer than {ATTRIBUTES_BYTES_MAX} bytes")));
        }
    }
    let attributes: Attributes = serde_json::from_slice(&text)
        .map_err(|error| ApiError::BadRequest(format!("the attributes are not the JSON that is expected: {error}")))?;
    attributes.name.as_deref().map_or(Ok(()), name::check)?;
    Ok(attributes)
}

pub(super) async fn spool(
    form: &mut Multipart<'_, BodyDataStream>,
    config: &crate::Config,
) -> Result<Spooled, ApiError> {
    let mut spool = Spool::create(&config.spool_directory, config.upload_bytes_max).await?;
    while let Some(chunk) = form.chunk().await? {
        spool.write(&chunk).await?;
    }
    spool.finish().await
}

impl From<Broken> for ApiError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLong => Self::FormTooLong,
            _ => Self::BadRequest(broken.to_string()),
        }
    }
}
